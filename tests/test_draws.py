"""A table keeps mismatched neurons and its nominal point, and a table without them is as it always was."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snncircuit.errors import TableError
from snncircuit.reference import ideal_table
from snncircuit.table import VARIATION, OperatingTable, TransferTable

ORIGIN = {"seed": 3, "mismatch_sha256": "00", "ngspice": "none", "failed": 0}


def at(**point: float | str) -> OperatingTable:
    table = ideal_table(-0.9)
    return replace(table, point={"corner": "tt", "temperature": 27.0, "v_dd": 1.8, "v_neg": -0.9, **point})


@pytest.fixture
def table() -> TransferTable:
    return TransferTable.from_points("ideal", [at(), at(v_neg=0.0)], {})


def draws(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.9, 1.1, (n, 5))


def test_draws_come_back_as_they_went_in_at_their_point_alone(table: TransferTable, tmp_path: Path) -> None:
    varied = table.with_variation({"v_neg": -0.9}, draws(6), ORIGIN)
    varied.save(tmp_path / "t.nc")
    again = TransferTable.load(tmp_path / "t.nc")
    assert again.dataset.identical(varied.dataset)
    np.testing.assert_array_equal(again.at(v_neg=-0.9).variation, draws(6))
    assert again.at(v_neg=0.0).variation is None
    assert [str(n) for n in again.dataset["parameter"].values] == list(VARIATION)
    assert '"seed": 3' in again.dataset["variation"].attrs["origin"]


def test_points_may_have_other_numbers_of_draws_and_new_ones_replace_the_old(table: TransferTable) -> None:
    varied = table.with_variation({"v_neg": -0.9}, draws(6), ORIGIN).with_variation(
        {"v_neg": 0.0}, draws(2, 1), ORIGIN
    )
    assert varied.dataset.sizes["draw"] == 6
    np.testing.assert_array_equal(varied.at(v_neg=-0.9).variation, draws(6))
    np.testing.assert_array_equal(varied.at(v_neg=0.0).variation, draws(2, 1))
    fewer = varied.with_variation({"v_neg": -0.9}, draws(1, 2), ORIGIN)
    assert fewer.dataset.sizes["draw"] == 2
    np.testing.assert_array_equal(fewer.at(v_neg=-0.9).variation, draws(1, 2))


def test_a_table_without_draws_has_none(table: TransferTable, tmp_path: Path) -> None:
    table.save(tmp_path / "t.nc")
    loaded = TransferTable.load(tmp_path / "t.nc")
    assert "variation" not in loaded.dataset
    assert loaded.at(v_neg=0.0).variation is None
    with pytest.raises(TableError, match="was not measured at v_neg"):
        table.with_variation({"v_neg": -1.0}, draws(2), ORIGIN)


@pytest.mark.parametrize("value", [np.inf, -0.5, np.nan])
def test_draws_that_no_measurement_gives_are_refused(
    table: TransferTable, tmp_path: Path, value: float
) -> None:
    values = draws(3)
    varied = table.with_variation({"v_neg": -0.9}, values, ORIGIN)
    spoilt = varied.dataset.copy(deep=True)
    spoilt["variation"].values[0, 0, 0, 1, 1, 2] = value
    TransferTable(dataset=spoilt).save(tmp_path / "t.nc")
    with pytest.raises(TableError, match="variation holds draws that no measurement gives"):
        TransferTable.load(tmp_path / "t.nc")


def test_draws_of_other_parameters_or_axes_are_refused(table: TransferTable, tmp_path: Path) -> None:
    varied = table.with_variation({"v_neg": -0.9}, draws(3), ORIGIN).dataset
    path = tmp_path / "t.nc"
    renamed = varied.assign_coords(parameter=("parameter", np.array(["a", *VARIATION[1:]], dtype=object)))
    for wrong, told in (
        (renamed, "expected a variation of the parameters gain_exc, gain_inh, threshold, leak, reset"),
        (varied.isel(parameter=slice(4)), "with 5 parameters; found .*, with 4"),
        (varied.rename({"draw": "chip"}), "expected variable variation on axes .*, draw, parameter"),
    ):
        TransferTable(dataset=wrong).save(path)
        with pytest.raises(TableError, match=told):
            TransferTable.load(path)


def test_axes_that_are_not_named_are_taken_at_the_point_around_which_the_table_lies(tmp_path: Path) -> None:
    around = [at(), at(corner="ss"), at(temperature=85.0), at(v_dd=1.62), at(v_dd=1.98)]
    full = TransferTable.from_points("grid", around, {})
    with pytest.raises(TableError, match=r"measured at several v_dd: name one of 1\.62, 1\.8, 1\.98"):
        full.at()
    star = TransferTable.from_points("star", around, {}, dict(around[0].point))
    star.save(tmp_path / "t.nc")
    again = TransferTable.load(tmp_path / "t.nc")
    assert again.nominal == dict(around[0].point)
    assert dict(again.at().point) == dict(around[0].point)
    assert again.at(corner="ss").point["v_dd"] == 1.8
    assert again.at(v_dd=1.62).point["corner"] == "tt"
    with pytest.raises(TableError, match="not measured at ss, 85 degC"):
        again.at(corner="ss", temperature=85.0)
