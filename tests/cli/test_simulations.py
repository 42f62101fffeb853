"""``run`` and ``sweep``."""

import json
import re
from pathlib import Path

import pytest

from snncircuit.cli import main
from snncircuit.network import event
from snncircuit.network.run_file import load_run

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


def test_the_most_negative_supply_of_a_table_is_the_default(
    autoencoder: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", str(autoencoder), "--images", "2", "--steps", "2", "--neuron", str(table), "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["v_neg"] == -1.8


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
        (["--neuron", "TABLE", "--vneg", "-0.3"], "was not measured at v_neg = -0.3; it holds 0, -0.9, -1.8"),
        (["--neuron", "absent"], "no neuron table called 'absent'"),
        (["--engine", "magic"], "'magic' is not one of 'auto', 'reference', 'dense', 'event'"),
        (["--synapse-levels", "1"], "1 is not in the range x>=2"),
        (
            ["--synapse-levels", "4", "--float-weights"],
            "4 synapse levels and float weights exclude each other",
        ),
        (["--early-exit", "3"], "'3' is not margin=K with K 1 or more spikes"),
        (["--early-exit", "margin=0"], "'margin=0' is not margin=K with K 1 or more spikes"),
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


def test_levels_are_shown_with_both_scores_of_the_ann(
    classifier: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", str(classifier), "--images", "20", "--steps", "8", "--synapse-levels", "3"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["settings"]["synapse_levels"] == 3
    assert said["ann_accuracy_quantised"] is not None
    assert said["ann_mse_quantised"] is None
    assert min(said["rounding"].values()) > 0
    assert main(words) == 0
    assert ", with 3 levels " in capsys.readouterr().out


def test_float_weights_have_no_grid(classifier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", str(classifier), "--images", "2", "--steps", "3", "--float-weights", "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["settings"]["float_weights"] is True
    assert said["grid"] == said["rounding"] == {"fc1": 0, "fc2": 0}


def test_early_exit_tells_the_steps_it_used(classifier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", str(classifier), "--images", "5", "--steps", "20", "--early-exit"]
    assert main([*words, "margin=1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["settings"]["exit_margin"] == 1
    assert said["steps_used"]["mean"] < 20
    assert sum(said["steps_used"]["images"].values()) == 5
    assert main([*words, "margin=1000"]) == 0
    assert "early exit after 20.0 steps on average, 20 to 20" in capsys.readouterr().out


def test_early_exit_of_an_image_is_refused(autoencoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(autoencoder), "--images", "2", "--early-exit", "margin=2"]) == 2
    assert "early exit is for classifiers" in capsys.readouterr().err


def test_the_progress_bar_tells_how_fast_it_is(classifier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(classifier), "--images", "3", "--steps", "4"]) == 0
    assert re.search(r"3/3 .*[1-9][0-9,]* image·steps/s", " ".join(capsys.readouterr().err.split()))


def test_without_the_kernel_auto_says_once_a_command_what_runs_instead(
    classifier: Path,
    autoencoder: Path,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(event, "available", lambda: False)
    monkeypatch.setattr(event, "unavailable_reason", lambda: "there was no compiler")
    size = ["--images", "2", "--steps", "3"]
    swept = ["sweep", str(autoencoder), "--neuron", str(table), "--vneg", "0,-0.9", "-o", str(tmp_path / "s")]
    for words in (["run", str(classifier)], ["run", str(classifier)], swept):
        assert main([*words, *size]) == 0
        said = " ".join(capsys.readouterr().err.split())
        assert said.count("running on the dense engine, with the same spikes: there was no compiler") == 1
    assert main(["run", str(classifier), *size, "--engine", "dense"]) == 0
    assert "no compiler" not in capsys.readouterr().err
    assert main(["run", str(classifier), *size, "--engine", "event"]) == 2
    assert "engine 'event' cannot run: there was no compiler" in capsys.readouterr().err


def test_a_sweep_has_levels_and_early_exit_too(
    classifier: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "sweep",
        str(classifier),
        "--neuron",
        str(table),
        "--vneg",
        "-0.9",
        "--images",
        "3",
        "--steps",
        "40",
    ]
    given = ["--synapse-levels", "4", "--early-exit", "margin=1"]
    assert main([*words, *given, "-o", str(tmp_path / "one"), "--json"]) == 0
    point = json.loads(capsys.readouterr().out)["points"][0]
    for run in (point, point["ideal"]):
        assert run["settings"]["synapse_levels"] == 4
        assert run["ann_accuracy_quantised"] is not None
        assert run["steps_used"]["mean"] < 40
    assert main([*words, *given[:2], "-o", str(tmp_path / "one")]) == 2
    assert "exit_margin" in capsys.readouterr().err


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
    assert all(point.keys() >= KEYS - {"image_steps_per_second"} for point in first["points"])
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
