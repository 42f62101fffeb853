"""Networks: ``train`` and ``convert``."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, Literal

import click

from snncircuit.cli import console, given
from snncircuit.cli.options import normalisation_options


@click.command(short_help="Train a network from its recipe.")
@click.argument("name")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--images", type=click.IntRange(1), help="Training images; all of the data set by default.")
@click.option("--test-images", type=click.IntRange(1), help="Images to score on; all by default.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Stem of the two files; ./NAME by default. An interrupted training goes on from STEM.checkpoint.",
)
@normalisation_options
@console.json_option
def train(
    name: str,
    seed: int,
    images: int | None,
    test_images: int | None,
    threads: int,
    output: Path | None,
    normalisation: Literal["max", "percentile"],
    percentile: float,
    calibration: int,
    as_json: bool,
) -> None:
    """Train the network NAME from its recipe: cifar10-allconv, digits, mnist-cnn, mnist-gap or mnist-autoencoder."""
    from snncircuit.network.convert import calibrate
    from snncircuit.network.files import NetworkDescription, half_precision, save_network
    from snncircuit.study import datasets, training
    from snncircuit.study.recipes import recipe

    plan = recipe(name)
    stem = output or Path(name)
    checkpoint = stem.with_name(stem.name + ".checkpoint")
    data = datasets.load(plan.data, "train", images or plan.images or None)
    held_out = datasets.load(plan.data, "test", test_images)
    kept = f"the state after each epoch is kept in {checkpoint}; repeat the same command to go on"
    with console.resumable(kept), console.progress(f"training {name}") as report:
        module = training.train(
            plan,
            data,
            seed=seed,
            checkpoint=checkpoint,
            progress=lambda step: report(step.done, step.updates),
            threads=threads,
        )
    module = half_precision(module)
    score = training.score(module, held_out, plan.task)
    _, channels, height, width = data.images.shape
    description = NetworkDescription(
        name=name,
        task=plan.task,
        dataset=plan.data,
        input_shape=(channels, height, width),
        seed=seed,
        score=score,
        recipe={k: v for k, v in plan.settings().items() if isinstance(v, str | int | float)},
        normalisation=calibrate(module, data.images[:calibration], normalisation, percentile),
    )
    save_network(stem, module, description)
    checkpoint.unlink(missing_ok=True)
    figure = "accuracy" if plan.task == "classify" else "mse"
    result = {"network": f"{stem}.toml", figure: score, "test_images": len(held_out), "seed": seed}
    if as_json:
        console.emit(result)
    else:
        click.echo(f"{stem}.toml, {stem}.safetensors: {figure} {score:.6g} on {len(held_out)} test images")


@click.command(short_help="Convert a network to a spiking one.")
@click.argument("network")
@normalisation_options
@click.option(
    "--split",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="Where the calibration images come from; up to 1000 of test ship.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Stem of the files to write; none are by default."
)
@console.json_option
def convert(
    network: str,
    normalisation: Literal["max", "percentile"],
    percentile: float,
    calibration: int,
    split: Literal["train", "test"],
    output: Path | None,
    as_json: bool,
) -> None:
    """Convert NETWORK (a .toml file, or a shipped name) to a spiking one and show its layers.

    With -o the network is written again with this normalisation.
    """
    from snncircuit.network.convert import calibrate, spiking
    from snncircuit.network.files import load_network, save_network
    from snncircuit.study import datasets

    module, description = load_network(given.locate("network", network))
    images = datasets.load(description.dataset, split, calibration).images
    scales = calibrate(module, images, normalisation, percentile)
    converted = spiking(module, scales, description.input_shape, description.name)
    if output is not None:
        save_network(output, module, replace(description, normalisation=scales))
    layers: list[dict[str, Any]] = [
        {
            "name": layer.name,
            "path": layer.path,
            "input_shape": list(layer.in_shape),
            "output_shape": list(layer.out_shape),
            "neurons": prod(layer.out_shape),
            "scale": layer.scale,
        }
        for layer in converted.layers
    ]
    if as_json:
        written = None if output is None else f"{output}.toml"
        console.emit({"name": description.name, "layers": layers, "network": written})
        return
    shapes = [["×".join(map(str, layer[key])) for key in ("input_shape", "output_shape")] for layer in layers]
    rows = [
        [layer["name"], *shape, f"{layer['neurons']:,}", f"{layer['scale']:.4g}"]
        for layer, shape in zip(layers, shapes, strict=True)
    ]
    console.show(description.name, ["layer", "input", "output", "neurons", "activation at full rate"], rows)


COMMANDS = (train, convert)
