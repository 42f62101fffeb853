from pathlib import Path

import pytest

from snncircuit import shipped
from snncircuit.errors import CellError, DatasetError, NetlistError, NetworkError, SnnCircuitError, TableError


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for file in (
        "netlists/alpha/cell.toml",
        "netlists/draft/neuron.cir",
        "models/devices/cards.lib",
        "models/neurons/alpha.nc",
        "models/networks/small.toml",
        "models/networks/small.safetensors",
        "models/samples/few.npz",
    ):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr(shipped, "root", lambda: tmp_path)
    return tmp_path


def test_names_are_those_of_complete_things(share: Path) -> None:
    assert {kind: shipped.names(kind) for kind in shipped.KINDS} == {
        "netlist": ("alpha",),
        "devices": ("cards",),
        "neuron": ("alpha",),
        "network": ("small",),
        "sample": ("few",),
    }


def test_every_name_is_found_where_it_lies(share: Path) -> None:
    for kind in shipped.KINDS:
        for name in shipped.names(kind):
            assert shipped.find(kind, name).exists()
    assert shipped.find("netlist", "alpha") == share / "netlists" / "alpha"
    assert shipped.find("network", "small") == share / "models" / "networks" / "small.toml"


@pytest.mark.parametrize(
    ("kind", "error", "noun"),
    [
        ("netlist", CellError, "neuron netlist"),
        ("devices", NetlistError, "device card set"),
        ("neuron", TableError, "neuron table"),
        ("network", NetworkError, "network"),
        ("sample", DatasetError, "sample"),
    ],
)
def test_an_unknown_name_is_answered_with_what_exists(
    share: Path, kind: str, error: type[SnnCircuitError], noun: str
) -> None:
    with pytest.raises(error) as caught:
        shipped.find(kind, "beta")
    expected = f"no {noun} called 'beta' ships with snncircuit; shipped: {', '.join(shipped.names(kind))}"
    assert str(caught.value) == expected


def test_a_name_cannot_leave_its_folder(share: Path) -> None:
    (share / "secret.toml").touch()
    with pytest.raises(NetworkError):
        shipped.find("network", "../../secret")


def test_an_installed_package_finds_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "snncircuit"
    package.mkdir(parents=True)
    monkeypatch.setattr(shipped, "__file__", str(package / "shipped.py"))
    assert shipped.root() == tmp_path / "site-packages"
    (package / "share").mkdir()
    assert shipped.root() == package / "share"


def test_the_checkout_ships_networks_and_a_sample() -> None:
    assert set(shipped.names("network")) >= {"mnist-cnn", "mnist-gap", "mnist-autoencoder"}
    assert "mnist-1000" in shipped.names("sample")
