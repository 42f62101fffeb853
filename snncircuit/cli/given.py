"""What a word on the command line stands for: a file, or the name of something that ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from snncircuit import shipped
from snncircuit.cli import console
from snncircuit.errors import CellError

if TYPE_CHECKING:
    from torch import Tensor

    from snncircuit.characterise.cell import NeuronCell
    from snncircuit.characterise.drive import OperatingPoint
    from snncircuit.network.files import NetworkDescription
    from snncircuit.network.layers import SpikingNetwork
    from snncircuit.neuron.step import Neuron
    from snncircuit.spice.cards import ModelCards
    from snncircuit.study.images import Images
    from snncircuit.table import TransferTable

IDEAL = "ideal"


def locate(kind: str, word: str) -> Path:
    """The path of a shipped thing if the word is its bare name, else the word as a path, with or without suffix.

    Raises:
        SnnCircuitError: for a bare name that neither ships nor exists as a file; its text lists what ships.
    """
    path = Path(word)
    there = path.exists() or Path(word + Path(shipped.KINDS[kind].pattern).suffix).exists()
    return path if there or path.name != word or path.suffix else shipped.find(kind, word)


def table(word: str) -> TransferTable:
    """The transfer table of a path or shipped name.

    Raises:
        TableError: when there is none, or it cannot be used.
    """
    from snncircuit.table import TransferTable

    return TransferTable.load(locate("neuron", word))


def cell(word: str) -> NeuronCell:
    """The neuron of a folder, a ``cell.toml`` or a shipped name.

    Raises:
        CellError: when there is none, or it cannot be used.
        NetlistError: when its netlist cannot be used.
    """
    from snncircuit.characterise.cell import load_cell

    return load_cell(locate("netlist", word))


def coarse(neuron: NeuronCell) -> NeuronCell:
    """The same neuron to be measured at every other common charge: about half the samples, for a first look."""
    grid = neuron.range.q_common
    return replace(neuron, range=replace(neuron.range, q_common=(*grid[:-1:2], grid[-1])))


def cards(neuron: NeuronCell, models: Path | None) -> Callable[[str], ModelCards]:
    """The cards of a corner: those of ``models``, or else the ones that the cell names.

    Raises:
        CellError: when neither is given.
    """
    from snncircuit.spice.bins import needed_bins
    from snncircuit.spice.cards import load_models

    path = models or neuron.models
    if path is None:
        shipping = ", ".join(shipped.names("devices"))
        msg = (
            f"the cell {neuron.name} names no transistor cards; give --models FILE "
            f"(shipped: {shipping}; a foundry's lie under $PDK_ROOT)"
        )
        raise CellError(msg)
    return lambda corner: needed_bins(load_models(path, corner), neuron.netlist)


def points(
    corners: Sequence[str], temperatures: Sequence[float], v_dds: Sequence[float], v_negs: Sequence[float]
) -> list[OperatingPoint]:
    """Every combination."""
    from snncircuit.characterise.drive import OperatingPoint

    return [
        OperatingPoint(corner=corner, temperature=temperature, v_dd=v_dd, v_neg=v_neg)
        for corner, temperature, v_dd, v_neg in product(corners, temperatures, v_dds, v_negs)
    ]


def material(
    network: str, images: int, levels: int | None, float_weights: bool
) -> tuple[SpikingNetwork, NetworkDescription, Images]:
    """A network that is ready to run, its description, and the first test images of its data set.

    Raises:
        SnnCircuitError: when there is none, it cannot be converted, or there are no such images.
    """
    from snncircuit.network.convert import load_spiking
    from snncircuit.study import datasets

    converted, description = load_spiking(
        locate("network", network), levels=levels, float_weights=float_weights
    )
    return converted, description, datasets.load(description.dataset, "test", images)


def origin(network: str, data: Images) -> dict[str, str]:
    """What a Run is to remember of the network and the images that made it, so that it can be repeated."""
    from snncircuit.network import fingerprints
    from snncircuit.network.origin import network_digest

    return {
        "network_file": _lasting("network", network),
        "network_sha256": network_digest(locate("network", network)),
        "data": data.origin,
        "images_sha256": fingerprints.of_tensors(data.images),
    }


def _lasting(kind: str, word: str) -> str:
    """The word if it is the name of something that ships, else the whole path, which holds in any folder."""
    path = locate(kind, word)
    return str(path.resolve()) if path == Path(word) else word


def targets(description: NetworkDescription, data: Images) -> Tensor:
    """What the network is to give: labels, shape (n,), or the images themselves, shape (n, c, h, w)."""
    return data.labels if description.task == "classify" else data.images


def engine(word: str) -> str:
    """The word itself; where ``auto`` is not the fastest engine, a remark says so once a command."""
    from snncircuit.network import event

    if word == "auto" and not event.available():
        console.remark_once(
            f"running on the dense engine, with the same spikes: {event.unavailable_reason()}"
        )
    return word


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """The neurons of a run, the rails in thresholds that bound their membrane (None for ideal ones), and what to remember of them."""

    neuron: Neuron
    rails: tuple[float, float] | None
    settings: dict[str, str | float | None]


def population(
    word: str,
    *,
    v_neg: float | None = None,
    v_dd: float | None = None,
    corner: str = "tt",
    temperature: float = 27.0,
    v_lb: float | None = None,
    reset: Literal["subtract", "zero"] = "subtract",
    pump_efficiency: float = 0.7,
) -> Population:
    """The neurons that ``ideal``, a table's path or a shipped name stand for.

    Args:
        word: ``ideal``, a .nc file or a shipped name.
        v_neg: V; the most negative in the table if left out.
        v_dd: V; may be left out where the table has only one.
        corner: of the table.
        temperature: degC, of the table.
        v_lb: lower bound of ideal neurons, thresholds; None for none.
        reset: of ideal neurons.
        pump_efficiency: of the converter that makes the negative rail of circuit neurons.

    Raises:
        SnnCircuitError: when there is no such neuron, or it was not measured there.
    """
    if word == IDEAL:
        from snncircuit.neuron.ideal import IdealNeuron

        settings: dict[str, str | float | None] = {"neuron": IDEAL, "v_lb": v_lb, "reset": reset}
        return Population(neuron=IdealNeuron(v_lb=v_lb, reset=reset), rails=None, settings=settings)
    from snncircuit.network.origin import table_digest
    from snncircuit.neuron.circuit import CircuitNeuron
    from snncircuit.table.validation import remembered

    loaded = table(word)
    if v_neg is None:
        v_neg = min(float(p["v_neg"]) for p in loaded.points())
    wanted = {"v_neg": v_neg, "v_dd": v_dd}
    at = loaded.at(
        corner=corner, temperature=temperature, **{k: v for k, v in wanted.items() if v is not None}
    )
    low, high = float(at.point["v_neg"]), float(at.point["v_dd"])
    threshold = at.figures["threshold"]
    return Population(
        neuron=CircuitNeuron(at, pump_efficiency=pump_efficiency),
        rails=((low - at.rest) / threshold, (high - at.rest) / threshold),
        settings={
            "neuron": loaded.name,
            "table_file": _lasting("neuron", word),
            "table_sha256": table_digest(at),
            **remembered(loaded, at.point),
            "pump_efficiency": pump_efficiency,
            **at.point,
        },
    )
