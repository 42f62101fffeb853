"""``run --live``."""

import json
from pathlib import Path

import pytest

from snncircuit.cli import main
from snncircuit.errors import EngineMissingError
from snncircuit.network.run_file import load_run
from snncircuit.spice.discovery import find_ngspice

LIVE = {
    "layer",
    "index",
    "image",
    "spikes",
    "spikes_surrogate",
    "spikes_matched",
    "spike_count_error",
    "v_mem_rmse",
    "energy",
    "energy_surrogate",
    "energy_error",
}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--live", "fc1:1"], "live neurons need a circuit: give --neuron NAME"),
        (["--live", "fc1"], "'fc1' in 'fc1' is no LAYER:INDEX such as conv2:5"),
        (["--live", "fc1:1,fc2:-3"], "'fc2:-3' in 'fc1:1,fc2:-3' is no LAYER:INDEX"),
        (
            ["--live", "fc7:1", "--neuron", "nmp_clocked"],
            "no layer 'fc7' for a live neuron; tiny has fc1, fc2",
        ),
        (
            ["--live", "fc1:12", "--neuron", "nmp_clocked"],
            "live neurons [12] of fc1: expected different numbers from 0 to 11",
        ),
        (
            ["--live", "fc1:1", "--neuron", "nmp_clocked", "--netlist", "nmp"],
            "was measured from another netlist",
        ),
        (
            ["--live", "fc1:1", "--neuron", "nmp_clocked", "--early-exit", "margin=2"],
            "leave out --early-exit",
        ),
        (["--live", "fc1:1", "--neuron", "nmp_clocked", "--engine", "dense"], "leave out --engine dense"),
        (["--live", "fc1:1", "--neuron", "TABLE"], "ideal"),
    ],
)
def test_live_neurons_that_cannot_be_are_refused_with_what_can(
    words: list[str], told: str, classifier: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(table) if word == "TABLE" else word for word in words]
    assert main(["run", str(classifier), "--images", "1", "--steps", "2", *given]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.mark.ngspice
def test_a_live_run_tells_of_its_neurons_and_keeps_both_traces(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        ngspice = find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))
    words = ["run", str(classifier), "--neuron", "nmp_clocked", "--images", "1", "--max-out-of-range", "1"]
    words += ["--live", "fc2:3, fc1:0"]
    if ngspice.kind != "library":
        assert main([*words, "--steps", "2"]) == 2
        assert "needs libngspice" in capsys.readouterr().err
        return
    kept = tmp_path / "run.nc"
    assert main([*words, "--steps", "4", "-o", str(kept), "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert "2 live nmp_clocked neurons" in said.err
    assert "4/4" in said.err
    assert [(one["layer"], one["index"]) for one in told["live"]] == [("fc1", 0), ("fc2", 3)]
    assert all(one.keys() >= LIVE for one in told["live"])
    assert isinstance(told["output_identical"], bool)
    run = load_run(kept)
    assert [t.spikes.sum() for t in run.live] == [one["spikes"] for one in told["live"]]
    assert [t.energy.sum() for t in run.live] == pytest.approx([one["energy"] for one in told["live"]])
    assert run.settings["live"] == "fc1:0,fc2:3"

    assert main([*words, "--steps", "2"]) == 0
    shown = capsys.readouterr().out
    assert "fc2:3" in shown
    assert "output spikes are those of the run without live neurons; 0 images go to another class" in shown


def test_output_that_differs_is_told_with_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    from snncircuit.cli.results import show_live

    found = {"live": [], "output_identical": False, "output_spikes": 50, "output_spikes_differing": 2}
    show_live({**found, "classes_differing": None})
    assert "2 of 50 output spikes differ from the run without live neurons\n" in capsys.readouterr().out
