"""What single steps from a neuron at rest cannot show, put into its table: the mean error of a step on trains of charges.

A neuron in use is never quite at rest. What the pulses of one step leave on the synapse lines moves the membrane in the next, and
between nodes a bent map is read as straight. Both are small, but always of one sign, and a membrane adds them up: spikes feel the bias of
a step, hardly its scatter. So the table is held against ngspice along trains of charges that no other figure uses, and its
nodes move to where the mean error of the steps around them vanishes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from snncircuit import lookup
from snncircuit.characterise.drive import Drive, Sample
from snncircuit.characterise.scale import Experiment, Scale
from snncircuit.characterise.trains import trains
from snncircuit.table import OperatingTable

Array = NDArray[np.float64]

SEED = 20240
_TRAINS, _STEPS = 120, 45  # of each kind 24; many short trains tell more than few long ones
_IDLE, _IDLE_STEPS = 64, 4  # starts without input, steps from each
_IDLE_VISITS = 5  # how much each of these steps counts
_HIGHEST_IDLE = 0.98  # thresholds
_STIFFNESS = 0.3  # visits that move a node half as far as the error around it
_MISJUDGED = (
    0.05  # thresholds; a step this wrong is none of small errors: its spike ran on into the next step, say
)
_FURTHEST = 0.01  # thresholds by which a node moves at most
ORIGIN: Mapping[str, int] = {
    "trains": _TRAINS,
    "steps": _STEPS,
    "idle": _IDLE * (_IDLE_STEPS - 1),
    "seed": SEED,
}
"""What a table's provenance says of it: trains at each operating point, steps of each, steps without input, seed."""


def calibrated(table: OperatingTable, scale: Scale) -> Experiment[OperatingTable]:
    """The table with residuals and energies that are right on average along trains of charges, and without input from any start.

    Steps without input are the most frequent of all, and lie where excitation and inhibition balance: near the floor, where one of them
    gives way, the step has a ridge there that runs across the cells of the table. A membrane at rest repeats the error of one such step
    over and over, and in its first one it is still finding its place: that step is left out.

    Args:
        table: measured node by node.
        scale: what one threshold is there.
    """
    drives = trains(table, _TRAINS, _STEPS, SEED).drives(table)
    idle = [
        scale.drive(float(v), *[(0.0, 0.0)] * _IDLE_STEPS)
        for v in np.linspace(min(table.start[1], 0.0), _HIGHEST_IDLE, _IDLE)
    ]
    samples = yield [*drives, *idle]
    still = [_settled(d, s) for d, s in zip(idle, samples[len(drives) :], strict=True) if s.failure is None]
    still *= _IDLE_VISITS
    return polished(
        table,
        scale,
        [*drives, *(d for d, _ in still)],
        [*samples[: len(drives)], *(s for _, s in still)],
    )


def _settled(drive: Drive, sample: Sample) -> tuple[Drive, Sample]:
    """Both without their first step."""
    later = Drive(v_mem=sample.v_mem[1], q_exc=drive.q_exc[1:], q_inh=drive.q_inh[1:])
    energy = tuple(each[1:] for each in sample.energy)
    return later, replace(
        sample, v_mem=sample.v_mem[1:], spikes=sample.spikes[1:], energy=energy, latency=None
    )


def polished(
    table: OperatingTable, scale: Scale, drives: Sequence[Drive], samples: Sequence[Sample]
) -> OperatingTable:
    """The table moved to the steps of some samples, by ridge regression.

    Each sheet (silent, one spike, two, …) moves as a whole by the mean error of its steps, and each node further as far as its visits
    bear it out. Only steps on whose spikes table and sample agree count, and the less the nearer they are to an error of 5 % of the
    threshold (Tukey's biweight), which is none that nodes can mend; failed samples do not. No node moves by more than 1 % of the threshold.

    Args:
        table: to be moved.
        scale: what one threshold is there.
        drives: of several steps, SI units.
        samples: of the drives.
    """
    steps = [(w, e) for w, e in _steps(table, scale, drives, samples) if e.size]
    if not steps:
        return table
    weights, wanted = sparse.vstack([w for w, _ in steps]).tocsr(), np.concatenate([e for _, e in steps])
    sheets = np.arange(table.count[-1] + 1)[:, None] == np.broadcast_to(
        table.count, table.residual.shape
    ).reshape(1, -1)
    met = [sheet for sheet in sheets if (weights @ sheet).any()]
    whole = np.stack(met, axis=1).astype(float)
    design = sparse.hstack([weights, sparse.csr_matrix(weights @ whole)]).tocsr()
    stiff = np.concatenate([np.full(weights.shape[1], _STIFFNESS), np.zeros(whole.shape[1])])
    solved = np.linalg.solve((design.T @ design).toarray() + np.diag(stiff), design.T @ wanted)
    moved = solved[: whole.shape[0]] + whole @ solved[whole.shape[0] :]
    residual, *energy = moved.T.reshape(-1, *table.residual.shape)
    residual = np.clip(residual, -_FURTHEST, _FURTHEST)
    return replace(table, residual=table.residual + residual, energy=table.energy + np.stack(energy))


def _steps(
    table: OperatingTable, scale: Scale, drives: Sequence[Drive], samples: Sequence[Sample]
) -> Iterator[tuple[sparse.csr_matrix, Array]]:
    """Of each sample: how its steps weigh the nodes, and what the table lacks there: membrane (thresholds), then energies (J)."""
    for drive, sample in zip(drives, samples, strict=True):
        if sample.failure is not None:
            continue
        v_mem = (np.array(sample.v_mem) - scale.rest) / scale.volts
        exc, inh = (np.array(q) / scale.charge for q in (drive.q_exc, drive.q_inh))
        answer = lookup.step(table, v_mem[:-1], exc, inh)
        _, spikes, around = lookup.place(table, v_mem[:-1], exc, inh)
        lack = np.stack([v_mem[1:] - answer.v_mem, *(np.array(sample.energy) - answer.energy)], axis=1)
        same = spikes == np.array(sample.spikes)
        trust = np.where(same, np.clip(1.0 - (lack[:, 0] / _MISJUDGED) ** 2, 0.0, None), 0.0)
        at = np.stack([np.ravel_multi_index(node, table.residual.shape) for node, _ in around], axis=1)
        by = np.stack([weight for _, weight in around], axis=1) * trust[:, None]
        steps = np.repeat(np.arange(spikes.size), len(around))
        matrix = sparse.csr_matrix(
            (by.ravel(), (steps, at.ravel())), shape=(spikes.size, table.residual.size)
        )
        counted = trust > 0
        yield matrix[counted], (lack * trust[:, None])[counted]
