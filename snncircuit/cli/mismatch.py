"""``mismatch``: neurons whose transistors differ, drawn and measured in ngspice, beside what theory expects of their spread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncircuit.cli import console, given, spreads
from snncircuit.cli.measure import jobs_option, models_option, timeout_option
from snncircuit.cli.validation import chosen, some_values
from snncircuit.errors import CellError

if TYPE_CHECKING:
    from collections.abc import Callable

    from snncircuit.characterise.cell import NeuronCell
    from snncircuit.characterise.mismatch import Bench, Draws
    from snncircuit.characterise.run import Progress
    from snncircuit.spice.engine import EnginePool
    from snncircuit.table import TransferTable


@click.command(short_help="Measure neurons with mismatched transistors, for yield.")
@click.argument("table")
@click.option("--netlist", help="The neuron of the table; by default the shipped one of the table's name.")
@click.option("--draws", type=click.IntRange(2, 100_000), default=200, show_default=True, help="Neurons.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@click.option(
    "--vneg", callback=some_values, help="Negative supplies, V; the deepest of the table by default."
)
@click.option("--vdd", type=float, help="Positive supply, V.")
@click.option("--corner", help="Of the table.")
@click.option("--temperature", type=float, help="Of the table, degC.")
@click.option(
    "--mismatch",
    "cards",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Pelgrom's numbers; by default the .toml beside the transistor cards.",
)
@click.option(
    "--no-closed-form", is_flag=True, help="Do not measure what theory expects, two neurons a device."
)
@click.option(
    "--check",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Draws to hold against live ngspice along a train of charges.",
)
@click.option(
    "--steps", type=click.IntRange(1), default=100, show_default=True, help="Of the train of --check."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the table with the draws goes; into the given file by default.",
)
@models_option
@jobs_option
@timeout_option
@console.json_option
def mismatch(
    table: str,
    netlist: str | None,
    draws: int,
    seed: int,
    vneg: tuple[float, ...] | None,
    vdd: float | None,
    corner: str | None,
    temperature: float | None,
    cards: Path | None,
    no_closed_form: bool,
    check: int,
    steps: int,
    output: Path | None,
    models: Path | None,
    jobs: int,
    timeout: float,
    as_json: bool,
) -> None:
    """Draw neurons with mismatched transistors, measure each in ngspice, keep them in the TABLE (a .nc file, or a shipped name).

    Every transistor of a draw has a threshold and a current factor of its own. What sets the neuron apart is measured: the gains of
    excitation and inhibition, the threshold, the leak and the charge of the reset. ``snncircuit yield`` makes whole networks of them.
    """
    from snncircuit.characterise.run import Laboratory
    from snncircuit.cosim.validate import check_origin
    from snncircuit.spice.cache import SampleCache
    from snncircuit.spice.engine import EnginePool
    from snncircuit.spice.mismatch_cards import load_mismatch
    from snncircuit.table import TransferTable

    path = given.locate("neuron", table)
    loaded = given.table(table)
    neuron = given.cell(netlist or loaded.name)
    check_origin(loaded, neuron)
    known = load_mismatch(cards or _beside(neuron, models))
    axes = {"corner": corner, "temperature": temperature, "v_dd": vdd}
    points = _points(loaded, {a: v for a, v in axes.items() if v is not None}, vneg)
    found, kept = [], []
    with SampleCache() as cache, EnginePool(jobs, timeout) as pool:
        text = f"every finished simulation is kept in {cache.path}; repeat the same command to go on"
        with console.resumable(text), console.counter(f"mismatch of {neuron.name}") as show:
            for point in points:
                at = {point.corner: given.cards(neuron, models)(point.corner)}
                laboratory = Laboratory(cell=neuron, cards=at, pool=pool, cache=cache)
                bench = _bench(loaded, neuron, point, known, laboratory)
                drawn, report = _measure(bench, pool, draws, seed, not no_closed_form, check, steps, show)
                found.append(report)
                kept.append((point, drawn))
                version = laboratory.version
    # Read again: the file may have been written to while ngspice ran.
    result = TransferTable.load(path)
    for (point, drawn), report in zip(kept, found, strict=True):
        origin = {
            "seed": seed,
            "mismatch_sha256": known.sha256,
            "ngspice": version,
            "failed": report["failed"],
        }
        result = result.with_variation(
            {a: getattr(point, a) for a in ("corner", "temperature", "v_dd", "v_neg")}, drawn.values, origin
        )
    result.save(output or path)
    summary = {
        "name": loaded.name,
        "draws": draws,
        "seed": seed,
        "mismatch_sha256": known.sha256,
        "table": str(output or path),
        "points": found,
    }
    if as_json:
        console.emit(summary)
    else:
        spreads.show(summary)


def _beside(neuron: NeuronCell, models: Path | None) -> Path:
    path = models or neuron.models
    if path is None:
        msg = f"the cell {neuron.name} names no transistor cards, beside which their mismatch would lie; give --mismatch FILE"
        raise CellError(msg)
    return path.with_suffix(".toml")


def _points(
    table: TransferTable, wanted: Mapping[str, float | str], v_negs: tuple[float, ...] | None
) -> list[Any]:
    """One operating point for each v_neg, by default the deepest; other axes at what is wanted or nominal."""
    deepest = (min(p["v_neg"] for p in table.points()),)
    found = []
    for v_neg in v_negs or deepest:
        at = table.at(**wanted, v_neg=v_neg).point
        found += chosen(table, {axis: [value] for axis, value in at.items()})
    return found


def _bench(table: TransferTable, neuron: NeuronCell, point: Any, known: Any, laboratory: Any) -> Bench:
    from snncircuit.characterise.mismatch import Bench

    at = table.at(corner=point.corner, temperature=point.temperature, v_dd=point.v_dd, v_neg=point.v_neg)
    return Bench(table=at, cell=neuron, point=point, mismatch=known, laboratory=laboratory)


def _measure(
    bench: Bench,
    pool: EnginePool,
    n_draws: int,
    seed: int,
    closed_form: bool,
    n_held: int,
    steps: int,
    show: Callable[[str], None],
) -> tuple[Draws, dict[str, Any]]:
    from dataclasses import asdict

    from snncircuit.characterise.closed_form import pairs, sensitivity
    from snncircuit.characterise.mismatch import draw
    from snncircuit.cosim.mismatched import hold

    def told(what: str) -> Callable[[Progress], None]:
        where = f"v_neg {bench.point.v_neg:g} V"
        return lambda p: show(f"{where}, {p.wanted - 1} {what}: {p.points} samples, {p.reused} reused")

    drawn = draw(bench, n_draws, seed, told("draws"))
    report = {**asdict(bench.point), **spreads.spread(drawn)}
    if closed_form:
        theory = sensitivity(bench, told("single deviations"))
        report["closed_form"] = spreads.comparison(drawn, theory, pairs(bench, pool))
    if n_held:
        first = list(zip(drawn.numbers, drawn.values, strict=True))[:n_held]
        train = hold(bench, first, seed=seed, n_steps=steps, progress=lambda k, n: show(f"{k}/{n} trains"))
        report["held"] = [asdict(h) for h in train]
    return drawn, report


COMMANDS = (mismatch,)
