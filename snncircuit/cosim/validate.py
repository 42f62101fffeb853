"""A table held against live ngspice: random two-sided charge trains that were never part of its characterisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncircuit import lookup
from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample
from snncircuit.characterise.run import Laboratory, Pool, provenance
from snncircuit.errors import TableError
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.netlist import ModelCards
from snncircuit.table import OperatingTable, TransferTable

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How well a table tells what its circuit does, at one operating point.

    Attributes:
        point: the operating point.
        v_mem_rmse: teacher-forced (the membrane of each step's start taken from SPICE), over the steps whose spikes agree,
            fraction of the threshold.
        bias: mean of the same error per step, fraction of the threshold.
        spikes_disagreeing: teacher-forced steps whose spike count differs, fraction of all steps.
        spikes_matched: free-running (the table on its own from the first step), SPICE spikes with a spike of the table within one
            step, fraction.
        spike_count_error: free-running, difference of the total counts over the count of SPICE.
        energy_error: free-running, difference of the total energy over that of SPICE.
        energy_error_by_supply: the same of each supply, over the total energy of that supply.
        n_spikes: spikes of SPICE.
        energy: J, of SPICE.
        failures: simulations that failed, with their reasons.
    """

    point: Mapping[str, Any]
    v_mem_rmse: float
    bias: float
    spikes_disagreeing: float
    spikes_matched: float
    spike_count_error: float
    energy_error: float
    energy_error_by_supply: Mapping[str, float]
    n_spikes: int
    energy: float
    failures: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data, keys as in the documentation of ``snncircuit validate --json``."""
        return {
            **self.point,
            "teacher_forced": {
                "v_mem_rmse": self.v_mem_rmse,
                "bias": self.bias,
                "spikes_disagreeing": self.spikes_disagreeing,
            },
            "free_running": {
                "spikes_matched": self.spikes_matched,
                "spike_count_error": self.spike_count_error,
                "n_spikes": self.n_spikes,
            },
            "energy_error": self.energy_error,
            "energy_error_by_supply": dict(self.energy_error_by_supply),
            "energy": self.energy,
            "failures": list(self.failures),
        }


def charge_trains(
    n_neurons: int, n_steps: int, seed: int, largest: tuple[float, float]
) -> tuple[Array, Array]:
    """Random excitatory and inhibitory charges, each of shape (neurons, steps), in thresholds.

    Every neuron has its own mean drive; now and then excitation pauses and inhibition pulls the membrane far below rest.

    Args:
        n_neurons: number of trains.
        n_steps: steps of each.
        seed: same seed, same trains.
        largest: charges above (q_exc, q_inh) are cut.
    """
    random = np.random.default_rng(seed)
    strength = random.uniform(0.2, 0.8, (n_neurons, 1))
    net = random.uniform(0.05, 0.35, (n_neurons, 1))
    exc = strength * random.gamma(2.0, 0.5, (n_neurons, n_steps))
    inh = np.maximum(strength - net, 0.02) * random.gamma(2.0, 0.5, (n_neurons, n_steps))
    for neuron in range(n_neurons):
        for start in np.nonzero(random.random(n_steps) < 0.01)[0]:
            burst = slice(int(start), int(start) + int(random.integers(4, 12)))
            exc[neuron, burst] *= random.random() < 0.3
            inh[neuron, burst] += random.uniform(0.1, 0.6)
    return np.minimum(exc, largest[0]), np.minimum(inh, largest[1])


def validate(
    table: TransferTable,
    cell: NeuronCell,
    cards: Callable[[str], ModelCards],
    points: Sequence[OperatingPoint],
    *,
    pool: Pool,
    cache: SampleCache,
    n_steps: int = 1000,
    n_neurons: int = 4,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Agreement]:
    """Compare the table with ngspice at some of its operating points.

    Args:
        table: what is checked.
        cell: the neuron that the table claims to be.
        cards: the model cards of a corner.
        points: where; each must be in the table.
        pool: runs decks.
        cache: keeps finished simulations.
        n_steps: network steps of each simulation.
        n_neurons: simulations at each operating point.
        seed: of the charge trains.
        progress: called with (simulations finished, all).

    Raises:
        TableError: when a point is not in the table, or every simulation of a point failed.
    """
    tables = [
        table.at(corner=p.corner, temperature=p.temperature, v_dd=p.v_dd, v_neg=p.v_neg) for p in points
    ]
    _check_origin(table, cell)
    laboratory = Laboratory(
        cell=cell, cards={c: cards(c) for c in {p.corner for p in points}}, pool=pool, cache=cache
    )
    wave = [
        (p, drive)
        for p, t in zip(points, tables, strict=True)
        for drive in _drives(t, n_neurons, n_steps, seed)
    ]
    samples: dict[int, Sample] = {}
    for index, sample in laboratory.answer(wave):
        samples[index] = sample
        progress(len(samples), len(wave))
    return [
        compare(t, [wave[k][1] for k in block], [samples[k] for k in block])
        for t, block in zip(
            tables, np.arange(len(wave)).reshape(len(points), n_neurons).tolist(), strict=True
        )
    ]


def compare(table: OperatingTable, drives: Sequence[Drive], samples: Sequence[Sample]) -> Agreement:
    """The agreement of a table with samples of several steps; drives in SI units, as ngspice received them."""
    failures = tuple(s.failure for s in samples if s.failure is not None)
    pairs = [(d, s) for d, s in zip(drives, samples, strict=True) if s.failure is None]
    if not pairs:
        msg = f"no simulation at {dict(table.point)} succeeded, so there is nothing to hold the table against: {failures[0]}"
        raise TableError(msg)
    volts, charge = table.figures["threshold"], table.figures["threshold_charge"]
    exc = np.array([d.q_exc for d, _ in pairs]) / charge
    inh = np.array([d.q_inh for d, _ in pairs]) / charge
    v_mem = (np.array([s.v_mem for _, s in pairs]) - table.rest) / volts
    spikes = np.array([s.spikes for _, s in pairs])
    energy = np.array([s.energy for _, s in pairs]).sum(axis=(0, 2))

    forced = lookup.step(table, v_mem[:, :-1], exc, inh)
    same = forced.spikes == spikes
    errors = (forced.v_mem - v_mem[:, 1:])[same]
    own_spikes, own_energy = _free_run(table, v_mem[:, 0], exc, inh)
    n_spikes = int(spikes.sum())
    names = [s.name for s in table.supplies]
    return Agreement(
        point=table.point,
        v_mem_rmse=float(np.sqrt(np.mean(errors**2))) if errors.size else float("nan"),
        bias=float(errors.mean()) if errors.size else float("nan"),
        spikes_disagreeing=float(1.0 - same.mean()),
        spikes_matched=matched(spikes, own_spikes),
        spike_count_error=abs(int(own_spikes.sum()) - n_spikes) / max(n_spikes, 1),
        energy_error=float(abs(own_energy.sum() - energy.sum()) / abs(energy.sum())),
        energy_error_by_supply={
            n: float(abs(a - b) / abs(b)) for n, a, b in zip(names, own_energy, energy, strict=True) if b
        },
        n_spikes=n_spikes,
        energy=float(energy.sum()),
        failures=failures,
    )


def matched(spikes: NDArray[np.int64], own: NDArray[np.int64]) -> float:
    """Share of ``spikes`` that have a partner in ``own`` within one step, each partner used once; both of shape (neurons, steps)."""
    found = 0
    for train, other in zip(spikes, own, strict=True):
        mine, theirs = np.repeat(np.arange(train.size), train), np.repeat(np.arange(other.size), other)
        j = 0
        for t in mine:
            while j < theirs.size and theirs[j] < t - 1:
                j += 1
            if j < theirs.size and theirs[j] <= t + 1:
                found += 1
                j += 1
    return found / max(int(spikes.sum()), 1)


def _check_origin(table: TransferTable, cell: NeuronCell) -> None:
    measured, now = table.provenance.get("netlist"), provenance(cell, {}, "")["netlist"]
    if measured != now:
        msg = (
            f"table {table.name} was measured from another netlist than {cell.netlist.path or cell.name}: expected the SHA-256 "
            f"{measured}, found {now}; characterise the neuron again"
        )
        raise TableError(msg)


def _drives(table: OperatingTable, n_neurons: int, n_steps: int, seed: int) -> list[Drive]:
    charge = table.figures["threshold_charge"]
    largest = float(table.q_common[-1])
    exc, inh = charge_trains(n_neurons, n_steps, seed, (largest, largest))
    return [
        Drive(v_mem=table.rest, q_exc=tuple((e * charge).tolist()), q_inh=tuple((i * charge).tolist()))
        for e, i in zip(exc, inh, strict=True)
    ]


def _free_run(table: OperatingTable, start: Array, exc: Array, inh: Array) -> tuple[NDArray[np.int64], Array]:
    v, spikes, energy = start, np.zeros(exc.shape, dtype=np.int64), np.zeros(len(table.supplies))
    for k in range(exc.shape[1]):
        answer = lookup.step(table, v, exc[:, k], inh[:, k])
        v, spikes[:, k] = answer.v_mem, answer.spikes
        energy += answer.energy.sum(axis=1)
    return spikes, energy
