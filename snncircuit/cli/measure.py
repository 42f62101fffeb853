"""The SPICE half: ``doctor``, ``characterise``, ``inspect``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from snncircuit.cli import console, given, summaries
from snncircuit.cli.star import star
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
    "--timeout",
    type=click.FloatRange(1),
    default=600.0,
    show_default=True,
    help="Seconds for one simulation.",
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
@click.option("--one-at-a-time", is_flag=True, help="Vary corner, temperature and VDD alone, not together.")
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
    one_at_a_time: bool,
    as_json: bool,
) -> None:
    """Measure the neuron NETLIST (a folder, or a shipped name) with ngspice into a transfer table."""
    neuron = given.coarse(given.cell(netlist)) if quick else given.cell(netlist)
    axes = [name.strip() for name in corner.split(",")], temperature, vdd, vneg
    nominal, points = star(neuron, *axes) if one_at_a_time else (None, given.points(*axes))
    path = output or Path(f"{neuron.name}.nc")
    report = measure(neuron, points, nominal, models=models, jobs=jobs, timeout=timeout, path=path)
    if as_json:
        console.emit({**report, "table": str(path)})
    else:
        click.echo(
            f"{path}: {len(points)} operating points from {report['points']} samples, "
            f"{report['reused']} of them reused, {report['holes']} holes, {report['seconds']:.1f} s"
        )


def measure(
    neuron: Any,
    points: list[Any],
    nominal: Any = None,
    *,
    models: Path | None,
    jobs: int,
    timeout: float,
    path: Path,
) -> dict[str, Any]:
    """Characterise a cell at some points around ``nominal``, if any; gives ``points, reused, holes, seconds``.

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
                nominal=nominal,
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


COMMANDS = (doctor, characterise, inspect)
