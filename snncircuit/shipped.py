"""Where the files lie that come with snncircuit: netlists, device cards, tables, networks, samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from snncircuit.errors import CellError, DatasetError, NetlistError, NetworkError, SnnCircuitError, TableError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    noun: str
    folder: str
    pattern: str
    error: type[SnnCircuitError]


KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "netlist": _Kind(noun="neuron netlist", folder="netlists", pattern="*/cell.toml", error=CellError),
        "devices": _Kind(
            noun="device card set", folder="models/devices", pattern="*.lib", error=NetlistError
        ),
        "neuron": _Kind(noun="neuron table", folder="models/neurons", pattern="*.nc", error=TableError),
        "network": _Kind(noun="network", folder="models/networks", pattern="*.toml", error=NetworkError),
        "sample": _Kind(noun="sample", folder="models/samples", pattern="*.npz", error=DatasetError),
    }
)


def root() -> Path:
    """The folder that holds ``models`` and ``netlists``: the checkout, or ``share`` inside an installed package."""
    package = Path(__file__).resolve().parent
    share = package / "share"
    return share if share.is_dir() else package.parent


def names(kind: str) -> tuple[str, ...]:
    """The names that exist of a kind, one of `KINDS`, in alphabetical order."""
    entry = KINDS[kind]
    found = (root() / entry.folder).glob(entry.pattern)
    return tuple(sorted(path.parent.name if path.name == "cell.toml" else path.stem for path in found))


def find(kind: str, name: str) -> Path:
    """The file of a shipped thing; for a netlist the folder that holds its ``cell.toml``.

    Args:
        kind: one of `KINDS`.
        name: one of `names(kind)`.

    Raises:
        SnnCircuitError: the class that belongs to the kind, when no such thing ships; its text lists what does.
    """
    entry = KINDS[kind]
    existing = names(kind)
    if name not in existing:
        msg = (
            f"no {entry.noun} called {name!r} ships with snncircuit; shipped: {', '.join(existing) or 'none'}"
        )
        raise entry.error(msg)
    if kind == "netlist":
        return root() / entry.folder / name
    return root() / entry.folder / f"{name}{Path(entry.pattern).suffix}"
