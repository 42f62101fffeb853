"""A table keeps what it was given, names what it lacks, and refuses what it cannot read."""

from dataclasses import replace
from pathlib import Path

import h5netcdf
import numpy as np
import pytest

from snncircuit.errors import TableError
from snncircuit.reference import ideal_table
from snncircuit.table import FIGURES, HOLE, SHEETS, OperatingTable, TransferTable


def at(v_neg: float, **figures: float) -> OperatingTable:
    table = ideal_table(v_neg)
    return replace(table, figures={**table.figures, **figures})


@pytest.fixture
def table() -> TransferTable:
    return TransferTable.from_points("ideal", [at(0.0), at(-0.5), at(-1.0)], {"ngspice": "none"})


def test_a_saved_table_reads_back_the_same(table: TransferTable, tmp_path: Path) -> None:
    table.save(tmp_path / "t.nc")
    again = TransferTable.load(tmp_path / "t.nc")
    assert again.dataset.identical(table.dataset)
    assert again.name == "ideal"
    assert again.provenance == {"ngspice": "none"}


def test_the_same_table_gives_the_same_bytes(table: TransferTable, tmp_path: Path) -> None:
    for name in ("a.nc", "b.nc"):
        table.save(tmp_path / name)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


@pytest.mark.parametrize("v_neg", [0.0, -0.5, -1.0])
def test_every_operating_point_comes_back_as_it_went_in(table: TransferTable, v_neg: float) -> None:
    given, found = at(v_neg), table.at(v_neg=v_neg)
    for sheet in SHEETS:
        np.testing.assert_array_equal(getattr(found, sheet), getattr(given, sheet))
    assert found.figures == given.figures
    assert found.supplies == given.supplies
    assert dict(found.point) == dict(given.point)


def test_points_that_were_not_measured_are_named(table: TransferTable) -> None:
    with pytest.raises(
        TableError, match=r"table ideal was not measured at v_neg = -0\.3; it holds 0, -0\.5, -1"
    ):
        table.at(v_neg=-0.3)
    with pytest.raises(TableError, match=r"measured at several v_neg: name one of 0, -0\.5, -1"):
        table.at()
    with pytest.raises(TableError, match=r"no axis \['vneg'\]; it has corner, temperature, v_dd, v_neg"):
        table.at(vneg=-0.5)


def test_a_combination_outside_the_grid_is_empty() -> None:
    other = at(-0.5)
    warm = replace(other, point={**other.point, "temperature": 85.0}, reasons=("cold solder",))
    table = TransferTable.from_points("two", [at(0.0), warm], {})
    assert len(table.points()) == 2
    assert table.at(v_neg=-0.5, temperature=85.0).reasons == ("cold solder",)
    with pytest.raises(
        TableError, match=r"not measured at tt, 27 degC, v_dd 1 V, v_neg -0\.5 V; it holds tt, 27 degC"
    ):
        table.at(v_neg=-0.5, temperature=27.0)


def test_tables_of_different_grids_do_not_join() -> None:
    other = ideal_table(-1.0)
    other = replace(other, edge=other.edge[:, :1])
    with pytest.raises(TableError, match="cannot join operating points of x: edge has shape"):
        TransferTable.from_points("x", [at(0.0), other], {})


def test_holes_are_counted() -> None:
    table = at(0.0)
    state = table.state.copy()
    state[0, 0, :2] = HOLE
    assert replace(table, state=state).holes == 2
    assert replace(table, state=np.zeros_like(state)).filled == state.size


def test_an_absent_or_truncated_or_foreign_file_is_refused(table: TransferTable, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no table .*expected a \.nc file"):
        TransferTable.load(tmp_path / "no.nc")
    table.save(tmp_path / "t.nc")
    data = (tmp_path / "t.nc").read_bytes()
    for cut in (0, 10, len(data) // 3, len(data) // 2, len(data) - 200):
        (tmp_path / "cut.nc").write_bytes(data[:cut])
        with pytest.raises(TableError, match=r"cut\.nc"):
            TransferTable.load(tmp_path / "cut.nc")
    with h5netcdf.File(tmp_path / "foreign.nc", "w") as file:
        file.attrs["title"] = "weather"
    with pytest.raises(TableError, match=r"no transfer table: expected the attribute 'schema'"):
        TransferTable.load(tmp_path / "foreign.nc")


def test_a_newer_schema_is_refused(table: TransferTable, tmp_path: Path) -> None:
    TransferTable(dataset=table.dataset.assign_attrs(schema=2)).save(tmp_path / "t.nc")
    with pytest.raises(
        TableError, match="has table schema 2; this version of snncircuit reads schema 1: update snncircuit"
    ):
        TransferTable.load(tmp_path / "t.nc")


@pytest.mark.parametrize("variable", [*SHEETS, *FIGURES, "voltage"])
def test_a_table_that_lacks_a_variable_is_refused(
    table: TransferTable, tmp_path: Path, variable: str
) -> None:
    table.dataset.drop_vars(variable).to_netcdf(tmp_path / "t.nc", engine="h5netcdf")
    with pytest.raises(TableError, match=f"expected variable {variable} on axes"):
        TransferTable.load(tmp_path / "t.nc")


def test_a_table_with_values_that_are_not_finite_is_refused(table: TransferTable, tmp_path: Path) -> None:
    damaged = table.dataset.copy(deep=True)
    damaged["residual"][0, 0, 0, 1, 0, 0, 0] = np.nan
    TransferTable(dataset=damaged).save(tmp_path / "t.nc")
    with pytest.raises(TableError, match="residual holds values that are not finite"):
        TransferTable.load(tmp_path / "t.nc")


def test_axes_must_ascend_and_labels_must_exist(table: TransferTable, tmp_path: Path) -> None:
    TransferTable(dataset=table.dataset.assign_coords(q_common=[1.0, 2.0])).save(tmp_path / "t.nc")
    with pytest.raises(TableError, match="expected q_common to ascend from 0"):
        TransferTable.load(tmp_path / "t.nc")
    incomplete = table.dataset.copy()
    del incomplete.attrs["rest"]
    TransferTable(dataset=incomplete).save(tmp_path / "t.nc")
    with pytest.raises(TableError, match=r"incomplete table, missing \['rest'\]"):
        TransferTable.load(tmp_path / "t.nc")


def test_a_table_that_cannot_be_written_leaves_nothing(table: TransferTable, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="cannot write table"):
        table.save(tmp_path / "file" / "t.nc")
