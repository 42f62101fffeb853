"""``run`` and ``sweep``."""

import json
from pathlib import Path

import pytest

from snncircuit.cli import main
from snncircuit.network.run import load_run

KEYS = {
    "engine",
    "accuracy",
    "ann_accuracy",
    "mse",
    "ann_mse",
    "spikes",
    "clipped_charge",
    "rate_rmse",
    "energy",
    "energy_terms",
    "out_of_range",
    "image_steps_per_second",
}


def test_run_gives_every_promised_key_and_keeps_the_run(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "run.nc"
    words = ["run", str(classifier), "--images", "3", "--steps", "4", "--v-lb", "-0.5"]
    assert main([*words, "-o", str(kept), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.keys() >= KEYS
    assert said["engine"] in {"dense", "reference", "event"}
    assert len(said["accuracy_by_step"]) == 4
    assert said["accuracy_by_step"][-1] == said["accuracy"]
    assert said["mse"] is None
    assert list(said["spikes"]) == list(said["clipped_charge"]) == list(said["rate_rmse"]) == ["fc1", "fc2"]
    assert min(said["v_low"].values()) >= -0.5
    assert load_run(kept).to_json() == said


def test_a_table_of_the_ideal_neuron_runs_as_the_ideal_neuron(
    autoencoder: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", str(autoencoder), "--images", "4", "--steps", "10", "--json"]
    assert main([*words, "--neuron", str(table), "--vneg", "-0.9"]) == 0
    circuit = json.loads(capsys.readouterr().out)
    assert main([*words, "--v-lb", "-0.9"]) == 0
    ideal = json.loads(capsys.readouterr().out)
    assert circuit["mse_by_step"] == ideal["mse_by_step"]
    assert circuit["spikes"] == ideal["spikes"]
    assert circuit["settings"]["v_neg"] == -0.9
    assert circuit["energy"] == pytest.approx(sum(circuit["energy_terms"].values()), rel=1e-9)
    assert ideal["energy"] is None


def test_run_for_people_names_neuron_supply_score_and_energy(
    autoencoder: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", str(autoencoder), "--images", "2", "--steps", "5"]
    assert main([*words, "--neuron", str(table), "--vneg", "-0.9"]) == 0
    out = capsys.readouterr().out
    assert "little, ideal neurons at VNEG -0.9 V, 2 images, 5 steps" in out
    assert "J per inference: " in out
    assert main(words) == 0
    assert "per inference: " not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--neuron", "TABLE"], "name one of 0, -0.9, -1.8"),
        (["--neuron", "TABLE", "--vneg", "-0.3"], "was not measured at v_neg = -0.3; it holds 0, -0.9, -1.8"),
        (["--neuron", "absent"], "no neuron table called 'absent'"),
        (["--engine", "event"], "engine 'event' is not built"),
        (["--v-lb", "0.5"], "expected a number <= 0"),
        (["--v-lb", "low"], "neither a number of thresholds nor none"),
        (["--images", "1001"], "1000"),
    ],
)
def test_what_cannot_run_is_refused_with_what_could(
    words: list[str],
    told: str,
    classifier: Path,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("snncircuit.study.datasets.MIRRORS", ())
    monkeypatch.setenv("SNNCIRCUIT_DATA", str(tmp_path))
    given = [str(table) if word == "TABLE" else word for word in words]
    assert main(["run", str(classifier), "--steps", "2", "--images", "2", *given]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


def test_a_sweep_gives_a_run_at_each_supply_and_reuses_what_is_there(
    autoencoder: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "swept"
    words = [
        "sweep",
        str(autoencoder),
        "--neuron",
        str(table),
        "--images",
        "2",
        "--steps",
        "5",
        "-o",
        str(folder),
    ]
    assert main([*words, "--vneg", "0,-0.9", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert [point["v_neg"] for point in first["points"]] == [0.0, -0.9]
    assert all(point.keys() >= KEYS for point in first["points"])
    assert all(point["mse"] == point["ideal"]["mse"] for point in first["points"])
    assert Path(first["figure"]).read_bytes().startswith(b"\x89PNG")
    assert Path(first["dataset"]).is_file()

    stamps = {path.name: path.stat().st_mtime_ns for path in folder.glob("point*")}
    assert main([*words, "--vneg", "0:-1.8:-0.9"]) == 0
    assert "-1.8" in capsys.readouterr().out
    assert len(list(folder.glob("point*"))) == 6
    assert {name: (folder / name).stat().st_mtime_ns for name in stamps} == stamps


def test_a_sweep_of_the_ideal_neuron_alone_is_refused(
    autoencoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", str(autoencoder), "--neuron", "ideal"]) == 2
    assert "beside it at the same bound" in capsys.readouterr().err
