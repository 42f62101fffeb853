"""How far the figures of a few neurons can be trusted: bootstrap over neurons, of the sums that the figures are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncircuit.cosim.agreement import SUPPLY_FLOOR, TrainErrors

Array = NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 2000
CONFIDENCE = 0.95
FIGURES = (
    "spikes_matched",
    "spikes_same_step",
    "spike_count_error",
    "energy_error",
    "v_mem_rmse",
    "bias",
    "spikes_disagreeing",
    "free_v_mem_rmse",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """What the figures are made of, each of shape (..., neurons), or summed over them; energies (..., neurons, supplies), J."""

    steps: Array
    spikes: Array
    missed: Array
    shifted: Array
    extra: Array
    agreeing: Array
    error: Array
    squared_error: Array
    free_squared_error: Array
    energy: Array
    lost: Array

    @classmethod
    def of(cls, trains: Sequence[TrainErrors]) -> Sums:
        """Of each train."""
        forced = [t.forced_error[np.isfinite(t.forced_error)] for t in trains]
        return cls(
            steps=np.array([float(t.spikes.size) for t in trains]),
            spikes=np.array([float(t.spikes.sum()) for t in trains]),
            missed=np.array([float(t.pairs.missed.sum()) for t in trains]),
            shifted=np.array([float((t.pairs.early + t.pairs.late).sum()) for t in trains]),
            extra=np.array([float(t.pairs.extra.sum()) for t in trains]),
            agreeing=np.array([float(f.size) for f in forced]),
            error=np.array([f.sum() for f in forced]),
            squared_error=np.array([(f**2).sum() for f in forced]),
            free_squared_error=np.array([(t.free_error**2).sum() for t in trains]),
            energy=np.stack([t.energy.sum(axis=1) for t in trains]),
            lost=np.stack([(t.own.energy - t.energy).sum(axis=1) for t in trains]),
        )

    def weighted(self, weights: Array) -> Sums:
        """Sums over the neurons, each counted as often as ``weights`` of shape (resamples, neurons) says."""
        return Sums(**{name: weights @ getattr(self, name) for name in Sums.__dataclass_fields__})

    def figures(self) -> dict[str, Array]:
        """The figures as ``Agreement`` has them, each of the shape of the sums."""
        spikes, agreeing = np.maximum(self.spikes, 1.0), np.maximum(self.agreeing, 1.0)
        found = {
            "spikes_matched": 1.0 - self.missed / spikes,
            "spikes_same_step": 1.0 - (self.missed + self.shifted) / spikes,
            "spike_count_error": np.abs(self.extra - self.missed) / spikes,
            "energy_error": _share(self.lost.sum(axis=-1), self.energy.sum(axis=-1)),
            "v_mem_rmse": np.sqrt(self.squared_error / agreeing),
            "bias": self.error / agreeing,
            "spikes_disagreeing": 1.0 - self.agreeing / self.steps,
            "free_v_mem_rmse": np.sqrt(self.free_squared_error / self.steps),
        }
        assert tuple(found) == FIGURES
        return found

    def by_supply(self) -> Array:
        """The error of each supply's energy, over the larger of its own and ``SUPPLY_FLOOR`` of the total."""
        floor = SUPPLY_FLOOR * np.abs(self.energy.sum(axis=-1, keepdims=True))
        return _share(self.lost, np.maximum(np.abs(self.energy), floor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Confidence intervals (low, high) of figures, and of the energy error of each supply."""

    figures: Mapping[str, Interval]
    by_supply: Mapping[str, Interval]

    def to_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            **{name: list(interval) for name, interval in self.figures.items()},
            "energy_error_by_supply": {name: list(interval) for name, interval in self.by_supply.items()},
        }


def bootstrap(
    trains: Sequence[TrainErrors], groups: Sequence[str], seed: int, resamples: int = RESAMPLES
) -> Intervals | None:
    """Percentile intervals of the figures of all trains, resampled within each group (Efron and Tibshirani 1993, chapter 13).

    Args:
        trains: of each neuron.
        groups: of each neuron the part of the sample that it was drawn for; each keeps its size in every resample.
        seed: >= 0; same seed, same intervals.
        resamples: how many.

    Returns:
        None when every group has one neuron: there is nothing to resample.
    """
    members = [np.flatnonzero(np.array(groups) == group) for group in dict.fromkeys(groups)]
    if all(m.size == 1 for m in members):
        return None
    random = np.random.default_rng(seed)
    weights = np.zeros((resamples, len(trains)))
    for m in members:
        weights[:, m] = random.multinomial(m.size, np.full(m.size, 1.0 / m.size), size=resamples)
    sums = Sums.of(trains).weighted(weights)
    return Intervals(
        figures={name: _interval(values) for name, values in sums.figures().items()},
        by_supply={
            name: _interval(values)
            for name, values in zip(trains[0].supplies, sums.by_supply().T, strict=True)
        },
    )


def _interval(values: Array) -> Interval:
    low, high = np.percentile(values, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)]).tolist()
    return low, high


def _share(error: Array, whole: Array) -> Array:
    size = np.abs(error)
    return np.divide(
        size, np.abs(whole), out=np.where(size > 0, np.inf, 0.0), where=(whole != 0) & (size > 0)
    )
