"""A star of operating points varies one condition at a time, and leaves out what the neuron does not stand."""

import json
from pathlib import Path

import pytest

from snncircuit.characterise import run
from snncircuit.cli import given, main
from snncircuit.cli.star import star
from snncircuit.reference import ideal_table
from snncircuit.table import TransferTable


def test_a_star_has_one_arm_for_each_value_that_is_not_nominal(capsys: pytest.CaptureFixture[str]) -> None:
    nominal, points = star(
        given.cell("nmp_clocked"), ["ss", "tt", "ff"], [27.0, 85.0], [1.62, 1.8, 1.98], [-1.0, 0.0]
    )
    assert (nominal.corner, nominal.temperature, nominal.v_dd, nominal.v_neg) == ("tt", 27.0, 1.8, -1.0)
    assert points[0] == nominal
    assert len(points) == len(set(points)) == 2 * (1 + 2 + 1 + 2)
    for point in points:
        differing = [a for a in ("corner", "temperature", "v_dd") if getattr(point, a) != getattr(nominal, a)]
        assert len(differing) <= 1
    assert capsys.readouterr().err == ""


def test_the_first_value_is_nominal_where_none_is() -> None:
    nominal, _ = star(given.cell("nmp_clocked"), ["ss", "ff"], [85.0, 0.0], [1.7, 1.75], [-1.0])
    assert (nominal.corner, nominal.temperature, nominal.v_dd) == ("ss", 85.0, 1.7)


def test_supplies_that_the_neuron_does_not_stand_are_left_out_and_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, points = star(given.cell("nmp_clocked"), ["tt"], [27.0], [1.8, 1.98], [-1.8, 0.0])
    assert [(p.v_dd, p.v_neg) for p in points] == [(1.8, -1.8), (1.8, 0.0), (1.98, 0.0)]
    assert "left out v_dd 1.98 V at v_neg -1.8 V" in capsys.readouterr().err


def test_characterise_measures_the_star_and_says_around_which_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def characterise(neuron: object, cards: object, points: list[object], **tools: object):  # type: ignore[no-untyped-def]
        asked.append((points, tools["nominal"]))
        table = TransferTable.from_points("ideal", [ideal_table(-0.9)], {})
        return table, run.Report(points=1, reused=0, holes=0, seconds=0.0)

    monkeypatch.setattr(run, "characterise", characterise)
    words = ["characterise", "nmp_clocked", "--corner", "tt,ss", "--temperature", "27,85", "--vneg", "-1"]
    assert main([*words, "--one-at-a-time", "-o", str(tmp_path / "t.nc"), "--json"]) == 0
    assert main([*words, "-o", str(tmp_path / "t.nc"), "--json"]) == 0
    (points, nominal), (grid, none) = asked
    assert len(points) == 3
    assert points[0] == nominal
    assert len(grid) == 4
    assert none is None
    assert json.loads(capsys.readouterr().out.split("}\n{")[0] + "}")["points"] == 1
