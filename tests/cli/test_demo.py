"""``demo``, on a small house of its own: two tiny networks, an ideal table in place of the circuit's."""

import json
import shutil
from pathlib import Path

import pytest

from snncircuit import shipped
from snncircuit.cli import demo, given, main, measure, summaries
from snncircuit.spice import doctor
from snncircuit.spice.doctor import Diagnosis


@pytest.fixture(autouse=True)
def house(
    tmp_path: Path, classifier: Path, autoencoder: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    networks, neurons = tmp_path / "models" / "networks", tmp_path / "models" / "neurons"
    networks.mkdir(parents=True)
    neurons.mkdir()
    for source, name in ((classifier, "mnist-cnn"), (autoencoder, "mnist-autoencoder")):
        for suffix in (".toml", ".safetensors"):
            shutil.copy(source.with_suffix(suffix), networks / (name + suffix))
    shutil.copy(table, neurons / "nmp_clocked.nc")
    (tmp_path / "models" / "samples").symlink_to(shipped.root() / "models" / "samples")
    monkeypatch.setattr(shipped, "root", lambda: tmp_path)
    monkeypatch.setattr(demo, "SUPPLIES", (0.0, demo.DEEPEST))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_ngspice_the_demo_runs_from_the_shipped_table_and_says_so(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SNNCIRCUIT_NGSPICE", "none")
    assert main(["demo", "--images", "2", "--steps", "4"]) == 0
    out, err = capsys.readouterr()
    assert "no ngspice here: going on with the shipped table" in err
    for path in ("nmp_clocked.nc", "sweep.nc", "sweep.png"):
        assert path in out
    assert (house / "snncircuit-demo" / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_with_ngspice_the_demo_measures_runs_sweeps_and_validates(
    house: Path, table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(neuron: object, points: list[object], *, path: Path, **_: object) -> dict[str, int]:
        shutil.copy(table, path)
        return {"points": 9, "reused": 0, "holes": 0, "seconds": 1}

    agreeing = {
        "v_neg": -1.8,
        "teacher_forced": {"v_mem_rmse": 0.001, "bias": 0.0, "spikes_disagreeing": 0.0},
        "free_running": {"spikes_matched": 1.0, "spike_count_error": 0.0, "n_spikes": 10},
        "energy_error": 0.01,
        "energy_error_by_supply": {"vdd": 0.01},
        "failures": [],
    }
    monkeypatch.setattr(given, "cell", lambda word: None)
    monkeypatch.setattr(given, "coarse", lambda neuron: neuron)
    monkeypatch.setattr(measure, "measure", measured)
    monkeypatch.setattr(measure, "check", lambda *a, **k: summaries.agreement([agreeing]))
    found = Diagnosis(ngspice="ngspice-39", library="lib", kind="library", ok=True, self_test="passed")
    monkeypatch.setattr(doctor, "doctor", lambda: found)

    assert main(["demo", "--images", "2", "--steps", "4", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["characterise"]["points"] == 9
    assert said["validate"]["energy_error"] == 0.01
    assert [point["v_neg"] for point in said["points"]] == list(demo.SUPPLIES)
    assert [run["settings"]["neuron"] for run in said["runs"]] == ["ideal", "ideal", "ideal", "ideal"]
    assert Path(said["dataset"]).is_file()
    assert main(["demo", "--images", "2", "--steps", "4"]) == 0  # of the sweep, everything is there
    assert "against live ngspice" in capsys.readouterr().out
