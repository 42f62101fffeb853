"""The SPICE half: ``doctor``, ``characterise``, ``inspect``, ``validate``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from snncircuit.cli import console, given, summaries
from snncircuit.cli.values import values_option

Values = tuple[float, ...]

models_option = click.option(
    "--models",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Transistor cards; those that the cell names by default.",
)
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default=True,
    help="ngspice processes.",
)
timeout_option = click.option(
    "--timeout", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds for one simulation."
)
vneg_help = "Negative supply, V: values and ranges START:STOP:STEP."


@click.command(short_help="Show which ngspice is here, and how to install it.")
@console.json_option
def doctor(as_json: bool) -> None:
    """Show which ngspice was found, its self-test, and how to install it."""
    from snncircuit.spice.doctor import doctor as examine

    found = examine()
    if as_json:
        console.emit(found.to_json())
    else:
        click.echo(found.text())


@click.command(short_help="Measure a neuron with ngspice: netlist to table.")
@click.argument("netlist")
@click.option("--vdd", callback=values_option, default="1.8", show_default=True, help="Positive supply, V.")
@click.option("--vneg", callback=values_option, default="0:-1.8:-0.2", show_default=True, help=vneg_help)
@click.option("--corner", default="tt", show_default=True, help="Sections of the cards, separated by commas.")
@click.option("--temperature", callback=values_option, default="27", show_default=True, help="degC.")
@models_option
@jobs_option
@timeout_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The table; NAME.nc by default."
)
@click.option("--quick", is_flag=True, help="On a coarser grid, for a first look.")
@console.json_option
def characterise(
    netlist: str,
    vdd: Values,
    vneg: Values,
    corner: str,
    temperature: Values,
    models: Path | None,
    jobs: int,
    timeout: float,
    output: Path | None,
    quick: bool,
    as_json: bool,
) -> None:
    """Measure the neuron NETLIST (a folder, or a shipped name) with ngspice into a transfer table."""
    neuron = given.coarse(given.cell(netlist)) if quick else given.cell(netlist)
    points = given.points([name.strip() for name in corner.split(",")], temperature, vdd, vneg)
    path = output or Path(f"{neuron.name}.nc")
    report = measure(neuron, points, models=models, jobs=jobs, timeout=timeout, path=path)
    if as_json:
        console.emit({**report, "table": str(path)})
    else:
        click.echo(
            f"{path}: {len(points)} operating points from {report['points']} samples, "
            f"{report['reused']} of them reused, {report['holes']} holes, {report['seconds']:.1f} s"
        )


def measure(
    neuron: Any, points: list[Any], *, models: Path | None, jobs: int, timeout: float, path: Path
) -> dict[str, Any]:
    """Characterise a cell at some points and write its table; gives ``points, reused, holes, seconds``.

    Raises:
        SnnCircuitError: when the neuron cannot be measured or the table not be written.
        Interrupted: on Ctrl-C; every finished sample is kept.
    """
    from snncircuit.characterise.run import characterise as run
    from snncircuit.spice.cache import SampleCache
    from snncircuit.spice.engine import EnginePool

    with SampleCache() as cache, EnginePool(jobs, timeout) as pool:
        kept = f"every finished sample is kept in {cache.path}; repeat the same command to go on"
        with console.resumable(kept), console.counter(f"characterising {neuron.name}") as show:
            table, report = run(
                neuron,
                given.cards(neuron, models),
                points,
                pool=pool,
                cache=cache,
                progress=lambda p: show(
                    f"{p.points} samples, {p.reused} reused, {p.finished}/{p.wanted} operating points"
                ),
            )
    table.save(path)
    return {
        "points": report.points,
        "reused": report.reused,
        "holes": report.holes,
        "seconds": report.seconds,
    }


@click.command(short_help="Show what was measured of a neuron.")
@click.argument("table")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the measured step as PNG, SVG or PDF.",
)
@console.json_option
def inspect(table: str, plot: Path | None, as_json: bool) -> None:
    """Show what was measured of a neuron: TABLE is a .nc file, or a shipped name."""
    loaded = given.table(table)
    found = summaries.inspection(loaded)
    if plot is not None:
        from snncircuit.report.plots import plot_table, save

        save(plot_table(loaded), plot)
    if as_json:
        console.emit(found)
    else:
        summaries.show_inspection(loaded.name, found)


@click.command(short_help="Hold a table against live ngspice.")
@click.argument("table")
@click.option(
    "--netlist",
    help="The neuron that the table claims to be; by default the shipped one of the table's name.",
)
@click.option("--vneg", callback=values_option, default="0,-0.9,-1.8", show_default=True, help=vneg_help)
@click.option("--vdd", callback=values_option, default="1.8", show_default=True, help="Positive supply, V.")
@click.option("--corner", default="tt", show_default=True, help="Section of the cards.")
@click.option("--temperature", type=float, default=27.0, show_default=True, help="degC.")
@click.option(
    "--steps", type=click.IntRange(1), default=1000, show_default=True, help="Network steps of each train."
)
@click.option(
    "--neurons", type=click.IntRange(1), default=4, show_default=True, help="Charge trains at each supply."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the charge trains.")
@models_option
@jobs_option
@timeout_option
@console.json_option
def validate(
    table: str,
    netlist: str | None,
    vneg: Values,
    vdd: Values,
    corner: str,
    temperature: float,
    steps: int,
    neurons: int,
    seed: int,
    models: Path | None,
    jobs: int,
    timeout: float,
    as_json: bool,
) -> None:
    """Hold a TABLE (a .nc file, or a shipped name) against live ngspice on charge trains it has never seen."""
    loaded = given.table(table)
    neuron = given.cell(netlist or loaded.name)
    points = given.points([corner], [temperature], vdd, vneg)
    found = check(
        loaded,
        neuron,
        points,
        models=models,
        jobs=jobs,
        timeout=timeout,
        steps=steps,
        neurons=neurons,
        seed=seed,
    )
    if as_json:
        console.emit(found)
    else:
        summaries.show_agreement(loaded.name, found)


def check(
    table: Any,
    neuron: Any,
    points: list[Any],
    *,
    models: Path | None = None,
    jobs: int = 1,
    timeout: float = 60.0,
    steps: int = 1000,
    neurons: int = 4,
    seed: int = 0,
) -> dict[str, Any]:
    """The agreement of a table with live ngspice, as `summaries.agreement` puts it.

    Raises:
        SnnCircuitError: when there is nothing to compare.
        Interrupted: on Ctrl-C; every finished simulation is kept.
    """
    from snncircuit.cosim.validate import validate as compare
    from snncircuit.spice.cache import SampleCache
    from snncircuit.spice.engine import EnginePool

    with SampleCache() as cache, EnginePool(jobs, timeout) as pool:
        kept = f"every finished simulation is kept in {cache.path}; repeat the same command to go on"
        with console.resumable(kept), console.progress(f"validating {neuron.name}") as report:
            agreements = compare(
                table,
                neuron,
                given.cards(neuron, models),
                points,
                pool=pool,
                cache=cache,
                n_steps=steps,
                n_neurons=neurons,
                seed=seed,
                progress=report,
            )
    return summaries.agreement([agreement.to_json() for agreement in agreements])


COMMANDS = (doctor, characterise, inspect, validate)
