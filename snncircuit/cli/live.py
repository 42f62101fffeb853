"""``run --live``: a network some of whose neurons are ngspice."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.decorators import FC

from snncircuit.cli import console, given

if TYPE_CHECKING:
    from snncircuit.cosim.live_account import LockStep
    from snncircuit.network.outcome import Record

_PLACE = re.compile(r"\s*(\w+):(\d+)\s*")


def _places(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> dict[str, tuple[int, ...]] | None:
    if text is None:
        return None
    found: dict[str, tuple[int, ...]] = {}
    for part in text.split(","):
        place = _PLACE.fullmatch(part)
        if place is None:
            msg = f"{part!r} in {text!r} is no LAYER:INDEX such as conv2:5; several are separated by commas"
            raise click.BadParameter(msg)
        found[place[1]] = (*found.get(place[1], ()), int(place[2]))
    return found


def live_options(command: FC) -> FC:
    """The options of ``run`` that make neurons live."""
    options: tuple[Callable[[FC], FC], ...] = (
        click.option(
            "--live",
            callback=_places,
            metavar="LAYER:INDEX[,…]",
            help="These neurons are ngspice, step by step; INDEX counts channel, row, column. Needs a circuit neuron.",
        ),
        click.option(
            "--netlist", help="Of live neurons: the circuit; by default the shipped one of the table's name."
        ),
        click.option(
            "--models",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Of live neurons: transistor cards; those that the cell names by default.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(1),
            default=60.0,
            show_default=True,
            help="Seconds for one step of a live neuron.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def lockstep(
    network: str,
    live: Record,
    *,
    neuron: str,
    netlist: str | None,
    models: Path | None,
    timeout: float,
    steps: int,
    images: int,
    vneg: float | None,
    vdd: float | None,
    corner: str,
    temperature: float,
    pump_efficiency: float,
    encoder: str,
    engine: str,
    synapse_levels: int | None,
    float_weights: bool,
    early_exit: int | None,
    seed: int,
    max_out_of_range: float,
    **_of_ideal_neurons: Any,
) -> LockStep:
    """What ``snncircuit run --live`` runs; options as there.

    Raises:
        SnnCircuitError: when the network, the neuron, its circuit or the images cannot be used, or a live neuron fails.
        click.BadParameter: for options that a live run does not have.
    """
    from snncircuit.cosim.lockstep import run_lockstep
    from snncircuit.cosim.validate import check_origin
    from snncircuit.neuron.circuit import CircuitNeuron
    from snncircuit.spice.cache import SampleCache

    if neuron == given.IDEAL:
        msg = "live neurons need a circuit: give --neuron NAME of one, such as nmp_clocked"
        raise click.BadParameter(msg, param_hint="--live")
    if early_exit is not None:
        raise click.BadParameter("live neurons run all steps; leave out --early-exit", param_hint="--live")
    if engine not in ("auto", "reference"):
        msg = f"live neurons run on the reference engine, step by step; leave out --engine {engine}"
        raise click.BadParameter(msg, param_hint="--live")
    at = given.population(
        neuron,
        v_neg=vneg,
        v_dd=vdd,
        corner=corner,
        temperature=temperature,
        pump_efficiency=pump_efficiency,
    )
    assert isinstance(at.neuron, CircuitNeuron)
    table = given.table(neuron)
    cell = given.cell(netlist or table.name)
    check_origin(table, cell)
    converted, description, data = given.material(network, images, synapse_levels, float_weights)
    label = f"{description.name}, {sum(map(len, live.values()))} live {cell.name} neurons"
    with SampleCache() as cache, console.progress(label) as report:
        kept = f"every finished step is kept in {cache.path}; repeat the same command to go on"
        with console.resumable(kept):
            return run_lockstep(
                converted,
                at.neuron,
                live,
                cell,
                given.cards(cell, models),
                data.images,
                given.targets(description, data),
                cache=cache,
                steps=steps,
                encoder=encoder,
                seed=seed,
                max_out_of_range=max_out_of_range,
                rails=at.rails,
                settings={**at.settings, **given.origin(network, data)},
                timeout=timeout,
                progress=report,
            )
