"""One verb, ``simulate``: a network, neurons and images in, a Run out; the engine is a detail."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.network import engines
from snncircuit.network.encode import Encoder, make_encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import Record
from snncircuit.network.populations import Neurons, by_layer
from snncircuit.network.run import Run, Setting
from snncircuit.network.sums import Sums
from snncircuit.neuron.step import Tally

MAX_OUT_OF_RANGE = 0.02
"""Fraction of a layer's neuron-steps that may lie outside what was measured of the neuron."""

Progress = Callable[[int, int], None]
"""Called with the number of images done and of all images."""


def simulate(
    network: SpikingNetwork,
    neuron: Neurons,
    images: Float[Tensor, "n c h w"],
    targets: Int[Tensor, " n"] | Float[Tensor, "n ..."],
    *,
    steps: int,
    encoder: str | Encoder = "constant",
    engine: str = "auto",
    batch: int | None = None,
    seed: int = 0,
    record: Record | None = None,
    exit_margin: int | None = None,
    max_out_of_range: float | None = MAX_OUT_OF_RANGE,
    rails: tuple[float, float] | None = None,
    settings: Mapping[str, Setting] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run images through a network of the given neurons, membranes starting at rest for each image.

    Args:
        network: from ``convert`` or ``load_spiking``.
        neuron: of every layer, or layer name to the neuron of that layer.
        images: pixels in [0, 1].
        targets: labels (integers: the run has an accuracy) or images to be reproduced (floats: it has an MSE).
        steps: number of network steps T.
        encoder: ``constant``, ``if``, ``poisson`` or an encoder.
        engine: ``auto`` (the fastest that can run), ``reference``, ``dense`` or ``event``; they give the same spikes.
        batch: images at a time; chosen to bound memory by default. Without influence on the result.
        seed: of the Poisson encoder.
        record: layer name to numbers of neurons whose every step the Run is to keep.
        exit_margin: an image stops once the class of most spikes is so many spikes ahead of the second, looked at every
            ``outcome.EXIT_INTERVAL`` steps; None to run all steps.
        max_out_of_range: refuse a run of which a layer was outside the measured range more often; None allows any.
        rails: lowest and highest membrane that the supplies allow, thresholds, for the head-room.
        settings: what else the Run is to remember.
        progress: told of each batch of images.

    Raises:
        SimulationError: input or neurons that do not fit the network, an engine that does not exist, or a run outside the range.
    """
    by_layer(network, neuron)  # refuses one that does not fit
    chosen = engines.choose(engine, neuron)
    run = engines.engine(chosen)
    record = {} if record is None else record
    _check(network, images, targets, steps, batch, record, exit_margin)
    coder = make_encoder(encoder, seed) if isinstance(encoder, str) else encoder
    total = len(images)
    if batch is None:
        batch = engines.fitting_batch(chosen, network, steps)
    device = network.layers[0].weight_exc.device
    images, targets = images.to(device), targets.to(device)
    sums = Sums.of(network, steps)
    started = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, total, batch):
            some = images[first : first + batch]
            outcome = run(
                network,
                neuron,
                coder,
                some,
                first_image=first,
                steps=steps,
                record=record,
                exit_margin=exit_margin,
            )
            sums.add(network, outcome, some, targets[first : first + batch])
            if progress is not None:
                progress(min(first + batch, total), total)
    seconds = time.perf_counter() - started
    if max_out_of_range is not None:
        _refuse_out_of_range(sums.tallies, max_out_of_range)
    return Run(
        engine=chosen,
        score="mse" if targets.is_floating_point() else "accuracy",
        by_step=tuple((sums.score / total).tolist()),
        ann_score=sums.ann_score / total,
        ann_score_quantised=None if network.trained is None else sums.ann_score_quantised / total,
        layers=sums.figures(network, neuron),
        steps_used=tuple(sums.steps_used),
        image_steps_per_second=sum(sums.steps_used) / seconds,
        settings={
            "network": network.name,
            "steps": steps,
            "images": total,
            "encoder": encoder if isinstance(encoder, str) else type(encoder).__name__,
            "seed": seed,
            "synapse_levels": network.levels,
            "float_weights": not network.layers[0].grid,
            "exit_margin": exit_margin,
            **(settings or {}),
        },
        rails=rails,
        traces=sums.joined(),
    )


def _check(
    network: SpikingNetwork,
    images: Tensor,
    targets: Tensor,
    steps: int,
    batch: int | None,
    record: Record,
    exit_margin: int | None,
) -> None:
    if steps < 1 or (batch is not None and batch < 1):
        msg = f"steps {steps} and batch {batch}: expected 1 or more"
        raise SimulationError(msg)
    if tuple(images.shape[1:]) != network.input_shape or len(images) == 0:
        msg = f"images of shape {tuple(images.shape)}; {network.name} takes one or more of shape {network.input_shape}"
        raise SimulationError(msg)
    if not (images.min() >= 0 and images.max() <= 1):
        msg = f"pixels from {float(images.min()):g} to {float(images.max()):g}; expected [0, 1]"
        raise SimulationError(msg)
    size = torch.Size(network.layers[-1].out_shape).numel()
    each = torch.Size(targets.shape[1:]).numel()
    if targets.is_floating_point():
        fits, expected = each == size, f"images of {size} pixels"
    else:
        fits, expected = (
            targets.ndim == 1 and bool(((targets >= 0) & (targets < size)).all()),
            f"labels below {size}",
        )
    if len(targets) != len(images) or not fits:
        msg = f"targets of shape {tuple(targets.shape)} ({targets.dtype}); expected {len(images)} {expected}"
        raise SimulationError(msg)
    if exit_margin is not None:
        _check_exit(targets, size, record, exit_margin)
    sizes = {layer.name: torch.Size(layer.out_shape).numel() for layer in network.layers}
    for name, neurons in record.items():
        if name not in sizes:
            msg = f"cannot record layer {name!r}; {network.name} has {', '.join(sizes)}"
            raise SimulationError(msg)
        if not neurons or min(neurons) < 0 or max(neurons) >= sizes[name]:
            msg = f"cannot record neurons {list(neurons)} of {name}; it has 0 to {sizes[name] - 1}"
            raise SimulationError(msg)


def _check_exit(targets: Tensor, classes: int, record: Record, margin: int) -> None:
    if margin < 1:
        msg = f"early exit at a margin of {margin} spikes: expected 1 or more"
    elif targets.is_floating_point() or classes < 2:
        msg = "early exit is for classifiers with two classes or more: an image to be reproduced has no leading class"
    elif record:
        msg = f"early exit and traces of {', '.join(record)} exclude each other: a trace is of all steps"
    else:
        return
    raise SimulationError(msg)


def _refuse_out_of_range(tallies: Mapping[str, Tally], limit: float) -> None:
    fractions = {name: tally.out_of_range / tally.neuron_steps for name, tally in tallies.items()}
    worst = max(fractions, key=fractions.__getitem__)
    if fractions[worst] > limit:
        tally = tallies[worst]
        msg = (
            f"{worst}: {tally.out_of_range} of {tally.neuron_steps} neuron-steps ({fractions[worst]:.2%}) had charges or "
            f"membranes outside what was measured of the neuron, more than the {limit:.2%} allowed (membranes from "
            f"{tally.v_low:.3g} to {tally.v_high:.3g} thresholds); measure the neuron over a wider range, or allow more"
        )
        raise SimulationError(msg)
