"""What a table says of one charge train against what ngspice did with it, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncircuit import lookup
from snncircuit.characterise.drive import Drive, Sample
from snncircuit.cosim.pairs import Pairs, pair
from snncircuit.errors import TableError
from snncircuit.table import OperatingTable

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeRun:
    """A table on its own along T steps: membrane after each step (thresholds), spikes, energy (J) of shape (supplies, T)."""

    v_mem: Array
    spikes: Counts
    energy: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainErrors:
    """One charge train of T steps, in ngspice and in a table; S supplies. Errors are table minus SPICE.

    Teacher-forced means that each step of the table starts from the membrane of SPICE; free-running that the table went on its own from
    the first membrane.

    Attributes:
        point: the operating point.
        supplies: names of the supplies.
        step: s, one network step.
        spikes: shape (T,), of SPICE.
        energy: J, shape (S, T), of SPICE.
        latency: s, shape (T,), first spike of SPICE after the start of the step; NaN without one or where it is not known.
        forced_error: thresholds, shape (T,), membrane after a teacher-forced step; NaN where its spike count differs from that of SPICE.
        forced_energy: J, shape (S, T), of teacher-forced steps.
        own: the free run.
        free_error: thresholds, shape (T,), membrane of the free run after each step.
        pairs: which spike of SPICE has a partner in the free run.
    """

    point: Mapping[str, Any]
    supplies: tuple[str, ...]
    step: float
    spikes: Counts
    energy: Array
    latency: Array
    forced_error: Array
    forced_energy: Array
    own: FreeRun
    free_error: Array
    pairs: Pairs

    def part(self, steps: NDArray[np.bool_] | slice) -> TrainErrors:
        """The same over some of the steps only; spikes keep the partners that they have in the whole train."""
        p, o = self.pairs, self.own
        return TrainErrors(
            point=self.point,
            supplies=self.supplies,
            step=self.step,
            spikes=self.spikes[steps],
            energy=self.energy[:, steps],
            latency=self.latency[steps],
            forced_error=self.forced_error[steps],
            forced_energy=self.forced_energy[:, steps],
            own=FreeRun(v_mem=o.v_mem[steps], spikes=o.spikes[steps], energy=o.energy[:, steps]),
            free_error=self.free_error[steps],
            pairs=Pairs(
                early=p.early[steps],
                same=p.same[steps],
                late=p.late[steps],
                missed=p.missed[steps],
                extra=p.extra[steps],
            ),
        )


def errors_of(table: OperatingTable, drive: Drive, sample: Sample, own: FreeRun | None = None) -> TrainErrors:
    """Hold a table against the sample of a drive of T steps; the drive in SI units, as ngspice received it.

    Args:
        table: at the operating point of the sample, its supplies in the order of ``Sample.energy``.
        drive: what ngspice was given.
        sample: what it answered.
        own: what took the place of ngspice in a network; by default the table is run from the first membrane of the sample.

    Raises:
        TableError: when the simulation failed.
    """
    if sample.failure is not None:
        msg = f"the simulation at {dict(table.point)} failed, so there is nothing to hold the table against: {sample.failure}"
        raise TableError(msg)
    charge = table.figures["threshold_charge"]
    exc, inh = np.array(drive.q_exc) / charge, np.array(drive.q_inh) / charge
    v_mem = (np.array(sample.v_mem) - table.rest) / table.figures["threshold"]
    spikes = np.array(sample.spikes, dtype=np.int64)
    forced = lookup.step(table, v_mem[:-1], exc, inh)
    if own is None:
        own = free_run(table, float(v_mem[0]), exc, inh)
    latency = [np.nan if t is None else t for t in sample.latency or [None] * spikes.size]
    return TrainErrors(
        point=table.point,
        supplies=tuple(s.name for s in table.supplies),
        step=table.step,
        spikes=spikes,
        energy=np.array(sample.energy),
        latency=np.array(latency),
        forced_error=np.where(forced.spikes == spikes, forced.v_mem - v_mem[1:], np.nan),
        forced_energy=forced.energy,
        own=own,
        free_error=own.v_mem - v_mem[1:],
        pairs=pair(spikes, own.spikes),
    )


def free_run(table: OperatingTable, v_mem: float, exc: Array, inh: Array) -> FreeRun:
    """The table on its own from the membrane ``v_mem`` along charges of shape (T,), all in thresholds."""
    v = np.empty(exc.size + 1)
    v[0] = v_mem
    spikes, energy = np.zeros(exc.size, dtype=np.int64), np.empty((len(table.supplies), exc.size))
    for k in range(exc.size):
        answer = lookup.step(table, v[k], exc[k], inh[k])
        v[k + 1], spikes[k], energy[:, k] = answer.v_mem, answer.spikes, answer.energy
    return FreeRun(v_mem=v[1:], spikes=spikes, energy=energy)
