"""How alike a whole network in SPICE and the same network simulated are: classes, spike counts, energy, speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from snncircuit.cosim.recording import Recording
from snncircuit.network.readout import classes_by_step
from snncircuit.network.run import Run
from snncircuit.table import OperatingTable

ENOUGH = 0.95
"""Share of the images whose class, and of the neurons whose spike count within 1, ought to be the same."""
CLOSE = 0.05
"""Difference of the total energies, relative to that of SPICE, that ought not to be exceeded."""
_LOST = "pump"  # what a converter of the supply would lose; SPICE has ideal supplies

Energy = Mapping[str, Mapping[str, tuple[float, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The neuron whose spike counts differ most: image, layer, number of the neuron, spikes in SPICE and simulated."""

    image: int
    layer: str
    neuron: int
    spice: int
    surrogate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What SPICE and the surrogate have in common; pairs are (SPICE, surrogate).

    Attributes:
        images: compared.
        classes: of each image; None where the last layer is no classifier's.
        accuracy: share of right classes; None likewise.
        counts_within_one: share of the neurons and images whose spike counts differ by at most 1.
        counts_equal: share of those that do not differ.
        steps_equal: share of the neuron-steps with the same number of spikes.
        worst: the neuron that differs most.
        spikes: layer name to spikes per inference.
        energy: layer name and supply to J per inference.
        rates: neuron-steps per second of processor time.
        seconds: processor time that ngspice took for all images.
        failures: why images could not be compared, by number.
    """

    images: int
    classes: tuple[tuple[int, int], ...] | None
    accuracy: tuple[float, float] | None
    counts_within_one: float
    counts_equal: float
    steps_equal: float
    worst: Worst
    spikes: Mapping[str, tuple[float, float]]
    energy: Energy
    rates: tuple[float, float]
    seconds: float
    failures: Mapping[int, str]

    @property
    def class_agreement(self) -> float | None:
        """Share of the images with the same class."""
        return None if self.classes is None else sum(a == b for a, b in self.classes) / len(self.classes)

    @property
    def energy_total(self) -> tuple[float, float]:
        """J per inference of all layers and supplies."""
        pairs = [pair for supplies in self.energy.values() for pair in supplies.values()]
        return sum(a for a, _ in pairs), sum(b for _, b in pairs)

    @property
    def energy_error(self) -> float:
        """Difference of the totals, relative to SPICE; positive where the surrogate takes more."""
        spice, surrogate = self.energy_total
        return (surrogate - spice) / abs(spice)

    def to_json(self) -> dict[str, Any]:
        """Plain data in SI units, energies and spikes per inference."""
        within = {
            "spike_counts": self.counts_within_one >= ENOUGH,
            "energy": abs(self.energy_error) <= CLOSE,
        }
        if self.class_agreement is not None:
            within["class"] = self.class_agreement >= ENOUGH
        return {
            "images": self.images,
            "class_agreement": self.class_agreement,
            "classes": None if self.classes is None else [_both(pair) for pair in self.classes],
            "accuracy": None if self.accuracy is None else _both(self.accuracy),
            "spike_counts_within_1": self.counts_within_one,
            "spike_counts_equal": self.counts_equal,
            "steps_equal": self.steps_equal,
            "worst": {name: getattr(self.worst, name) for name in Worst.__dataclass_fields__},
            "spikes": {layer: _both(pair) for layer, pair in self.spikes.items()},
            "energy": _both(self.energy_total),
            "energy_error": self.energy_error,
            "energy_by_layer": {
                layer: {supply: _both(pair) for supply, pair in supplies.items()}
                for layer, supplies in self.energy.items()
            },
            "neuron_steps_per_second": _both(self.rates),
            "speed_ratio": self.rates[1] / self.rates[0],
            "seconds": self.seconds,
            "within": within,
            "failures": {str(image): reason for image, reason in self.failures.items()},
        }


def compare(
    recordings: Mapping[int, Recording],
    run: Run,
    table: OperatingTable,
    labels: Int[Tensor, " n"] | None,
    *,
    surrogate_rate: float,
    failures: Mapping[int, str],
) -> Likeness:
    """The likeness of recordings and of a Run of the same images.

    Args:
        recordings: number of the image to what SPICE did with it.
        run: of these images in this order, with the traces of all neurons.
        table: of the neurons, for their threshold.
        labels: of these images; None when they have none.
        surrogate_rate: neuron-steps per second of processor time of the simulation.
        failures: number of the image to why there is no recording.
    """
    found, names = list(recordings.values()), list(run.layers)
    images, last = len(found), names[-1]
    own = {name: np.rint(run.traces[name].spikes).astype(np.int64) for name in names}
    theirs = {name: np.stack([r.spikes[name] for r in found], axis=1) for name in names}
    difference = {name: own[name].sum(axis=0) - theirs[name].sum(axis=0) for name in names}
    apart = np.abs(np.concatenate([d.ravel() for d in difference.values()]))
    size = sum(counts.size for counts in own.values())
    classes, accuracy = None, None
    if labels is not None:
        v_mem = (np.stack([r.v_mem[last] for r in found], axis=1) - table.rest) / table.figures["threshold"]
        pair = _classes(theirs[last], v_mem), _classes(own[last], run.traces[last].v_mem)
        classes = tuple(zip(*(c.tolist() for c in pair), strict=True))
        accuracy = (_share(pair[0], labels), _share(pair[1], labels))
    seconds = sum(r.seconds for r in found)
    return Likeness(
        images=images,
        classes=classes,
        accuracy=accuracy,
        counts_within_one=float((apart <= 1).mean()),
        counts_equal=float((apart == 0).mean()),
        steps_equal=sum(int((own[n] == theirs[n]).sum()) for n in names) / size,
        worst=_worst(list(recordings), difference, theirs, own),
        spikes={n: (float(theirs[n].sum() / images), float(own[n].sum() / images)) for n in names},
        energy=_energies(found, run),
        rates=(size / seconds, surrogate_rate),
        seconds=seconds,
        failures=failures,
    )


def _classes(spikes: NDArray[np.int64], v_mem: NDArray[Any]) -> Tensor:
    return classes_by_step(torch.from_numpy(spikes).double(), torch.from_numpy(v_mem).double())[-1]


def _share(classes: Tensor, labels: Tensor) -> float:
    return float((classes == labels).double().mean())


def _worst(
    images: Sequence[int],
    difference: Mapping[str, NDArray[np.int64]],
    theirs: Mapping[str, NDArray[np.int64]],
    own: Mapping[str, NDArray[np.int64]],
) -> Worst:
    layer = max(difference, key=lambda name: int(np.abs(difference[name]).max()))
    image, neuron = np.unravel_index(int(np.abs(difference[layer]).argmax()), difference[layer].shape)
    return Worst(
        image=images[int(image)],
        layer=layer,
        neuron=int(neuron),
        spice=int(theirs[layer][:, image, neuron].sum()),
        surrogate=int(own[layer][:, image, neuron].sum()),
    )


def _energies(found: Sequence[Recording], run: Run) -> Energy:
    return {
        name: {
            supply: (
                sum(r.energy[name][supply] for r in found) / len(found),
                sum(joule for term, joule in terms.items() if term != _LOST),
            )
            for supply, terms in figures.energy.items()
        }
        for name, figures in run.layers.items()
    }


def _both(pair: tuple[Any, Any]) -> dict[str, Any]:
    return {"spice": pair[0], "surrogate": pair[1]}
