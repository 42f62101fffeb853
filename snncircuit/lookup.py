"""One step of a neuron read from its table, in numpy: the definition that every faster form is held against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snncircuit.table import OperatingTable

Array = NDArray[np.float64]
Node = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Indices into (v_mem, q_common, node) of a sheet, one of each step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One step of a population: membrane after it (thresholds), spikes, energy (J) of shape (supplies, population)."""

    v_mem: Array
    spikes: NDArray[np.int64]
    energy: Array


def step(table: OperatingTable, v_mem: ArrayLike, q_exc: ArrayLike, q_inh: ArrayLike) -> Answer:
    """Advance by one step; membrane in thresholds above rest, charges in thresholds, both >= 0.

    Linear in the start, the common charge and the overdrive, never across a firing edge. Beyond the measured range the membrane,
    the edges and the energies keep their outermost value.
    """
    start, exc, inh = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (v_mem, q_exc, q_inh)))
    energy = np.multiply.outer(table.energy_exc, exc) + np.multiply.outer(table.energy_inh, inh)
    x, spikes, around = place(table, start, exc, inh)
    residual = np.zeros_like(x)
    for node, weight in around:
        residual += weight * table.residual[node]
        energy += weight * table.energy[(slice(None), *node)]
    return Answer(v_mem=x - spikes + residual, spikes=spikes, energy=energy)


def varied_step(
    table: OperatingTable, variation: ArrayLike, v_mem: ArrayLike, q_exc: ArrayLike, q_inh: ArrayLike
) -> Answer:
    """Advance mismatched neurons by one step: the nominal step F seen through five numbers of each neuron.

    ``v' = F(v_mem - (threshold - 1), gain_exc * q_exc, gain_inh * q_inh) + (threshold - 1) - spikes * (reset - 1) + leak``

    Spikes and energies are those of that F. With ``(1, 1, 1, 0, 1)`` it is ``step``, bit for bit.

    Args:
        table: the nominal neuron.
        variation: shape (..., 5), in the order of ``snncircuit.table.VARIATION``; its leading axes broadcast with the others.
        v_mem: membrane, thresholds of the nominal neuron above rest.
        q_exc: nominal thresholds, >= 0.
        q_inh: likewise.
    """
    gain_exc, gain_inh, threshold, leak, reset = np.moveaxis(np.asarray(variation, dtype=float), -1, 0)
    offset = threshold - 1.0
    answer = step(table, v_mem - offset, gain_exc * np.asarray(q_exc), gain_inh * np.asarray(q_inh))
    return replace(answer, v_mem=answer.v_mem + offset - answer.spikes * (reset - 1.0) + leak)


def place(
    table: OperatingTable, start: Array, exc: Array, inh: Array
) -> tuple[Array, NDArray[np.int64], list[tuple[Node, Array]]]:
    """Where steps lie in a table: would-be membranes within its reach, spikes, and the eight nodes around each with their weights.

    Args:
        table: one operating point.
        start: membrane before the step, thresholds, shape (n,) or any.
        exc: excitatory charge, thresholds, same shape.
        inh: inhibitory charge, thresholds, same shape.
    """
    inh = inh * table.figures["gain_inh"]
    x = start + (exc - inh)
    v, fv = bracket(table.start, start)
    c, fc = bracket(table.q_common, np.minimum(exc, inh))
    # Written as differences, so that equal corners give exactly their value and a tie stays a tie.
    low, high = (
        table.edge[:, k, c] + fc * (table.edge[:, k, c + 1] - table.edge[:, k, c]) for k in (v, v + 1)
    )
    edges = low + fv * (high - low)
    x = np.clip(x, edges[0] + table.overdrive[0], edges[-1] + table.overdrive[-1])
    spikes = (x >= edges).sum(axis=0)
    k, fk = _node(table, x, edges, spikes)
    around = [
        ((cv, cc, ck), wv * wc * wk)
        for cv, wv in ((v, 1 - fv), (v + 1, fv))
        for cc, wc in ((c, 1 - fc), (c + 1, fc))
        for ck, wk in ((k, 1 - fk), (k + 1, fk))
    ]
    return x, spikes, around


def bracket(nodes: Array, values: Array) -> tuple[NDArray[np.int64], Array]:
    """Index of the node below each value and the fraction of the way to the next, clamped to the nodes."""
    k = np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, nodes.size - 2)
    return k, np.clip((values - nodes[k]) / (nodes[k + 1] - nodes[k]), 0.0, 1.0)


def pieces(table: OperatingTable) -> list[slice]:
    """The nodes of each spike count, from none to the most."""
    last = int(table.count[-1])
    bounds = np.searchsorted(table.count, np.arange(last + 2))
    return [slice(int(a), int(b)) for a, b in pairwise(bounds)]


def _node(
    table: OperatingTable, x: Array, edges: Array, spikes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Array]:
    k = np.zeros(x.shape, dtype=np.int64)
    fraction = np.zeros(x.shape)
    last = edges.shape[0]
    for n, piece in enumerate(pieces(table)):
        here = spikes == n
        y = x[here] - edges[max(n - 1, 0)][here]
        if 0 < n < last:
            y = y / (edges[n][here] - edges[n - 1][here])
        index, part = bracket(table.overdrive[piece], y)
        k[here], fraction[here] = index + piece.start, part
    return k, fraction
