"""How well a table tells what its circuit does: the errors of many charge trains as figures, and the bars that they should stay within."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncircuit.cosim.bars import BARS, SUPPLY_FLOOR, Bar, judge
from snncircuit.cosim.batches import margin
from snncircuit.cosim.train_errors import FreeRun, TrainErrors, errors_of, free_run
from snncircuit.errors import TableError

__all__ = [
    "BARS",
    "SUPPLY_FLOOR",
    "Agreement",
    "Bar",
    "FreeRun",
    "Spread",
    "TrainErrors",
    "errors_of",
    "free_run",
    "judge",
    "pool",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Percentiles of sizes, NaN when there are none."""

    p50: float
    p95: float
    p99: float
    max: float

    def to_json(self) -> dict[str, float]:
        """Plain data."""
        return {"p50": self.p50, "p95": self.p95, "p99": self.p99, "max": self.max}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How well a table tells what its circuit does at one operating point.

    Teacher-forced: the membrane of each step's start is that of SPICE. Free-running: the table goes on its own from the first one.
    Fractions of spikes are of the spikes of SPICE, or of one spike when SPICE had none; energies of the energy of SPICE.

    Attributes:
        point: the operating point.
        n_trains, n_steps, n_spikes: charge trains, steps of all of them, spikes of SPICE.
        v_mem_rmse: teacher-forced, over the steps whose spike count agrees, thresholds.
        bias: mean of the same error per step, thresholds.
        bias_margin: half the width of its 95 % confidence interval, thresholds; infinite from fewer steps than two batches.
        v_mem_error: sizes of the same error, thresholds.
        spikes_disagreeing: teacher-forced steps whose spike count differs, fraction of all steps.
        spikes_matched: free-running, spikes with a partner within one step, each used once.
        spikes_same_step: those with a partner in the same step.
        shifted: those with a partner one step before or after.
        missed: spikes without a partner.
        extra: spikes of the table without a partner.
        spike_count_error: free-running, size of the difference of the total counts.
        free_v_mem_rmse: free-running, over all steps, thresholds; a spike in another step is an error of about one.
        free_v_mem_error: sizes of the same error, thresholds.
        latency: s, from the start of its step to the first spike in it, of SPICE; NaN where it was not measured.
        timing_error: s, size of the difference in time of partners; the table knows only the step of a spike, so whole steps.
        energy: J, of SPICE.
        energy_error: free-running, size of the difference of the total energy.
        energy_by_supply: J, of SPICE.
        energy_error_by_supply: the same as ``energy_error`` for each supply that delivers anything, over its own energy.
        judged_energy_error_by_supply: the same over the larger of its own energy and ``SUPPLY_FLOOR`` of the total.
        energy_error_per_step: teacher-forced, size of the error of the energy of one step, over the mean energy of a step.
        failures: simulations that failed, with their reasons.
    """

    point: Mapping[str, Any]
    n_trains: int
    n_steps: int
    n_spikes: int
    v_mem_rmse: float
    bias: float
    bias_margin: float
    v_mem_error: Spread
    spikes_disagreeing: float
    spikes_matched: float
    spikes_same_step: float
    shifted: float
    missed: float
    extra: float
    spike_count_error: float
    free_v_mem_rmse: float
    free_v_mem_error: Spread
    latency: Spread
    timing_error: Spread
    energy: float
    energy_error: float
    energy_by_supply: Mapping[str, float]
    energy_error_by_supply: Mapping[str, float]
    judged_energy_error_by_supply: Mapping[str, float]
    energy_error_per_step: Spread
    failures: tuple[str, ...] = ()

    def bars(self) -> dict[str, Bar]:
        """Each of ``BARS`` against this; of the supplies the worst."""
        found = {name: getattr(self, name) for name in BARS if name != "energy_error_by_supply"}
        return judge(found | {"energy_error_by_supply": max(self.judged_energy_error_by_supply.values())})

    def to_json(self) -> dict[str, Any]:
        """Plain data, keys as in the documentation of ``snncircuit validate --json``."""
        return {
            **self.point,
            "n_trains": self.n_trains,
            "n_steps": self.n_steps,
            "teacher_forced": {
                "v_mem_rmse": self.v_mem_rmse,
                "bias": self.bias,
                "bias_margin": self.bias_margin,
                "spikes_disagreeing": self.spikes_disagreeing,
                "v_mem_error": self.v_mem_error.to_json(),
                "energy_error_per_step": self.energy_error_per_step.to_json(),
            },
            "free_running": {
                "spikes_matched": self.spikes_matched,
                "spikes_same_step": self.spikes_same_step,
                "shifted": self.shifted,
                "missed": self.missed,
                "extra": self.extra,
                "spike_count_error": self.spike_count_error,
                "n_spikes": self.n_spikes,
                "v_mem_rmse": self.free_v_mem_rmse,
                "v_mem_error": self.free_v_mem_error.to_json(),
            },
            "latency": self.latency.to_json(),
            "timing_error": self.timing_error.to_json(),
            "energy_error": self.energy_error,
            "energy_error_by_supply": dict(self.energy_error_by_supply),
            "judged_energy_error_by_supply": dict(self.judged_energy_error_by_supply),
            "energy": self.energy,
            "energy_by_supply": dict(self.energy_by_supply),
            "bars": {name: bar.to_json() for name, bar in self.bars().items()},
            "failures": list(self.failures),
        }


def pool(trains: Sequence[TrainErrors], failures: Sequence[str] = ()) -> Agreement:
    """The figures of several trains of one operating point, every step counting alike.

    Args:
        trains: errors of each, all at one operating point.
        failures: reasons of the simulations that are not among them.

    Raises:
        TableError: when there is no train.
    """
    if not trains:
        why = f": {failures[0]}" if failures else ""
        msg = f"no simulation succeeded, so there is nothing to hold the table against{why}"
        raise TableError(msg)
    first = trains[0]
    forced, free, latency = (
        np.concatenate([getattr(t, name) for t in trains])
        for name in ("forced_error", "free_error", "latency")
    )
    early, same, late, missed, extra = (
        int(sum(getattr(t.pairs, name).sum() for t in trains))
        for name in ("early", "same", "late", "missed", "extra")
    )
    n_spikes = int(sum(t.spikes.sum() for t in trains))
    spikes = max(n_spikes, 1)
    agreeing = forced[np.isfinite(forced)]
    energy = np.sum([t.energy.sum(axis=1) for t in trains], axis=0)
    lost = np.abs(np.sum([t.own.energy.sum(axis=1) for t in trains], axis=0) - energy)
    total = float(energy.sum())
    off = abs(float(np.sum([t.own.energy.sum() for t in trains])) - total)
    per_step = np.concatenate([(t.forced_energy - t.energy).sum(axis=0) for t in trains])
    each = list(zip(first.supplies, energy.tolist(), lost.tolist(), strict=True))
    floor = SUPPLY_FLOOR * abs(total)
    return Agreement(
        point=first.point,
        n_trains=len(trains),
        n_steps=forced.size,
        n_spikes=n_spikes,
        v_mem_rmse=float(np.sqrt(np.mean(agreeing**2))) if agreeing.size else float("nan"),
        bias=float(agreeing.mean()) if agreeing.size else float("nan"),
        bias_margin=margin([t.forced_error for t in trains]),
        v_mem_error=_spread(np.abs(agreeing)),
        spikes_disagreeing=1.0 - agreeing.size / forced.size,
        spikes_matched=1.0 - missed / spikes,
        spikes_same_step=1.0 - (early + late + missed) / spikes,
        shifted=(early + late) / spikes,
        missed=missed / spikes,
        extra=extra / spikes,
        spike_count_error=abs(extra - missed) / spikes,
        free_v_mem_rmse=float(np.sqrt(np.mean(free**2))),
        free_v_mem_error=_spread(np.abs(free)),
        latency=_spread(latency),
        timing_error=_spread(np.repeat([0.0, first.step], [same, early + late])),
        energy=total,
        energy_error=_share(off, total),
        energy_by_supply={name: e for name, e, _ in each},
        energy_error_by_supply={name: _share(d, e) for name, e, d in each if e},
        judged_energy_error_by_supply={name: _share(d, max(abs(e), floor)) for name, e, d in each},
        energy_error_per_step=_spread(np.abs(per_step) / (abs(total) / forced.size or 1.0)),
        failures=tuple(failures),
    )


def _share(error: float, whole: float) -> float:
    if error == 0:
        return 0.0
    return error / abs(whole) if whole else float("inf")


def _spread(sizes: Array) -> Spread:
    sizes = sizes[np.isfinite(sizes)]
    p50, p95, p99, most = np.percentile(sizes, [50, 95, 99, 100]).tolist() if sizes.size else [np.nan] * 4
    return Spread(p50=p50, p95=p95, p99=p99, max=most)
