"""``whole``: a network small enough for a test as one circuit, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from snncircuit.cli import main
from snncircuit.network.convert import calibrate
from snncircuit.network.files import NetworkDescription, save_network


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five neurons that see the four quarters of a digit; the first test image is a 4."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(4, 5)).eval()
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -0.2, 1.0)
    description = NetworkDescription(
        name="halves",
        task="classify",
        dataset="digits",
        input_shape=(1, 8, 8),
        seed=0,
        score=0.5,
        normalisation=calibrate(module, torch.rand(20, 1, 8, 8), "max"),
    )
    folder = tmp_path_factory.mktemp("networks")
    save_network(folder / "halves", module, description)
    return folder / "halves.toml"


@pytest.mark.ngspice
def test_a_network_is_held_against_its_circuit_and_a_repeated_command_starts_no_simulation(
    halves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deck = tmp_path / "whole.cir"
    words = ["whole", str(halves), "--images", "1", "--steps", "2", "--jobs", "1", "--vneg", "-1.8"]
    assert main([*words, "--deck", str(deck), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["images"] == 1
    assert said["class_agreement"] == said["spike_counts_within_1"] == 1
    assert said["spikes"]["fc1"]["spice"] == said["spikes"]["fc1"]["surrogate"] > 0
    assert abs(said["energy_error"]) < 0.05
    assert said["speed_ratio"] == pytest.approx(
        said["neuron_steps_per_second"]["surrogate"] * said["seconds"] / (5 * 2)
    )
    assert said["settings"]["v_neg"] == -1.8
    lines = deck.read_text().splitlines()
    assert sum(line.startswith("xl0n") for line in lines) == 5
    assert lines[-1] == ".end"

    assert main(words) == 0
    out = capsys.readouterr().out
    assert "halves of nmp_clocked neurons at VNEG -1.8 V as one circuit, 1 images, 2 steps" in " ".join(
        out.split()
    )
    assert f"ngspice took {said['seconds']:.0f} s" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mnist-cnn"], "mnist-cnn has 18080 neurons"),
        (["digits", "--neuron", "nmp"], "nmp may fire 2 times in a step"),
        (["digits", "--neuron", "ideal"], "the ideal neuron has no circuit"),
        (["digits", "--images", "360"], "360 images asked of digits/test, which holds 1 to 359"),
        (["digits", "--netlist", "zmp"], "v_neg = -1.8 V is outside the legal range of zmp"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["whole", *words, "--steps", "2"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in " ".join(err.split())
