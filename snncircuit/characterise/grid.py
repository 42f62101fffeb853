"""Where a step is measured: nodes that crowd where a neuron is not smooth, at its floor and at its firing edge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MARGIN = 1e-3  # thresholds between a firing edge and the nearest node; above the tolerance of the edge search
_START_ABOVE_FLOOR = (
    -0.06,
    0.0,
    0.025,
    0.06,
    0.16,
    0.35,
)  # a spike amid inhibition may leave the membrane below the floor
_START_BELOW_EDGE = (0.05, 0.005)
_BELOW_EDGE = (MARGIN, 0.02, 0.08, 0.2, 0.4)  # inverters near their trip point burn more the nearer they are
_AROUND_FLOOR = (0.3, 0.16, 0.07, 0.0, -0.08, -0.25, -0.8)
_BEYOND = 0.1  # thresholds beyond the strongest inhibition of the lowest start
_BETWEEN = 3
_BETWEEN_EDGES = (MARGIN, 0.05, 0.3, 0.7, 1.0 - 2 * MARGIN)
_BEYOND_LAST = (MARGIN, 0.3, 0.6, 0.78, 0.88, 0.96, 1.06, 1.3)  # the upper rail ends the membrane near 0.9


def starts(v_low: float, v_high: float) -> NDArray[np.float64]:
    """Membranes at the start of a step, shape (V,), thresholds, ascending from just below ``v_low`` to ``v_high``."""
    floor = [v_low + d for d in _START_ABOVE_FLOOR]
    first, last = (1.0 - d for d in _START_BELOW_EDGE)
    between = np.linspace(floor[-1], first, 4)[1:-1]
    # A neuron that fires by itself may have no start that is measured so close to its edge.
    below = [first, last] if last < (first + v_high) / 2 else [first]
    return np.array([*floor, *between, *below, (first + v_high) / 2, v_high])


def counts(max_spikes: int) -> NDArray[np.int64]:
    """Spike count of each node, shape (K,), ascending."""
    sizes = [len(_BELOW_EDGE) + _BETWEEN + len(_AROUND_FLOOR) + 1]
    sizes += [len(_BETWEEN_EDGES)] * (max_spikes - 1) + [len(_BEYOND_LAST) + 1]
    return np.repeat(np.arange(max_spikes + 1), sizes)


def overdrives(
    v_low: float, v_high: float, net_exc: float, net_inh: float, max_spikes: int
) -> NDArray[np.float64]:
    """Overdrive of each node, shape (K,), as defined in ``snncircuit.table``; ascending within a count.

    Args:
        v_low: lowest start of a step, thresholds.
        v_high: highest start of a step, thresholds.
        net_exc: strongest net excitation, thresholds.
        net_inh: strongest net inhibition, thresholds.
        max_spikes: most spikes in a step.
    """
    floor = [v_low + d - 1.0 for d in _AROUND_FLOOR] + [v_low - net_inh - _BEYOND - 1.0]
    between = np.linspace(-_BELOW_EDGE[-1], floor[0], _BETWEEN + 2)[1:-1]
    silent = sorted([*(-d for d in _BELOW_EDGE), *between, *floor])
    top = max(v_high + net_exc + _BEYOND - max_spikes, _BEYOND_LAST[-1] + 0.5)
    return np.array([*silent, *(_BETWEEN_EDGES * (max_spikes - 1)), *_BEYOND_LAST, top])


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
