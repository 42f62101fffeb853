"""The commands of the SPICE half, on a table that nobody needs to measure."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from snncircuit import shipped
from snncircuit.characterise import run
from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import OperatingPoint
from snncircuit.cli import given, main, summaries
from snncircuit.errors import CellError
from snncircuit.reference import ideal_table
from snncircuit.table import TransferTable

INSPECTED = {
    "threshold",
    "threshold_charge",
    "lowest_membrane",
    "holes",
    "one_step_memory",
    "form",
    "form_error",
}


def test_inspect_gives_every_promised_key_at_the_top_and_per_point(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(table), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert INSPECTED | {"provenance", "points"} <= found.keys()
    assert [point["v_neg"] for point in found["points"]] == [0.0, -0.9, -1.8]
    assert all(point.keys() >= INSPECTED for point in found["points"])
    assert found["lowest_membrane"] == -1.8
    assert found["provenance"]["title"] == "the ideal neuron"


def test_inspect_for_people_shows_one_line_per_operating_point(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(table)]) == 0
    out = capsys.readouterr().out
    assert [
        line.split()[0] for line in out.splitlines() if line.startswith("  -") or line.startswith("  0")
    ] == [
        "0",
        "-0.9",
        "-1.8",
    ]
    assert "the ideal neuron" in out
    assert "no calibration on record" in out.splitlines()[-1]


def test_inspect_says_on_what_a_table_was_calibrated(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = TransferTable.load(table)
    made = {**loaded.provenance, "calibration": {"trains": 3, "steps": 70, "idle": 5, "seed": 9}}
    replace(loaded, dataset=loaded.dataset.assign_attrs(provenance=json.dumps(made))).save(tmp_path / "t.nc")
    assert main(["inspect", str(tmp_path / "t.nc")]) == 0
    out = capsys.readouterr().out
    assert out.endswith(
        "calibrated at each operating point on 3 trains of 70 steps and 5 steps without input, seed 9\n"
    )


def test_inspect_draws_when_asked(table: Path, tmp_path: Path) -> None:
    assert main(["inspect", str(table), "--json", "--plot", str(tmp_path / "step.png")]) == 0
    assert (tmp_path / "step.png").read_bytes().startswith(b"\x89PNG")


def test_inspect_names_holes_and_their_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    found = summaries.inspection(
        TransferTable.from_points(
            "ideal", [ideal_table(-0.9)], {"ngspice": "none", "snncircuit": "0", "title": "one"}
        )
    )
    found["points"][0]["reasons"] = ["timestep too small"]
    summaries.show_inspection("ideal", found)
    assert "hole at v_neg -0.9 V: timestep too small" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["inspect", "absent.nc"], "no table absent.nc"),
        (["inspect", "absent"], "no neuron table called 'absent' ships with snncircuit; shipped: "),
        (["characterise", "absent"], "no neuron netlist called 'absent' ships with snncircuit; shipped: "),
        (["characterise", "./absent"], "absent"),
    ],
)
def test_what_is_not_there_is_told_in_one_paragraph(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.count("\n") == 1


@pytest.fixture
def simulator(table: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, list[object]]]:
    """In place of ngspice: measures the ideal neuron whatever it is given."""
    asked: list[tuple[object, list[object]]] = []

    def characterise(neuron: object, cards: object, points: list[object], **tools: object):  # type: ignore[no-untyped-def]
        asked.append((neuron, points))
        tools["progress"](run.Progress(points=7, reused=3, finished=1, wanted=len(points)))  # type: ignore[operator]
        return TransferTable.load(table), run.Report(points=7, reused=3, holes=0, seconds=1.5)

    monkeypatch.setattr(run, "characterise", characterise)
    return asked


def test_characterise_measures_every_combination_and_reports_what_it_took(
    simulator: list[tuple[object, list[OperatingPoint]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["characterise", "nmp_clocked", "--vneg", "0,-0.9", "--corner", "tt, ss", "--jobs", "1"]
    path = tmp_path / "new" / "t.nc"
    assert main([*words, "-o", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"points": 7, "reused": 3, "holes": 0, "seconds": 1.5, "table": str(path)}
    assert TransferTable.load(path).name == "ideal"
    ((neuron, points),) = simulator
    assert isinstance(neuron, NeuronCell)
    assert [(p.corner, p.v_neg, p.v_dd, p.temperature) for p in points] == [
        ("tt", 0.0, 1.8, 27.0),
        ("tt", -0.9, 1.8, 27.0),
        ("ss", 0.0, 1.8, 27.0),
        ("ss", -0.9, 1.8, 27.0),
    ]
    assert main([*words, "-o", str(path), "--quick"]) == 0
    assert "4 operating points from 7 samples, 3 of them reused, 0 holes, 1.5 s" in capsys.readouterr().out
    coarse = simulator[1][0]
    assert isinstance(coarse, NeuronCell)
    assert set(coarse.range.q_common) < set(neuron.range.q_common)
    assert coarse.range.q_common[-1] == neuron.range.q_common[-1]


def test_ctrl_c_while_measuring_says_that_samples_are_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "characterise", interrupt)
    assert main(["characterise", "nmp_clocked", "--vneg", "0"]) == 130
    assert re.search(
        r"every finished sample is kept in .*sqlite; repeat the same command", capsys.readouterr().err
    )


def test_a_cell_without_cards_asks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    neuron = replace(given.cell("nmp_clocked"), models=None)
    with pytest.raises(
        CellError, match=r"names no transistor cards; give --models FILE \(shipped: .*generic180"
    ):
        given.cards(neuron, None)
    assert "tt" in given.cards(neuron, shipped.find("devices", "generic180"))("tt").corner


def test_doctor_tells_what_is_missing_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SNNCIRCUIT_NGSPICE", "none")
    assert main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.keys() >= {"ngspice", "library", "self_test"}
    assert said["ngspice"] is None
    assert main(["doctor"]) == 0
    assert "apt-get install" in capsys.readouterr().out


def test_without_ngspice_characterising_is_refused_in_one_paragraph(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SNNCIRCUIT_NGSPICE", "none")
    assert main(["characterise", "nmp_clocked", "--vneg", "0"]) == 2
    err = capsys.readouterr().err
    assert "no ngspice" in err
    assert "Traceback" not in err
