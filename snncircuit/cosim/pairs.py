"""Which spike of one train belongs to which spike of another, when partners may lie one step apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

_Score = tuple[int, int]  # pairs, and those of the same step
_Move = tuple[int, int, int, int]  # left over before the step, then pairs: early, same, late


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The partners of the spikes of a train of T steps; each array of shape (T,) counts.

    Attributes:
        early: spikes of a step whose partner came one step before.
        same: spikes whose partner came in the same step.
        late: spikes whose partner came one step after.
        missed: spikes without a partner.
        extra: spikes of the other train without a partner, in its own steps.
    """

    early: Counts
    same: Counts
    late: Counts
    missed: Counts
    extra: Counts


def pair(spikes: Counts, own: Counts) -> Pairs:
    """Give as many ``spikes`` as possible a partner in ``own`` within one step, and of all such ways take that with most in the same step.

    Both of shape (T,), counts per step. A dynamic programme over the steps: what a step hands to the next is how many of its spikes wait
    for a late partner (> 0) or how many of the other train wait to be an early one (< 0); both at once could be paired with each other.
    """
    states: dict[int, _Score] = {0: (0, 0)}
    moves: list[dict[int, _Move]] = []
    for mine, theirs in zip(spikes.tolist(), own.tolist(), strict=True):
        following: dict[int, _Score] = {}
        taken: dict[int, _Move] = {}
        for waiting, (pairs, together) in states.items():
            across = min(waiting, theirs) if waiting > 0 else min(-waiting, mine)
            for crossing in range(across + 1):
                late, early = (crossing, 0) if waiting > 0 else (0, crossing)
                same = min(mine - early, theirs - late)
                left = (mine - early) - (theirs - late)
                score = (pairs + crossing + same, together + same)
                if left not in following or score > following[left]:
                    following[left], taken[left] = score, (waiting, early, same, late)
        states = following
        moves.append(taken)
    return _traced(spikes, own, max(states, key=lambda left: states[left]), moves)


def _traced(spikes: Counts, own: Counts, left: int, moves: list[dict[int, _Move]]) -> Pairs:
    early, same, late = (np.zeros(spikes.size, dtype=np.int64) for _ in range(3))
    used = np.zeros(spikes.size, dtype=np.int64)
    for step in reversed(range(spikes.size)):
        waiting, early[step], same[step], crossing = moves[step][left]
        used[step] += same[step] + crossing
        if crossing:
            late[step - 1] = crossing
        if early[step]:
            used[step - 1] += early[step]
        left = waiting
    return Pairs(early=early, same=same, late=late, missed=spikes - early - same - late, extra=own - used)
