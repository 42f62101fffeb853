"""Charge trains that a table has never seen: random ones, and ones made to bring out what a table may get wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncircuit import lookup
from snncircuit.characterise.drive import Drive
from snncircuit.table import OperatingTable

Array = NDArray[np.float64]
Charges = tuple[Array, Array]  # q_exc and q_inh of some steps, thresholds

_RETURN = 40  # steps that a parked membrane is left alone before it is sent over the edge and parked again


@dataclass(frozen=True, slots=True, kw_only=True)
class Trains:
    """Charge trains of N neurons over T steps.

    Attributes:
        q_exc: thresholds, shape (N, T), >= 0.
        q_inh: likewise.
        kind: shape (N, T), index into ``KINDS``.
    """

    q_exc: Array
    q_inh: Array
    kind: NDArray[np.int64]

    def drives(self, table: OperatingTable) -> list[Drive]:
        """The same in SI units, each from rest."""
        charge = table.figures["threshold_charge"]
        return [
            Drive(v_mem=table.rest, q_exc=tuple((e * charge).tolist()), q_inh=tuple((i * charge).tolist()))
            for e, i in zip(self.q_exc, self.q_inh, strict=True)
        ]


def trains(table: OperatingTable, n_neurons: int, n_steps: int, seed: int) -> Trains:
    """One kind of drive after the other, along the trains and from train to train, so that all are met.

    Where there are fewer neurons than ``KINDS``, each train is cut into as many parts as it takes. Charges beyond the table's largest
    common charge are cut.

    Args:
        table: says where the membrane is, which parking it has to know; and the largest charges.
        n_neurons: number of trains.
        n_steps: steps of each.
        seed: same table and seed, same trains.
    """
    n_parts = min(-(-len(KINDS) // n_neurons), n_steps)
    bounds = np.linspace(0, n_steps, n_parts + 1).astype(int)
    shape = (n_neurons, n_steps)
    exc, inh, kind = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64)
    most = float(table.q_common[-1])
    makers = list(KINDS.values())
    for neuron in range(n_neurons):
        random = np.random.default_rng([seed, neuron])
        v_mem = 0.0
        for part in range(n_parts):
            steps = slice(int(bounds[part]), int(bounds[part + 1]))
            which = (neuron * n_parts + part) % len(KINDS)
            made = makers[which](random, steps.stop - steps.start, table, v_mem)
            exc[neuron, steps], inh[neuron, steps] = (np.clip(q, 0.0, most) for q in made)
            kind[neuron, steps] = which
            for e, i in zip(exc[neuron, steps], inh[neuron, steps], strict=True):
                v_mem = float(lookup.step(table, v_mem, e, i).v_mem)
    return Trains(q_exc=exc, q_inh=inh, kind=kind)


def _random(random: np.random.Generator, n_steps: int, _table: OperatingTable, _v_mem: float) -> Charges:
    """Two-sided; now and then excitation pauses and inhibition pulls the membrane far below rest."""
    strength, net = random.uniform(0.2, 0.8), random.uniform(0.05, 0.35)
    exc = strength * random.gamma(2.0, 0.5, n_steps)
    inh = max(strength - net, 0.02) * random.gamma(2.0, 0.5, n_steps)
    for start in np.nonzero(random.random(n_steps) < 0.01)[0]:
        pause = slice(int(start), int(start) + int(random.integers(4, 12)))
        exc[pause] *= random.random() < 0.3
        inh[pause] += random.uniform(0.1, 0.6)
    return exc, inh


def _bursts(random: np.random.Generator, n_steps: int, _table: OperatingTable, _v_mem: float) -> Charges:
    """Volleys of strong excitation, now and then of inhibition, with nothing in between."""
    exc, inh = np.zeros(n_steps), np.zeros(n_steps)
    at = 0
    while at < n_steps:
        volley = slice(at, at + int(random.integers(3, 9)))
        size = exc[volley].size
        (inh if random.random() < 0.25 else exc)[volley] = random.uniform(0.3, 1.2, size)
        at = volley.stop + int(random.integers(3, 16))
    return exc, inh


def _silence(random: np.random.Generator, n_steps: int, table: OperatingTable, v_mem: float) -> Charges:
    """Some random steps, then none for most of the time, then some again, whose spikes tell what leaked meanwhile."""
    exc, inh = _random(random, n_steps, table, v_mem)
    quiet = slice(n_steps // 8, n_steps - n_steps // 8)
    exc[quiet] = inh[quiet] = 0.0
    return exc, inh


def _rail(random: np.random.Generator, n_steps: int, _table: OperatingTable, _v_mem: float) -> Charges:
    """Inhibition that outweighs everything, to the rail and on, then back up until the neuron fires."""
    down = n_steps // 3
    exc, inh = random.uniform(0.0, 0.4, n_steps), random.uniform(0.2, 1.5, n_steps)
    inh[down:] *= 0.1
    return exc, inh


def _parking(random: np.random.Generator, n_steps: int, table: OperatingTable, v_mem: float) -> Charges:
    """The membrane 1 to 2 % of the threshold below its firing edge, small charges up and down by turns; over the edge now and then."""
    exc, inh = np.zeros(n_steps), np.zeros(n_steps)
    for k in range(n_steps):
        edge = float(np.interp(v_mem, table.start, table.edge[0, :, 0]))
        if k % _RETURN == _RETURN - 1:
            aim = edge + random.uniform(0.05, 0.3)
        elif v_mem < edge - 0.02:
            aim = edge - random.uniform(0.01, 0.012)
        else:
            aim = v_mem + (random.uniform(0.001, 0.008) if k % 2 else -random.uniform(0.001, 0.008))
            aim = min(aim, edge - 0.01)
        exc[k], inh[k] = max(aim - v_mem, 0.0), max(v_mem - aim, 0.0) / table.figures["gain_inh"]
        exc[k] = min(exc[k], float(table.q_common[-1]))
        v_mem = float(lookup.step(table, v_mem, exc[k], inh[k]).v_mem)
    return exc, inh


KINDS: dict[str, Callable[[np.random.Generator, int, OperatingTable, float], Charges]] = {
    "random": _random,
    "parking": _parking,
    "rail": _rail,
    "silence": _silence,
    "bursts": _bursts,
}
