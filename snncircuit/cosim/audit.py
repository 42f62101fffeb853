"""What an audit found: neurons of a network run beside ngspice with the very charges that they received in the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snncircuit.characterise.drive import Drive, OperatingPoint
from snncircuit.cosim.agreement import Agreement, Bar, TrainErrors, pool
from snncircuit.cosim.intervals import Intervals, bootstrap
from snncircuit.cosim.repeat import Passage
from snncircuit.errors import AgreementError

WORST = "free-running rms difference of the membrane"
"""By what the worst neuron is chosen: a spike missed, extra or in another step is a difference of about a threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A neuron of the run beside ngspice with the same charges.

    Attributes:
        passage: what the neuron received and did in the run.
        drive: the same charges in SI units, as ngspice got them; from rest.
        errors: of the run (free-running) and of the table (teacher-forced).
    """

    passage: Passage
    drive: Drive
    errors: TrainErrors

    @property
    def distance(self) -> float:
        """Free-running rms difference of the membrane, thresholds."""
        return float(np.sqrt(np.mean(self.errors.free_error**2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The sampled neurons of a run against ngspice.

    Attributes:
        point: where ngspice ran.
        replays: of each neuron whose simulation succeeded, one or more.
        failures: of the others, with their reasons.
        seed: of the bootstrap.
        rounding: largest difference of a membrane of the run from the definition of the table's step, thresholds.
        steps_differing: steps of the run whose spikes are not those of that definition; 0 but for rare ties.
    """

    point: OperatingPoint
    replays: tuple[Replay, ...]
    failures: tuple[str, ...]
    seed: int
    rounding: float
    steps_differing: int

    @property
    def agreement(self) -> Agreement:
        """The figures of all neurons."""
        return pool([r.errors for r in self.replays], self.failures)

    @property
    def layers(self) -> dict[str, tuple[Replay, ...]]:
        """The neurons of each layer, layers in the order of the sample."""
        names = dict.fromkeys(r.passage.place.layer for r in self.replays)
        return {name: tuple(r for r in self.replays if r.passage.place.layer == name) for name in names}

    @property
    def worst(self) -> Replay:
        """The neuron of the largest ``distance``."""
        return max(self.replays, key=lambda r: r.distance)

    def bars(self) -> dict[str, Bar]:
        """What was asked of the agreement, and whether it is met.

        The bias per step differs more from neuron to neuron than it may be on average, so a few neurons cannot tell so small a mean:
        it is missed when the confidence interval, too, lies beyond the bar. All else is judged as it was found.
        """
        bars, intervals = self.agreement.bars(), self.intervals(self.replays)
        if intervals is not None:
            (low, high), bias = intervals.figures["bias"], bars["bias"]
            bars["bias"] = replace(bias, met=bias.met or (low <= bias.limit and high >= -bias.limit))
        return bars

    def intervals(self, replays: Sequence[Replay]) -> Intervals | None:
        """Confidence intervals of the figures of some of the neurons; each layer's share of the sample is given."""
        return bootstrap([r.errors for r in replays], [r.passage.place.layer for r in replays], self.seed)

    def to_json(self) -> dict[str, Any]:
        """Plain data, keys as in the documentation of ``snncircuit audit --json``."""
        worst = self.worst
        return {
            **self._figures(self.replays),
            "bars": {name: bar.to_json() for name, bar in self.bars().items()},
            "layers": {name: self._figures(some) for name, some in self.layers.items()},
            "neurons": [{**_name(r), **_brief(pool([r.errors]))} for r in self.replays],
            "worst": {**_name(worst), "criterion": WORST, "distance": worst.distance},
            "repetition": {
                "largest_rounding": self.rounding,
                "steps_with_other_spikes": self.steps_differing,
            },
            "failures": list(self.failures),
        }

    def check(self) -> None:
        """Refuse a table that is not the circuit.

        Raises:
            AgreementError: naming each bar that is missed, by how much, and each simulation that failed.
        """
        missed = [
            f"{name} {100 * bar.found:.3g} % (expected {'at least' if name == 'spikes_matched' else 'at most'} "
            f"{100 * bar.limit:g} %)"
            for name, bar in self.bars().items()
            if not bar.met
        ]
        missed += [f"a simulation failed: {failure}" for failure in self.failures]
        if missed:
            p = self.point
            msg = (
                f"the neurons of the run are not what ngspice makes of the circuit at {p.corner}, {p.temperature:g} degC, v_dd "
                f"{p.v_dd:g} V, v_neg {p.v_neg:g} V: {'; '.join(missed)}"
            )
            raise AgreementError(msg)

    def _figures(self, replays: Sequence[Replay]) -> dict[str, Any]:
        intervals = self.intervals(replays)
        return {
            "n_neurons": len(replays),
            **_brief(pool([r.errors for r in replays])),
            "confidence": None if intervals is None else intervals.to_json(),
        }


def _name(r: Replay) -> dict[str, Any]:
    place = r.passage.place
    return {"layer": place.layer, "index": place.index, "image": place.image, "stratum": place.stratum}


def _brief(found: Agreement) -> dict[str, Any]:
    """The figures of an agreement side by side, without their percentiles."""
    names = (
        "n_steps",
        "n_spikes",
        "spikes_matched",
        "spikes_same_step",
        "shifted",
        "missed",
        "extra",
        "spike_count_error",
        "free_v_mem_rmse",
        "v_mem_rmse",
        "bias",
        "spikes_disagreeing",
        "energy",
        "energy_error",
    )
    by_supply = ("energy_by_supply", "energy_error_by_supply", "judged_energy_error_by_supply")
    return {name: getattr(found, name) for name in names} | {n: dict(getattr(found, n)) for n in by_supply}
