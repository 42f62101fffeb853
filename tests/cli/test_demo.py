"""``demo``, on a small house of its own: two tiny networks, an ideal table in place of the circuit's."""

import json
import shutil
from pathlib import Path

import pytest

from snncircuit import shipped
from snncircuit.characterise.drive import Drive, Sample
from snncircuit.cli import agreements, demo, given, main, measure, validation
from snncircuit.cosim.agreement import errors_of, pool
from snncircuit.reference import ideal_table
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

    silence = Drive(v_mem=0.0, q_exc=(0.0, 0.0), q_inh=(0.0, 0.0))
    quiet = Sample(v_mem=(0.0, 0.0, 0.0), spikes=(0, 0), energy=((0.0, 0.0),))
    agreeing = pool([errors_of(ideal_table(-1.8), silence, quiet)]).to_json()
    monkeypatch.setattr(given, "cell", lambda word: None)
    monkeypatch.setattr(given, "coarse", lambda neuron: neuron)
    monkeypatch.setattr(measure, "measure", measured)
    monkeypatch.setattr(validation, "check", lambda *a, **k: agreements.agreement([agreeing]))
    found = Diagnosis(ngspice="ngspice-39", library="lib", kind="library", ok=True, self_test="passed")
    monkeypatch.setattr(doctor, "doctor", lambda: found)

    assert main(["demo", "--images", "2", "--steps", "4", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["characterise"]["points"] == 9
    assert said["validate"]["within_bars"] is True
    assert [point["v_neg"] for point in said["points"]] == list(demo.SUPPLIES)
    assert [run["settings"]["neuron"] for run in said["runs"]] == ["ideal", "ideal", "ideal", "ideal"]
    assert Path(said["dataset"]).is_file()
    assert main(["demo", "--images", "2", "--steps", "4"]) == 0  # of the sweep, everything is there
    assert "against live ngspice" in capsys.readouterr().out
