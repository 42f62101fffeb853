"""A small working neuron to spoil, and a ground that must stay as it is: the user's home, the folders beside the one worked in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from snncircuit.cli import main
from snncircuit.network.convert import calibrate
from snncircuit.network.files import NetworkDescription, save_network
from tests.strategies import CARDS, CELL, NETLIST

Refusal = Callable[[list[str]], str]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def small_network(folder: Path) -> Path:
    """A network for MNIST that runs in no time; its description."""
    module = nn.Sequential(nn.AvgPool2d(7), nn.Flatten(), nn.Linear(16, 10), nn.ReLU()).eval()
    torch.manual_seed(1)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -0.1, 0.3)
    description = NetworkDescription(
        name="small",
        task="classify",
        dataset="mnist",
        input_shape=(1, 28, 28),
        seed=0,
        score=0.5,
        normalisation=calibrate(module, torch.rand(4, 1, 28, 28)),
    )
    save_network(folder / "small", module, description)
    return folder / "small.toml"


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that holds ``work``, in which the test works, and ``home`` and ``beside``, in which nothing may change."""
    for name in ("work", "home", "beside"):
        (tmp_path / name).mkdir()
    (tmp_path / "home" / ".spiceinit").write_text("shell touch canary\n")
    (tmp_path / "beside" / "diary").write_text("root:x:0:0 private\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    before = {name: snapshot(tmp_path / name) for name in ("home", "beside")}
    yield tmp_path
    assert {name: snapshot(tmp_path / name) for name in before} == before
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith("canary")]


@pytest.fixture
def cell(ground: Path) -> Path:
    folder = ground / "work" / "cell"
    folder.mkdir()
    (folder / "neuron.cir").write_text(NETLIST)
    (folder / "cell.toml").write_text(CELL)
    (folder / "cards.lib").write_text(CARDS)
    return folder


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refusal:
    """Runs a command that must end with exit code 2 and one paragraph; gives the paragraph."""

    def run(words: list[str]) -> str:
        assert main(words) == 2
        err = capsys.readouterr().err
        last = err.rstrip("\n").splitlines()[-1]
        assert last.startswith("snncircuit: "), err
        assert "Traceback" not in err
        return last

    return run
