"""Where a step is measured: nodes that crowd where a neuron is not smooth, at its floor, at its firing edge and at its upper end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MARGIN = 1e-3  # thresholds between a firing edge and the nearest node; above the tolerance of the edge search
_START_AROUND_FLOOR = (-0.9, 0.0, 0.4, 0.9, 1.7, 2.7, 4.2, 6.8, 10.6)  # widths of the bend; a spike amid
# inhibition may leave the membrane below the floor
_START_BELOW_EDGE = (0.05, 0.005)
_BELOW_HIGH = 0.04  # thresholds, likewise where a neuron has no start as high as its edge
_BELOW_EDGE = (MARGIN, 0.02, 0.08, 0.2, 0.4)  # inverters near their trip point burn more the nearer they are
_AROUND_FLOOR = (
    -12.0,
    -4.5,
    -2.4,
    -1.4,
    -0.7,
    0.0,
    0.5,
    1.1,
    1.7,
    2.4,
    3.5,
    5.3,
    8.3,
    13.6,
)  # widths of the bend
_BEYOND = 0.1  # thresholds beyond the strongest inhibition of the lowest start
# What is left of a pulse after a reset to rest bends where the reset outlasts it, within the first half of the way.
_BETWEEN_EDGES = (MARGIN, 0.03, 0.08, 0.15, 0.23, 0.33, 0.5, 0.7, 1.0 - 2 * MARGIN)
_BEYOND_LAST = (MARGIN, 0.15)
_AROUND_TOP = (-7.5, -4.2, -2.7, -1.6, -0.8, 0.0, 0.8, 1.7, 3.0, 6.0)  # widths of the bend
_ROOM = 0.85  # of the way from the floor to the first node below the edge, which the nodes around the floor may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Bend:
    """Where an end of the membrane's range bends the step: a soft corner, ``width * log(1 + exp(x / width))`` about it.

    Attributes:
        at: would-be membrane, thresholds above rest.
        width: thresholds.
    """

    at: float
    width: float


def starts(floor: Bend, v_high: float) -> NDArray[np.float64]:
    """Membranes at the start of a step, shape (V,), thresholds, ascending from just below the floor to ``v_high``."""
    first, last = (1.0 - d for d in _START_BELOW_EDGE)
    first = min(first, v_high - _BELOW_HIGH)
    near = _near(floor, _START_AROUND_FLOOR, first)
    # A neuron that fires by itself may have no start that is measured so close to its edge.
    below = [first, last] if last < (first + v_high) / 2 else [first]
    return np.array([*near, (near[-1] + first) / 2, *below, v_high])


def counts(max_spikes: int) -> NDArray[np.int64]:
    """Spike count of each node, shape (K,), ascending."""
    sizes = [1 + len(_AROUND_FLOOR) + 1 + len(_BELOW_EDGE)]
    sizes += [len(_BETWEEN_EDGES)] * (max_spikes - 1) + [len(_BEYOND_LAST) + len(_AROUND_TOP) + 1]
    return np.repeat(np.arange(max_spikes + 1), sizes)


def overdrives(
    floor: Bend, top: Bend, v_high: float, net_exc: float, net_inh: float, max_spikes: int
) -> NDArray[np.float64]:
    """Overdrive of each node, shape (K,), as defined in ``snncircuit.table``; ascending within a count.

    Args:
        floor: the lower end of the membrane.
        top: its upper end, beyond ``max_spikes`` thresholds.
        v_high: highest start of a step, thresholds.
        net_exc: strongest net excitation, thresholds.
        net_inh: strongest net inhibition, thresholds.
        max_spikes: most spikes in a step.
    """
    first = 1.0 - _BELOW_EDGE[-1]
    near = _near(floor, _AROUND_FLOOR, first)
    lowest = min(starts(floor, v_high)[0] - net_inh - _BEYOND, near[0] - _BEYOND)
    silent = [lowest, *near, (near[-1] + first) / 2]
    beyond = top.at - max_spikes
    width = min(top.width, (beyond - 2 * _BEYOND_LAST[-1]) / -_AROUND_TOP[0])
    around = [beyond + d * width for d in _AROUND_TOP]
    last = max(v_high + net_exc + _BEYOND - max_spikes, around[-1] + 0.5)
    return np.array(
        [
            *(x - 1.0 for x in silent),
            *(-d for d in reversed(_BELOW_EDGE)),
            *(_BETWEEN_EDGES * (max_spikes - 1)),
            *_BEYOND_LAST,
            *around,
            last,
        ]
    )


def _near(floor: Bend, widths: Sequence[float], limit: float) -> list[float]:
    """Would-be membranes around the floor; closer together where the edge leaves less room for them."""
    width = min(floor.width, _ROOM * (limit - floor.at) / widths[-1])
    return [floor.at + d * width for d in widths]


def would_be(
    overdrive: NDArray[np.float64], count: NDArray[np.int64], edge: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Would-be membrane x of the nodes of every column, shape (V, C, K), thresholds.

    Args:
        overdrive: shape (K,).
        count: shape (K,).
        edge: shape (N, V, C).
    """
    last = edge.shape[0]
    below = edge[np.clip(count - 1, 0, last - 1)]
    width = np.where(
        ((count > 0) & (count < last))[:, None, None], edge[np.clip(count, 0, last - 1)] - below, 1.0
    )
    x: NDArray[np.float64] = np.moveaxis(below + overdrive[:, None, None] * width, 0, -1)
    return x


def charges(
    net: NDArray[np.float64], common: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The (q_exc, q_inh) of a net and a common charge, all in thresholds."""
    return common + np.maximum(net, 0.0), common + np.maximum(-net, 0.0)


def fill(
    values: NDArray[np.float64], known: NDArray[np.bool_], axes: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The values with unknown entries taken from the nearest known one, distance along the named axes; all zero when nothing is known."""
    if not known.any() or known.all():
        return np.where(known, values, 0.0)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    have, want = grid[known], grid[~known]
    nearest = [int(np.argmin(((have - w) ** 2).sum(axis=1))) for w in want]
    filled = values.copy()
    filled[~known] = values[known][nearest]
    return filled
