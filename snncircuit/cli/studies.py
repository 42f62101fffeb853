"""Whole networks over many neurons: ``yield`` over mismatched chips, ``ladder`` over the imperfections of one neuron."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncircuit.cli import console, given, rungs_text, yield_text
from snncircuit.cli.options import circuit_options, plain_options

if TYPE_CHECKING:
    from snncircuit.neuron.circuit import CircuitNeuron
    from snncircuit.study.ladder import Ladder
    from snncircuit.study.yields import Yield

_OF_POINT = ("neuron", "table_sha256", "pump_efficiency", "corner", "temperature", "v_dd", "v_neg")
vneg_option = click.option(
    "--vneg", type=float, help="Negative supply, V; the lowest of the table by default."
)
neuron_option = click.option(
    "--neuron", default="nmp_clocked", show_default=True, help="A shipped name or a .nc file."
)
scale_option = click.option(
    "--scale",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Multiplies the measured mismatch.",
)
plot_option = click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the figure.")


@click.command("yield", short_help="The share of chips that meet a specification.")
@click.argument("network")
@neuron_option
@click.option("--draws", type=click.IntRange(1), default=200, show_default=True, help="Chips.")
@click.option("--spec", help="What a chip must reach: accuracy>=0.97, mse<=0.01, energy<=2e-6 (J).")
@scale_option
@click.option(
    "--synapse-levels", type=click.IntRange(2), metavar="N", help="Levels of conductance of a synapse."
)
@vneg_option
@circuit_options
@plain_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the chips; NETWORK-NEURON-yield by default. An interrupted command goes on there.",
)
@plot_option
@console.json_option
def yield_(
    network: str, neuron: str, output: Path | None, plot: Path | None, as_json: bool, **options: Any
) -> None:
    """Run NETWORK on many chips, each with another mismatched neuron at every position, all on the same images."""
    folder = output or Path(f"{Path(network).stem}-{Path(neuron).stem}-yield")
    found = yielded(network, neuron, folder, **options)
    if plot is not None:
        from snncircuit.report.plots import plot_yield, save

        save(plot_yield(found.to_json()), plot)
    if as_json:
        console.emit({**found.to_json(), "folder": str(folder), "figure": plot and str(plot)})
    else:
        yield_text.show(found.to_json())
        click.echo(str(plot or folder))


def yielded(
    network: str,
    neuron: str,
    folder: Path,
    *,
    steps: int,
    images: int,
    draws: int = 200,
    spec: str | None = None,
    scale: float = 1.0,
    synapse_levels: int | None = None,
    vneg: float | None = None,
    vdd: float | None = None,
    corner: str = "tt",
    temperature: float = 27.0,
    pump_efficiency: float = 0.7,
    encoder: str = "constant",
    engine: str = "auto",
    seed: int = 0,
    max_out_of_range: float = 0.02,
) -> Yield:
    """What ``snncircuit yield`` runs; options as there.

    Raises:
        SnnCircuitError: when the network, the neuron, its mismatch or the images cannot be used.
        Interrupted: on Ctrl-C; every finished chip is kept in the folder.
    """
    from snncircuit.study.specification import Specification
    from snncircuit.study.yields import run_chips

    wanted = None if spec is None else Specification.parse(spec)
    nominal, settings = _circuit(neuron, vneg, vdd, corner, temperature, pump_efficiency)
    converted, description, data = given.material(network, images, synapse_levels, False)
    kept = f"every finished chip is kept in {folder}; repeat the same command to go on"
    with console.resumable(kept), console.progress(f"{description.name}, chips") as report:
        return run_chips(
            converted,
            nominal,
            data.images,
            given.targets(description, data),
            draws=draws,
            steps=steps,
            path=folder,
            settings={**settings, "synapse_levels": synapse_levels},
            specification=wanted,
            seed=seed,
            scale=scale,
            encoder=encoder,
            engine=given.engine(engine),
            max_out_of_range=max_out_of_range,
            progress=report,
        )


@click.command(short_help="What each imperfection of a neuron costs a network.")
@click.argument("network")
@neuron_option
@click.option(
    "--levels", type=click.IntRange(2), default=16, show_default=True, help="Of the last rung's synapses."
)
@scale_option
@vneg_option
@circuit_options
@plain_options
@plot_option
@console.json_option
def ladder(network: str, neuron: str, levels: int, plot: Path | None, as_json: bool, **options: Any) -> None:
    """Run NETWORK from ideal neurons to the full circuit, one imperfection after the other."""
    found = climbed(network, neuron, levels, **options).to_json()
    found = {"network": found["settings"]["network"], "neuron": found["settings"]["neuron"], **found}
    if plot is not None:
        from snncircuit.report.plots import plot_ladder, save

        save(plot_ladder(found), plot)
    if as_json:
        console.emit({**found, "levels": levels, "figure": plot and str(plot)})
    else:
        rungs_text.show(found)
        if plot is not None:
            click.echo(str(plot))


def climbed(
    network: str,
    neuron: str,
    levels: int,
    *,
    steps: int,
    images: int,
    scale: float = 1.0,
    vneg: float | None = None,
    vdd: float | None = None,
    corner: str = "tt",
    temperature: float = 27.0,
    pump_efficiency: float = 0.7,
    encoder: str = "constant",
    engine: str = "auto",
    seed: int = 0,
    max_out_of_range: float = 0.02,
) -> Ladder:
    """What ``snncircuit ladder`` runs; options as there.

    Raises:
        SnnCircuitError: when the network, the neuron or the images cannot be used.
    """
    from snncircuit.study.ladder import climb

    full, settings = _circuit(neuron, vneg, vdd, corner, temperature, pump_efficiency)
    converted, description, data = given.material(network, images, None, False)
    quantised, _, _ = given.material(network, 1, levels, False)
    with console.progress(f"{description.name}, rungs") as report:
        return climb(
            converted,
            quantised,
            full,
            data.images,
            given.targets(description, data),
            steps=steps,
            seed=seed,
            scale=scale,
            encoder=encoder,
            engine=given.engine(engine),
            max_out_of_range=max_out_of_range,
            settings={**settings, "data": data.origin},
            progress=report,
        )


def _circuit(
    neuron: str,
    v_neg: float | None,
    v_dd: float | None,
    corner: str,
    temperature: float,
    pump_efficiency: float,
) -> tuple[CircuitNeuron, dict[str, str | float | None]]:
    """A circuit neuron and what is to be remembered of it."""
    from snncircuit.neuron.circuit import CircuitNeuron

    found = given.population(
        neuron,
        v_neg=v_neg,
        v_dd=v_dd,
        corner=corner,
        temperature=temperature,
        pump_efficiency=pump_efficiency,
    )
    if not isinstance(found.neuron, CircuitNeuron):
        msg = "the ideal neuron has neither mismatch nor imperfections; give a circuit neuron"
        raise click.BadParameter(msg, param_hint="--neuron")
    return found.neuron, {key: found.settings[key] for key in _OF_POINT}


COMMANDS = (yield_, ladder)
