"""The circuit that ngspice runs to check a table: the one that the table was measured from, or another that was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import OperatingPoint
from snncircuit.errors import TableError
from snncircuit.spice.netlist import ModelCards, check_models
from snncircuit.table import OperatingTable, TransferTable

CHANGEABLE = ("netlist", "cards", "temperature")
"""What may be another one than that of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What ngspice is to run.

    Attributes:
        cell: the neuron.
        cards: of the corner.
        point: where.
        differences: those of ``CHANGEABLE`` that are not what the table was measured with, each with what was expected and found.
    """

    cell: NeuronCell
    cards: ModelCards
    point: OperatingPoint
    differences: Mapping[str, str]


def circuit_behind(
    table: TransferTable,
    at: OperatingTable,
    cell: NeuronCell,
    cards: Callable[[str], ModelCards],
    *,
    corner: str | None = None,
    temperature: float | None = None,
    changed: Collection[str] = (),
) -> Circuit:
    """The circuit of a table at one of its operating points, held against the table's provenance.

    Args:
        table: with its provenance.
        at: the operating point.
        cell: the neuron that the table claims to be.
        cards: those of a corner.
        corner: in place of that of the operating point; then the cards are other ones on purpose.
        temperature: degC, likewise.
        changed: those of ``CHANGEABLE`` that are other ones on purpose.

    Raises:
        TableError: when something differs that was not changed on purpose.
        NetlistError: when the cards have no such corner, or lack a model of the neuron.
    """
    own = OperatingPoint(**at.point)
    point = replace(
        own,
        corner=own.corner if corner is None else corner,
        temperature=own.temperature if temperature is None else temperature,
    )
    chosen = cards(point.corner)
    check_models(cell.netlist, chosen)
    measured = table.provenance
    found: dict[str, str] = {}
    netlist = hashlib.sha256(cell.netlist.text.encode()).hexdigest()
    if netlist != measured.get("netlist"):
        place = cell.netlist.path or cell.name
        found["netlist"] = f"{place}: expected SHA-256 {measured.get('netlist')}, found {netlist}"
    recorded = measured.get("cards", {}).get(own.corner)
    if point.corner != own.corner:
        found["cards"] = f"corner {point.corner} of {chosen.path}: expected corner {own.corner}"
    elif recorded != chosen.sha256:
        found["cards"] = (
            f"corner {point.corner} of {chosen.path}: expected SHA-256 {recorded}, found {chosen.sha256}"
        )
    if point.temperature != own.temperature:
        found["temperature"] = f"expected {own.temperature:g} degC, found {point.temperature:g} degC"
    asked = {*changed} | ({"cards"} if corner is not None else set()) | {"temperature"}
    strange = [f"other {name}, {text}" for name, text in found.items() if name not in asked]
    if strange:
        msg = (
            f"table {table.name} was measured from another circuit than the one that ngspice would run: {'; '.join(strange)}; "
            "characterise the neuron again, or name the circuit"
        )
        raise TableError(msg)
    return Circuit(cell=cell, cards=chosen, point=point, differences=found)
