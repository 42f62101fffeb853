"""What a table remembers of its validation survives its file, point by point, and is never taken for what it is not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from snncircuit.errors import TableError
from snncircuit.reference import ideal_table
from snncircuit.table import TransferTable
from snncircuit.table.validation import remembered, validated, validation, with_validation

PROVENANCE = {"ngspice": "none", "snncircuit": "0", "title": "the ideal neuron"}
LABEL = "tt, 27 degC, v_dd 1 V, v_neg {} V"
RECORD = {
    "v_mem_rmse": 1e-3,
    "bias": -1e-5,
    "spikes_matched": 0.99,
    "spike_count_error": 0.0,
    "energy_error": 0.01,
    "within_bars": True,
}


@pytest.fixture
def table() -> TransferTable:
    return TransferTable.from_points("ideal", [ideal_table(v) for v in (0.0, -0.9)], PROVENANCE)


def test_a_table_was_never_validated_until_it_was(table: TransferTable) -> None:
    assert validation(table) == {}
    assert remembered(table, table.points()[0]) == {"table_validated": "never"}


def test_the_record_of_a_point_survives_the_file_and_the_next_validation_of_another(
    table: TransferTable, tmp_path: Path
) -> None:
    first = with_validation(table, {LABEL.format("0"): RECORD})
    first.save(tmp_path / "t.nc")
    loaded = TransferTable.load(tmp_path / "t.nc")
    outside = {**RECORD, "within_bars": False, "bias": None}
    second = with_validation(loaded, {LABEL.format("-0.9"): outside})
    top, deep = table.points()
    assert validated(second, top) == RECORD
    assert validated(second, deep) == outside
    assert remembered(second, top)["table_validated"] == "within the bars"
    assert remembered(second, top)["table_v_mem_rmse"] == 1e-3
    assert remembered(second, deep)["table_validated"] == "outside the bars"
    assert remembered(second, deep)["table_bias"] is None
    assert table.dataset.drop_attrs().identical(second.dataset.drop_attrs())


def test_the_same_validation_gives_the_same_bytes(table: TransferTable, tmp_path: Path) -> None:
    records = {LABEL.format("0"): RECORD, LABEL.format("-0.9"): RECORD}
    backwards = {name: dict(reversed(list(r.items()))) for name, r in reversed(list(records.items()))}
    for name, given in (("a.nc", records), ("b.nc", backwards)):
        with_validation(table, given).save(tmp_path / name)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"a": 1}', "[" * 5000, json.dumps({"a": {"b": "x" * 2**20}}), 7]
)
def test_an_attribute_that_is_no_record_is_refused(table: TransferTable, text: object) -> None:
    spoilt = replace(table, dataset=table.dataset.assign_attrs(validation=text))
    with pytest.raises(
        TableError, match="table ideal: expected its attribute 'validation' to be a JSON object of objects"
    ):
        validation(spoilt)
