"""Whole networks: ``run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from snncircuit.cli import console, given, results
from snncircuit.cli.live import live_options, lockstep
from snncircuit.cli.options import circuit_options, simulation_options
from snncircuit.cli.values import bound

if TYPE_CHECKING:
    from snncircuit.network.outcome import Record
    from snncircuit.network.run import Run


@click.command(short_help="Run test images through a network.")
@click.argument("network")
@click.option("--neuron", default="ideal", show_default=True, help="ideal, a shipped name or a .nc file.")
@click.option(
    "--vneg",
    type=float,
    help="Negative supply, V; the lowest of the table by default.",
)
@click.option(
    "--v-lb", help="Lower bound of ideal neurons, thresholds, or none.", default="none", show_default=True
)
@click.option("--reset", type=click.Choice(["subtract", "zero"]), default="subtract", show_default=True)
@circuit_options
@simulation_options
@live_options
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Keep the Run as NetCDF."
)
@console.json_option
def run(
    network: str,
    output: Path | None,
    as_json: bool,
    live: Record | None,
    netlist: str | None,
    models: Path | None,
    timeout: float,
    **options: Any,
) -> None:
    """Run test images through NETWORK (a .toml file, or a shipped name) with neurons of one kind."""
    from snncircuit.network.run_file import save_run

    if live is None:
        found = simulation(network, **options)
        told = found.to_json()
    else:
        both = lockstep(network, live, netlist=netlist, models=models, timeout=timeout, **options)
        found, told = both.run, both.to_json()
    if output is not None:
        save_run(found, output)
    if as_json:
        console.emit(told)
    else:
        results.show_run(told)


def simulation(
    network: str,
    *,
    neuron: str,
    steps: int,
    images: int,
    vneg: float | None = None,
    vdd: float | None = None,
    corner: str = "tt",
    temperature: float = 27.0,
    pump_efficiency: float = 0.7,
    v_lb: str = "none",
    reset: Literal["subtract", "zero"] = "subtract",
    encoder: str = "constant",
    engine: str = "auto",
    synapse_levels: int | None = None,
    float_weights: bool = False,
    early_exit: int | None = None,
    seed: int = 0,
    max_out_of_range: float = 0.02,
) -> Run:
    """What ``snncircuit run`` runs; options as there.

    Raises:
        SnnCircuitError: when the network, the neuron or the images cannot be used.
        click.BadParameter: when ``v_lb`` is no number.
    """
    from snncircuit.network.simulate import simulate

    neurons = given.population(
        neuron,
        v_neg=vneg,
        v_dd=vdd,
        corner=corner,
        temperature=temperature,
        v_lb=bound(v_lb),
        reset=reset,
        pump_efficiency=pump_efficiency,
    )
    converted, description, data = given.material(network, images, synapse_levels, float_weights)
    label = f"{description.name}, {Path(neuron).stem} neurons"
    with console.progress(label, steps=None if early_exit else steps) as report:
        return simulate(
            converted,
            neurons.neuron,
            data.images,
            given.targets(description, data),
            steps=steps,
            encoder=encoder,
            engine=given.engine(engine),
            exit_margin=early_exit,
            seed=seed,
            max_out_of_range=max_out_of_range,
            rails=neurons.rails,
            settings={**neurons.settings, **given.origin(network, data)},
            progress=report,
        )


COMMANDS = (run,)
