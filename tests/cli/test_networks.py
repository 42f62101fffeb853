"""``train`` and ``convert``."""

import json
from pathlib import Path

import pytest
import torch

from snncircuit.cli import main
from snncircuit.network.files import load_network
from snncircuit.study import datasets
from snncircuit.study.images import Images


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, split: str, n: int | None = None) -> Images:
        images = torch.rand(n or 8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        labels = torch.arange(len(images)) % 10
        return Images(name=f"{name}/{split}", images=images, labels=labels, origin="drawn")

    monkeypatch.setattr(datasets, "load", load)


def test_a_trained_network_is_written_with_its_recipe_and_ready_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["train", "mnist-autoencoder", "--images", "8", "--test-images", "4", "--seed", "3"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    module, description = load_network(said["network"])
    assert description.seed == 3
    assert description.recipe["name"] == "mnist-autoencoder"
    assert description.normalisation is not None
    assert said["mse"] == description.score
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".safetensors", ".toml"]

    assert main([*words, "-o", "again"]) == 0
    assert "again.toml" in capsys.readouterr().out
    again, _ = load_network("again")
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), again.parameters(), strict=True))
    assert main(["train", "nonsense"]) == 2
    assert "mnist-cnn" in capsys.readouterr().err


def test_convert_shows_every_layer_and_writes_the_chosen_normalisation(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", str(classifier), "--normalisation", "max", "--calibration", "5"]
    assert main([*words, "--json", "-o", str(tmp_path / "copy")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(layer["name"], layer["neurons"]) for layer in said["layers"]] == [("fc1", 12), ("fc2", 10)]
    _, description = load_network(tmp_path / "copy")
    assert description.normalisation is not None
    assert description.normalisation.method == "max"
    assert description.normalisation.images == 5
    assert list(description.normalisation.scales.values()) == [layer["scale"] for layer in said["layers"]]
    assert main(words) == 0
    assert "fc2" in capsys.readouterr().out


def test_an_unsupported_layer_is_named(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd.toml").write_text(classifier.read_text().replace('"ReLU"', '"Tanh"'))
    (tmp_path / "odd.safetensors").write_bytes(classifier.with_suffix(".safetensors").read_bytes())
    assert main(["convert", str(tmp_path / "odd.toml")]) == 2
    err = capsys.readouterr().err
    assert "odd.toml" in err
    assert "Tanh" in err
    assert "ReLU" in err
