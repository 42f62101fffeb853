"""Neurons as the kernel reads them: the transfer table as polynomials of its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.lookup import pieces
from snncircuit.network.event import _kernel
from snncircuit.neuron.circuit import BELOW, CircuitNeuron
from snncircuit.neuron.form import is_profile
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import Neuron
from snncircuit.table import OperatingTable

MOST_SPIKES = 8
"""Of one neuron in one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelNeuron:
    """What the kernel is told of a neuron.

    Attributes:
        table: none for ideal neurons.
        v_lb: lower bound of ideal neurons, thresholds.
        to_zero: whether ideal neurons lose their overshoot.
        spikes: most spikes of a neuron in a step.
        visits: numbers that a run keeps of the visits of the table's cells.
        occupancy: makes of them how often each node was visited (``Tally.occupancy``).
    """

    table: _kernel.Table | None
    v_lb: float
    to_zero: bool
    spikes: int
    visits: int
    occupancy: Callable[[NDArray[np.float64]], Float[Tensor, " nodes"] | None]


def kernel_neuron(neuron: Neuron) -> KernelNeuron:
    """A neuron for the kernel.

    Raises:
        SimulationError: a neuron that it does not know, or a table of more than 8 spikes in a step.
    """
    if isinstance(neuron, IdealNeuron):
        return KernelNeuron(
            table=None,
            v_lb=-np.inf if neuron.v_lb is None else neuron.v_lb,
            to_zero=neuron.reset == "zero",
            spikes=1,
            visits=0,
            occupancy=lambda visits: None,
        )
    if not isinstance(neuron, CircuitNeuron):
        msg = f"the event engine knows ideal and circuit neurons, no {type(neuron).__name__}; the dense engine runs any"
        raise SimulationError(msg)
    table = neuron.table
    spikes = table.edge.shape[0]
    if spikes > MOST_SPIKES:
        msg = f"a table of {spikes} spikes in a step; the event engine holds {MOST_SPIKES}, the dense engine any"
        raise SimulationError(msg)
    rows = np.take(_coefficients(table.residual), _cells(table), axis=2)
    kernel = _kernel_table(table, rows)

    def occupancy(visits: NDArray[np.float64]) -> Float[Tensor, " nodes"]:
        moments = np.zeros((*rows.shape[:2], table.overdrive.size - 1, 8))
        moments[:, :, _cells(table)] = visits.reshape(rows.shape)
        return _occupancy(_spread(moments, table) if kernel.profile else moments)

    return KernelNeuron(
        table=kernel,
        v_lb=-np.inf,
        to_zero=False,
        spikes=spikes,
        visits=rows.size,
        occupancy=occupancy,
    )


def _kernel_table(table: OperatingTable, rows: NDArray[np.float64]) -> _kernel.Table:
    figures, cells = table.figures, _cells(table)
    many = np.array([piece.stop - piece.start - 1 for piece in pieces(table)])
    edge = np.moveaxis(_coefficients(table.edge[..., None].repeat(2, axis=-1))[..., 0, :4], -1, 1)
    numbers = [
        figures["gain_inh"],
        figures["net_exc"],
        figures["net_inh"],
        figures["v_low"] - BELOW,
        figures["v_high"],
        table.q_common[-1],
        table.overdrive[0],
        table.overdrive[-1],
    ]
    return _kernel.Table(
        start=_floats(table.start),
        common=_floats(table.q_common),
        low=_floats(table.overdrive[cells]),
        width=_floats(np.diff(table.overdrive)[cells]),
        first=(np.cumsum(many) - many).astype(np.int32),
        last=(np.cumsum(many) - 1).astype(np.int32),
        edge=_floats(edge.reshape(edge.shape[0], 4, -1)),
        rows=_floats(rows.reshape(-1, 8)),
        figures=_floats(np.array(numbers)),
        profile=is_profile(table),
    )


def _cells(table: OperatingTable) -> NDArray[np.int64]:
    """The cells along the overdrive, by the node below each; what lies between the nodes of two spike counts is none."""
    return np.concatenate([np.arange(piece.start, piece.stop - 1) for piece in pieces(table)])


def _floats(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)


def _coefficients(sheet: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each cell of the last three axes (start, common, node) the coefficients of 1, fc, fv, fv fc, fy, fy fc, fy fv, fy fv fc."""
    c = sheet
    for axis in (-3, -2, -1):  # each axis becomes one of cells, and a new one of (value below, difference)
        size = c.shape[axis - (c.ndim - sheet.ndim)]
        low = np.take(c, range(size - 1), axis=axis - (c.ndim - sheet.ndim))
        high = np.take(c, range(1, size), axis=axis - (c.ndim - sheet.ndim))
        c = np.stack([low, high - low], axis=-1)
    # The new axes are (fv, fc, fy); in memory fy is slowest, then fv, then fc.
    c = np.moveaxis(c, -1, -3)
    return c.reshape(*c.shape[:-3], 8)


def _spread(moments: NDArray[np.float64], table: OperatingTable) -> NDArray[np.float64]:
    """The eight sums of each cell of a profile, as if start and common charge were the same mean in all cells of a spike count.

    The kernel keeps of each cell the first and the fifth, and of each count, in its first cell, the second and the third. No sheet of a
    profile, and so no energy, can tell the difference.
    """
    found: NDArray[np.float64] = moments[0, 0].copy()
    for piece in pieces(table):
        cells = found[piece.start : piece.stop - 1]
        steps = cells[:, 0].sum()
        common, start = cells[0, 1:3] / steps if steps else (0.0, 0.0)
        along = np.array([1.0, common, start, start * common])
        cells[:] = np.concatenate([cells[:, :1] * along, cells[:, 4:5] * along], axis=1)
    spread: NDArray[np.float64] = found[None, None]
    return spread


def _occupancy(moments: NDArray[np.float64]) -> Float[Tensor, " nodes"]:
    """How often each node was visited, from the sums of the eight products over each cell: the transpose of ``_coefficients``."""
    starts, commons, nodes, _ = moments.shape
    m = moments.reshape(starts, commons, nodes, 2, 2, 2)  # fy, fv, fc
    weights = np.stack([m.take(0, 3) - m.take(1, 3), m.take(1, 3)], axis=3)
    weights = np.stack([weights.take(0, 4) - weights.take(1, 4), weights.take(1, 4)], axis=4)
    weights = np.stack([weights.take(0, 5) - weights.take(1, 5), weights.take(1, 5)], axis=5)
    found = np.zeros((starts + 1, commons + 1, nodes + 1))
    for y, v, c in np.ndindex(2, 2, 2):
        found[v : starts + v, c : commons + c, y : nodes + y] += weights[:, :, :, y, v, c]
    return torch.from_numpy(found.ravel())
