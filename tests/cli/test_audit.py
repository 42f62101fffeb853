"""``audit``, against the ngspice of this machine: a few steps of a few neurons."""

import json
from pathlib import Path
from typing import Any

import pytest

from snncircuit.cli import main
from snncircuit.cli.audit_text import show_audit
from snncircuit.errors import EngineMissingError
from snncircuit.network.run_file import load_run, save_run
from snncircuit.spice.discovery import find_ngspice

FIGURES = {"spikes_matched", "spike_count_error", "energy_error", "v_mem_rmse", "bias", "confidence"}
STEPS = 8


@pytest.fixture
def ngspice() -> None:
    try:
        find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def made(classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run.nc"
    words = ["run", str(classifier), "--neuron", "nmp_clocked", "--vneg", "-1.8", "--images", "3"]
    assert main([*words, "--steps", str(STEPS), "--max-out-of-range", "1", "-o", str(path)]) == 0
    return path


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any], str]:
    capsys.readouterr()
    code = main(["audit", *words, "--jobs", "1", "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


@pytest.mark.ngspice
def test_neurons_of_a_run_are_held_against_spice_and_a_repeated_audit_runs_nothing(
    ngspice: None, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "worst.png"
    words = [str(made), "--neurons", "3", "--images", "2"]
    code, found, err = said(words, capsys)
    met = all(bar["met"] for bar in found["bars"].values())
    assert code == (0 if met else 2)
    assert ("are not what ngspice makes of the circuit at tt" in err) == (not met)
    assert found.keys() >= FIGURES | {"layers", "neurons", "worst", "bars", "settings"}
    assert all(layer.keys() >= FIGURES for layer in found["layers"].values())
    # What does not hang on where a membrane drifts to in the long run holds after a few steps.
    assert found["v_mem_rmse"] < 0.002
    assert found["energy_error"] < 0.02
    assert found["n_steps"] == 3 * STEPS
    assert len(found["neurons"]) == 3
    assert {n["image"] for n in found["neurons"]} <= set(found["settings"]["images"])
    assert found["circuit"] == {}
    assert found["repetition"]["steps_with_other_spikes"] == 0
    assert found["settings"]["reused"] == 0

    again, repeated, _ = said(words, capsys)
    assert again == code
    assert repeated["settings"].pop("reused") == 3
    del found["settings"]["reused"]
    assert repeated == found

    assert main(["audit", *words, "--jobs", "1", "--plot", str(picture)]) == code
    out = capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert str(picture) in out
    assert f"spikes matched {100 * found['spikes_matched']:.3g} %, at least 99 %: " in out
    found["bars"] = {"bias": {"limit": 2e-5, "found": 3e-5, "met": True}}
    show_audit(found | {"confidence": None})
    assert (
        "bias 0.003 %, at most 0.002 %: not to be told from it with so few neurons" in capsys.readouterr().out
    )


@pytest.mark.ngspice
def test_another_corner_and_temperature_are_told_and_found_out(
    ngspice: None, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(made), "--neurons", "2", "--images", "1", "--corner", "ss", "--temperature", "85"]
    code, found, err = said(words, capsys)
    assert code == 2
    assert found["circuit"].keys() == {"cards", "temperature"}
    told = " ".join(err.split())
    assert "ngspice runs other cards, corner ss of" in told
    assert "ngspice runs other temperature, expected 27 degC, found 85 degC" in told
    assert "are not what ngspice makes of the circuit at ss, 85 degC, v_dd 1.8 V, v_neg -1.8 V: " in told

    assert main(["audit", *words, "--jobs", "1"]) == 2
    out = capsys.readouterr().out
    assert "nmp_clocked neurons at VNEG -1.8 V, 8 steps, against live ngspice at ss, 85 degC" in out
    assert ": missed" in out
    assert "worst by free-running rms difference of the membrane: " in out


def test_a_run_of_ideal_neurons_has_nothing_to_audit(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ideal.nc"
    assert main(["run", str(classifier), "--images", "1", "--steps", "1", "-o", str(path)]) == 0
    assert main(["audit", str(path)]) == 2
    assert "a Run of ideal neurons has no circuit behind it" in capsys.readouterr().err


@pytest.mark.parametrize("changed", ["network", "table", "images"])
def test_what_is_not_what_made_the_run_is_refused_before_anything_is_simulated(
    changed: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, path = load_run(made), tmp_path / "other.nc"
    run.settings[f"{changed}_sha256"] = "aa"  # type: ignore[index]
    save_run(run, path)
    capsys.readouterr()
    assert main(["audit", str(path), "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "is not the one of the Run: expected SHA-256 aa, found" in err


def test_a_run_of_before_and_a_file_that_is_none_are_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, path = load_run(made), tmp_path / "before.nc"
    del run.settings["table_sha256"]  # type: ignore[attr-defined]
    save_run(run, path)
    for words, told in (
        ([str(path)], "the Run does not say what made it"),
        ([str(tmp_path / "absent.nc")], "no such file; expected a Run written by snncircuit run -o"),
        ([str(made), "--table", "nmp"], "is not the one of the Run"),
        ([str(made), "--netlist", "absent"], "no neuron netlist called 'absent' ships"),
        ([str(made), "--corner", "tf"], "tf"),
    ):
        capsys.readouterr()
        assert main(["audit", *words]) == 2
        assert told in capsys.readouterr().err
