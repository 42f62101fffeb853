"""ngspice runs the circuit that the table was measured from, unless another one was asked for."""

from dataclasses import replace
from pathlib import Path

import pytest

from snncircuit.characterise.cell import NeuronCell, load_cell
from snncircuit.cosim.circuit import circuit_behind
from snncircuit.errors import TableError
from snncircuit.reference import ideal_table
from snncircuit.shipped import find
from snncircuit.spice.cards import ModelCards, load_models
from snncircuit.table import OperatingTable, TransferTable


@pytest.fixture(scope="module")
def cell() -> NeuronCell:
    return load_cell(find("netlist", "nmp_clocked"))


@pytest.fixture(scope="module")
def table() -> TransferTable:
    return TransferTable.load(find("neuron", "nmp_clocked"))


@pytest.fixture(scope="module")
def at(table: TransferTable) -> OperatingTable:
    return table.at(v_dd=1.8, v_neg=-1.8)


def cards(corner: str) -> ModelCards:
    return load_models(find("devices", "generic180"), corner)


def test_the_circuit_of_a_shipped_table_is_the_shipped_one(
    table: TransferTable, at: OperatingTable, cell: NeuronCell
) -> None:
    found = circuit_behind(table, at, cell, cards)
    assert found.differences == {}
    assert found.cards.corner == found.point.corner == "tt"
    assert (found.point.v_dd, found.point.v_neg, found.point.temperature) == (1.8, -1.8, 27.0)


def test_another_corner_and_temperature_are_other_on_purpose(
    table: TransferTable, at: OperatingTable, cell: NeuronCell
) -> None:
    found = circuit_behind(table, at, cell, cards, corner="ss", temperature=85.0)
    assert (found.cards.corner, found.point.corner, found.point.temperature) == ("ss", "ss", 85.0)
    assert found.differences.keys() == {"cards", "temperature"}
    assert "corner ss of" in found.differences["cards"]
    assert found.differences["temperature"] == "expected 27 degC, found 85 degC"
    same = circuit_behind(table, at, cell, cards, corner="tt", temperature=27.0)
    assert same.differences == {}


def test_a_table_of_other_cards_is_refused_before_anything_runs(
    table: TransferTable, at: OperatingTable, cell: NeuronCell
) -> None:
    def slow(corner: str) -> ModelCards:
        return replace(cards("ss"), corner=corner)

    with pytest.raises(TableError) as caught:
        circuit_behind(table, at, cell, slow)
    told = str(caught.value)
    assert told.startswith(
        "table nmp_clocked was measured from another circuit than the one that ngspice would run: other cards, corner tt of "
    )
    assert f"expected SHA-256 {cards('tt').sha256}, found {cards('ss').sha256}" in told
    assert circuit_behind(table, at, cell, slow, changed=["cards"]).differences.keys() == {"cards"}
    # A table that calls itself tt but was measured with the cards of another corner.
    other = TransferTable.from_points("nmp_clocked", [ideal_table(-1.8)], {**table.provenance, "cards": {}})
    with pytest.raises(TableError, match="expected SHA-256 None, found"):
        circuit_behind(other, at, cell, cards)


def test_a_table_of_another_netlist_is_refused(
    table: TransferTable, at: OperatingTable, cell: NeuronCell, tmp_path: Path
) -> None:
    netlist = replace(cell.netlist, text=cell.netlist.text + "\n")
    other = replace(cell, netlist=netlist)
    with pytest.raises(TableError, match=r"other netlist, .*neuron\.cir: expected SHA-256 3e1c"):
        circuit_behind(table, at, other, cards)
    assert circuit_behind(table, at, other, cards, changed=["netlist"]).differences.keys() == {"netlist"}
