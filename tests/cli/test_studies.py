"""``yield`` and ``ladder``."""

import json
from pathlib import Path

import numpy as np
import pytest

from snncircuit.cli import main
from snncircuit.table import TransferTable
from tests.network.event.drawn import measured

PROVENANCE = {"ngspice": "none", "snncircuit": "0", "title": "drawn"}
FEW = ["--images", "5", "--steps", "8", "--max-out-of-range", "1"]
DISTRIBUTION = {"nominal", "mean", "sigma", "p5", "p50", "p95", "values"}


@pytest.fixture(scope="session")
def mismatched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "drawn.nc"
    draws = np.array([1, 1, 1, 0, 1]) + 0.03 * np.random.default_rng(0).standard_normal((30, 5))
    table = measured("nmp_clocked", -1.8)
    TransferTable.from_points("drawn", [table], PROVENANCE).with_variation(
        table.point, draws, {"seed": 0}
    ).save(path)
    return path


def test_yield_gives_every_promised_key_and_draws_the_chips(
    classifier: Path, mismatched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["yield", str(classifier), "--neuron", str(mismatched), *FEW, "--draws", "3"]
    plot = tmp_path / "yield.png"
    asked = [*words, "--spec", "accuracy>=0.2", "-o", str(tmp_path / "chips"), "--plot", str(plot), "--json"]
    assert main(asked) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.keys() >= {
        "network",
        "neuron",
        "draws",
        "seed",
        "spec",
        "yield",
        "yield_ci",
        "score",
        "energy",
        "sigma",
    }
    assert said["accuracy"].keys() == said["energy"].keys() == DISTRIBUTION
    assert list(said["sigma"]) == ["gain_exc", "gain_inh", "threshold", "leak", "reset"]
    assert said["draws"] == len(said["accuracy"]["values"]) == 3
    assert said["yield"] == sum(value >= 0.2 for value in said["accuracy"]["values"]) / 3
    assert said["spec"] == "accuracy>=0.2"
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in (tmp_path / "chips").iterdir()) == [
        *(f"point chip {number:05d}.json" for number in range(3)),
        "point nominal.json",
        "settings.json",
    ]
    assert main(asked) == 0  # from what is there
    assert json.loads(capsys.readouterr().out) == said


def test_yield_for_people_tells_the_share_and_its_confidence(
    autoencoder: Path, mismatched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["yield", str(autoencoder), "--neuron", str(mismatched), *FEW, "--draws", "2", "--scale", "2"]
    assert main([*words, "--spec", "mse<=1e9", "-o", str(tmp_path / "chips")]) == 0
    out = capsys.readouterr().out
    assert "little, drawn neurons at VNEG -1.8 V, 2 chips, seed 0, 5 images, 8 steps, mismatch times 2" in out
    assert "yield 100.0 % meet mse<=1e+09 (95 % confidence 34.2 to 100.0 %)" in out
    assert "sigma of one neuron: gain_exc 0.0" in out


def test_ladder_gives_every_promised_key_and_rungs_that_add_up(
    autoencoder: Path, mismatched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "ladder.svg"
    words = ["ladder", str(autoencoder), "--neuron", str(mismatched), *FEW, "--levels", "4"]
    assert main([*words, "--plot", str(plot), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["network"], said["neuron"] == ("little", "drawn")
    names = [rung["name"] for rung in said["rungs"]]
    assert names == [
        "ideal",
        "lower bound",
        "mirror compression",
        "reset error",
        "dead time",
        "leak",
        "mismatch",
        "quantised synapses",
    ]
    assert said["not_measured"] == {}
    assert said["rungs"][-1]["mse"] == pytest.approx(
        said["rungs"][0]["mse"] + sum(r["delta"] for r in said["rungs"])
    )
    assert b"<svg" in plot.read_bytes()
    assert main(["run", str(autoencoder), "--neuron", str(mismatched), *FEW, "--json"]) == 0
    run = json.loads(capsys.readouterr().out)
    leak = said["rungs"][names.index("leak")]
    assert (leak["mse"], leak["energy"], leak["spikes"]) == (run["mse"], run["energy"], run["spikes"])


def test_ladder_for_people_says_what_is_not_measured(
    classifier: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ladder", str(classifier), "--neuron", "zmp", *FEW]) == 0
    out = capsys.readouterr().out
    assert "tiny, zmp neurons at VNEG 0 V, 5 images, 8 steps; ANN" in out
    assert "mirror compression" in out
    assert "quantised synapses" in out
    assert "mismatch: no mismatch was measured at" in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["yield", "--neuron", "zmp"], "'snncircuit mismatch TABLE --vneg 0 --draws 200' measures it"),
        (["yield", "--spec", "accuracy>0.5"], "specification 'accuracy>0.5': expected a figure"),
        (["yield", "--neuron", "ideal"], "the ideal neuron has neither mismatch nor imperfections"),
        (["ladder", "--neuron", "ideal"], "the ideal neuron has neither mismatch nor imperfections"),
        (["ladder", "--neuron", "nmp_clocked", "--vneg", "-1.05"], "-1.05"),
    ],
)
def test_mistakes_are_told_in_a_paragraph(
    words: list[str], text: str, classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verb, *options = words
    output = ["-o", str(tmp_path / "chips")] if verb == "yield" else []
    assert main([verb, str(classifier), *options, *FEW, *output]) == 2
    said = capsys.readouterr()
    assert text in " ".join(said.err.split())
    assert said.out == ""
