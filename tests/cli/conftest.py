"""A network, a table and images small enough for the command line to use in no time."""

from pathlib import Path

import pytest
import torch
from torch import nn

from snncircuit.network.convert import calibrate
from snncircuit.network.files import NetworkDescription, save_network
from snncircuit.reference import ideal_table
from snncircuit.table import TransferTable

PROVENANCE = {"ngspice": "none", "snncircuit": "0", "title": "the ideal neuron"}


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "ideal.nc"
    points = [ideal_table(v) for v in (0.0, -0.9, -1.8)]
    TransferTable.from_points("ideal", points, PROVENANCE).save(path)
    return path


def write(folder: Path, name: str, task: str, *layers: nn.Module) -> Path:
    torch.manual_seed(1)
    module = nn.Sequential(*layers).eval()
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -0.1, 0.3)
    description = NetworkDescription(
        name=name,
        task=task,  # type: ignore[arg-type]
        dataset="mnist",
        input_shape=(1, 28, 28),
        seed=0,
        score=0.5,
        normalisation=calibrate(module, torch.rand(20, 1, 28, 28)),
    )
    save_network(folder / name, module, description)
    return folder / f"{name}.toml"


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = (nn.AvgPool2d(7), nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 10))
    return write(tmp_path_factory.mktemp("networks"), "tiny", "classify", *layers)


@pytest.fixture(scope="session")
def autoencoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = (nn.Conv2d(1, 2, 4, 4), nn.ReLU(), nn.ConvTranspose2d(2, 1, 4, 4), nn.ReLU())
    return write(tmp_path_factory.mktemp("networks"), "little", "reconstruct", *layers)
