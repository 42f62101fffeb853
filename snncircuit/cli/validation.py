"""``validate``: a table held against live ngspice."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncircuit.cli import agreements, console, given
from snncircuit.cli.values import parse_values
from snncircuit.errors import AgreementError, TableError

if TYPE_CHECKING:
    from snncircuit.cosim.validate import Validation
    from snncircuit.table import TransferTable

Values = tuple[float, ...]


def some_values(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Values | None:
    """A click callback: the values of an option that may be left out.

    Raises:
        click.BadParameter: when the text is no list of values.
    """
    try:
        return None if text is None else parse_values(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(short_help="Hold a table against live ngspice.")
@click.argument("table")
@click.option(
    "--netlist",
    help="The neuron that the table claims to be; by default the shipped one of the table's name.",
)
@click.option(
    "--vneg", callback=some_values, help="Only these negative supplies, V: values and ranges START:STOP:STEP."
)
@click.option("--vdd", callback=some_values, help="Only these positive supplies, V.")
@click.option("--corner", help="Only these sections of the cards, separated by commas.")
@click.option("--temperature", callback=some_values, help="Only these, degC.")
@click.option(
    "--steps", type=click.IntRange(1), default=1000, show_default=True, help="Network steps of each train."
)
@click.option(
    "--neurons",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Charge trains at each operating point.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the charge trains.")
@click.option(
    "--models",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Transistor cards; those that the cell names by default.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default=True,
    help="ngspice processes.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    help="Seconds for one simulation; by default a minute and 2 s a step.",
)
@click.option("--no-store", is_flag=True, help="Do not write the result into the table's file.")
@click.option("--strict", is_flag=True, help="End with exit code 2 when a bar is not met.")
@console.json_option
def validate(
    table: str,
    netlist: str | None,
    vneg: Values | None,
    vdd: Values | None,
    corner: str | None,
    temperature: Values | None,
    steps: int,
    neurons: int,
    seed: int,
    models: Path | None,
    jobs: int,
    timeout: float | None,
    no_store: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Hold a TABLE (a .nc file, or a shipped name) against live ngspice on charge trains it has never seen.

    At every operating point of the table, unless some are chosen. The trains are random ones, bursts, long silence, inhibition to the
    rail and back, and membranes parked just below the firing edge. The result is kept in the table's file.
    """
    loaded = given.table(table)
    neuron = given.cell(netlist or loaded.name)
    corners = None if corner is None else [name.strip() for name in corner.split(",")]
    wanted = {"corner": corners, "temperature": temperature, "v_dd": vdd, "v_neg": vneg}
    found = check(
        loaded,
        neuron,
        chosen(loaded, {axis: values for axis, values in wanted.items() if values is not None}),
        models=models,
        jobs=jobs,
        timeout=timeout,
        steps=steps,
        neurons=neurons,
        seed=seed,
        store=None if no_store else given.locate("neuron", table),
    )
    if as_json:
        console.emit(found)
    else:
        agreements.show_agreement(loaded.name, found)
    if strict and not found["within_bars"]:
        raise AgreementError(agreements.missed(loaded.name, found))


def chosen(table: TransferTable, wanted: Mapping[str, Sequence[float | str]]) -> list[Any]:
    """The operating points of a table that have one of the wanted values on each axis that is named.

    Raises:
        TableError: when the table was not measured at a value, or at none of their combinations.
    """
    from snncircuit.characterise.drive import OperatingPoint

    points = table.points()
    for axis, values in wanted.items():
        held = {p[axis]: None for p in table.points()}
        absent = [v for v in values if not any(_same(v, h) for h in held)]
        if absent:
            msg = f"table {table.name} was not measured at {axis} = {absent[0]}; it holds {', '.join(map(str, held))}"
            raise TableError(msg)
        points = [p for p in points if any(_same(v, p[axis]) for v in values)]
    if not points:
        msg = (
            f"table {table.name} holds no operating point with all of {dict(wanted)}; see snncircuit inspect"
        )
        raise TableError(msg)
    return [OperatingPoint(**p) for p in points]


def _same(value: float | str, held: float | str) -> bool:
    if isinstance(value, str) or isinstance(held, str):
        return value == held
    return abs(value - held) < 1e-6


def check(
    table: TransferTable,
    neuron: Any,
    points: Sequence[Any],
    *,
    models: Path | None = None,
    jobs: int = 1,
    timeout: float | None = None,
    steps: int = 1000,
    neurons: int = 2,
    seed: int = 0,
    store: Path | None = None,
) -> dict[str, Any]:
    """The agreement of a table with live ngspice, as `agreements.agreement` puts it; kept in the file ``store``, if any.

    Raises:
        SnnCircuitError: when there is nothing to compare.
        Interrupted: on Ctrl-C; every finished simulation is kept.
    """
    from snncircuit.cosim.validate import validate as compare
    from snncircuit.spice.cache import SampleCache
    from snncircuit.spice.engine import EnginePool

    patience = 60.0 + 2.0 * steps if timeout is None else timeout
    with SampleCache() as cache, EnginePool(jobs, patience) as pool:
        kept = f"every finished simulation is kept in {cache.path}; repeat the same command to go on"
        label = f"validating {neuron.name} at {len(points)} operating points, {steps} steps a simulation"
        with console.resumable(kept), console.progress(label) as report:
            report(0, len(points) * neurons)
            found = compare(
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
    stored = store is not None and keep(table, found, store)
    return {**agreements.agreement(found.to_json()), "stored": str(store) if stored else None}


def keep(table: TransferTable, found: Validation, path: Path) -> bool:
    """Write a validation into the file of its table; a remark says why where that cannot be."""
    from snncircuit.table.validation import with_validation

    cards = table.provenance.get("cards", {})
    others = [corner for corner, digest in found.cards.items() if cards.get(corner, digest) != digest]
    if others:
        console.remark(
            f"not kept in {path}: the table was measured with other cards at {', '.join(others)} than these"
        )
        return False
    try:
        with_validation(table, found.records()).save(path)
    except TableError as error:
        console.remark(f"the validation is not kept in the table: {error}")
        return False
    return True


COMMANDS = (validate,)
