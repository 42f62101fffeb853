"""Other people's circuits: ``new-cell``, ``check-cell``, ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from snncircuit.cli import console, given
from snncircuit.cli.measure import models_option
from snncircuit.errors import CellError

if TYPE_CHECKING:
    from snncircuit.characterise.check import Check


@click.command(name="new-cell", short_help="Begin a neuron of your own.")
@click.argument("name")
@click.option("--from", "source", help="A shipped neuron to begin with; a small commented one by default.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write; NAME by default. It must not exist.",
)
def new_cell(name: str, source: str | None, output: Path | None) -> None:
    """Write a folder with a working neuron NAME to change: its netlist, its cell.toml and generic transistor cards."""
    from snncircuit.characterise.template import write_cell

    folder = output or Path(name)
    for path in write_cell(name, folder, source):
        click.echo(path)
    click.echo(
        f"next:\n  snncircuit check-cell {folder}\n  snncircuit characterise {folder} --quick --vneg -0.9"
    )


@click.command(name="check-cell", short_help="Look at a neuron before it is measured.")
@click.argument("netlist")
@click.option("--corner", default="tt", show_default=True, help="Section of the cards.")
@click.option("--temperature", type=float, default=27.0, show_default=True, help="degC.")
@click.option("--vdd", type=float, help="Positive supply, V; the middle of the cell's range by default.")
@click.option(
    "--vneg", type=float, help="Negative supply, V; the most negative of the cell's range by default."
)
@models_option
@click.option(
    "--timeout", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds for the simulation."
)
@console.json_option
def check_cell(
    netlist: str,
    corner: str,
    temperature: float,
    vdd: float | None,
    vneg: float | None,
    models: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Look at the neuron NETLIST (a folder, or a shipped name): ports, bulks, wells, floating nodes, voltage limits, a first spike.

    Exit code 2 when something is wrong with the circuit; warnings leave it at 0.
    """
    from snncircuit.characterise import check
    from snncircuit.spice.engine import EnginePool

    neuron = given.cell(netlist)
    point = check.default_point(neuron, corner=corner, temperature=temperature, v_dd=vdd, v_neg=vneg)
    cards = given.cards(neuron, models)(corner)
    with (
        EnginePool(1, timeout) as pool,
        console.resumable("nothing was kept; repeat the command"),
        console.counter(f"checking {neuron.name}"),
    ):
        found = check.check_cell(neuron, cards, point, pool)
    if as_json:
        console.emit(found.to_json())
    else:
        _show(found)
    if found.errors:
        more = f" and {len(found.errors) - 1} more" if len(found.errors) > 1 else ""
        first = found.errors[0]
        place = f" ({first.place})" if first.place else ""
        msg = (
            f"{neuron.name}: expected no error in the circuit, found {first.check}: {first.text}{place}{more}"
        )
        raise CellError(msg)


def _show(found: Check) -> None:
    from snncircuit.units import engineering

    where = found.point
    title = (
        f"{found.cell}: {len(found.ports)} ports, {found.n_devices} devices, VDD {where.v_dd:g} V, VNEG {where.v_neg:g} V, "
        f"{where.corner}, {where.temperature:g} degC"
    )
    click.echo(title)
    for finding in found.findings:
        place = f" [{finding.place.rpartition('/')[2]}]" if finding.place else ""
        click.echo(f"  {finding.level:8}{finding.check:14} {finding.text}{place}")
    energy = found.energy(found.first_spike)
    if energy is not None:
        parts = ", ".join(f"{name} {engineering(joule, 'J')}" for name, joule in energy.items())
        click.echo(
            f"first spike in step {found.first_spike}: {engineering(sum(energy.values()), 'J')} ({parts})"
        )


@click.command(short_help="Write a measured neuron as Verilog-A.")
@click.argument("table")
@click.option("--vneg", type=float, help="Negative supply, V; the most negative in the table by default.")
@click.option("--vdd", type=float, help="Positive supply, V; may be left out where the table has only one.")
@click.option("--corner", default="tt", show_default=True, help="Of the table.")
@click.option("--temperature", type=float, default=27.0, show_default=True, help="degC, of the table.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the module and its data files.",
)
@console.json_option
def export(
    table: str,
    vneg: float | None,
    vdd: float | None,
    corner: str,
    temperature: float,
    output: Path,
    as_json: bool,
) -> None:
    """Write one operating point of TABLE (a .nc file, or a shipped name) as a Verilog-A module with $table_model data files."""
    from snncircuit.table.export import write_verilog_a

    loaded = given.table(table)
    if vneg is None:
        vneg = min(float(point["v_neg"]) for point in loaded.points())
    wanted = {"v_neg": vneg, "v_dd": vdd, "corner": corner, "temperature": temperature}
    at = loaded.at(**{key: value for key, value in wanted.items() if value is not None})
    files = write_verilog_a(loaded.name, at, output)
    if as_json:
        console.emit({"table": loaded.name, **at.point, "files": [str(path) for path in files]})
    else:
        for path in files:
            click.echo(path)


COMMANDS = (new_cell, check_cell, export)
