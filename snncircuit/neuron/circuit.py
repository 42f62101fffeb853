"""A population of circuit neurons: the transfer table of one operating point as a step on tensors."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.lookup import pieces
from snncircuit.neuron.step import Step, Tally
from snncircuit.neuron.terms import energy_terms
from snncircuit.table import OperatingTable

BELOW = 0.02  # thresholds below the measured floor that count as the floor; look-ups end there by rounding
_FAR = 64.0  # distance between the overdrives of two spike counts on the common node axis, where they must not meet


class CircuitNeuron:
    """The measured step ``(v_mem, q_exc, q_inh) -> (v_next, spikes, energy)`` of one operating point.

    With ``x = v_mem + q_exc - gain_inh * q_inh`` the neuron gives as many spikes n as there are measured edges at or below x, and
    ``v_next = x - n + residual(v_mem, min(q_exc, gain_inh * q_inh), x - edge)``, linear between the nodes of the table; see
    ``snncircuit.table``. Everything in thresholds. Steps outside the measured range are counted; there the membrane and the
    energies keep their outermost value.

    The energies are linear in the table's nodes, so a step only notes how often each node was visited (``Tally.occupancy``);
    ``energies`` makes joules of the visits.
    """

    def __init__(
        self, table: OperatingTable, *, dtype: torch.dtype = torch.float32, pump_efficiency: float = 0.7
    ) -> None:
        """Prepare a table.

        Args:
            table: one operating point.
            dtype: of the membrane.
            pump_efficiency: of the converter that makes the negative rails, 0 to 1.

        Raises:
            SimulationError: when the table has holes, or the efficiency is no fraction.
        """
        if table.holes:
            first = next(iter(table.reasons), "no reason recorded")
            msg = (
                f"the table at {dict(table.point)} has {table.holes} holes of {table.state.size} nodes; "
                f"characterise it again. First: {first}"
            )
            raise SimulationError(msg)
        if not 0 < pump_efficiency <= 1:
            msg = f"pump efficiency {pump_efficiency} is no fraction; expected 0 < efficiency <= 1"
            raise SimulationError(msg)
        between = table.overdrive[(table.count > 0) & (table.count < table.count[-1])]
        if np.abs(between).max(initial=0.0) >= _FAR / 2:
            far = np.abs(between).max()
            msg = (
                f"the table at {dict(table.point)} reaches an overdrive of {far:g} thresholds between two spike counts; "
                f"at most {_FAR / 2:g} can be held"
            )
            raise SimulationError(msg)
        self.table = table
        self.pump_efficiency = pump_efficiency
        self.dtype = dtype
        self._start = torch.tensor(table.start, dtype=dtype)
        self._common = torch.tensor(table.q_common, dtype=dtype)
        self._edge = torch.tensor(table.edge, dtype=dtype).flatten(1)
        self._overdrive = torch.tensor(table.overdrive, dtype=dtype)
        self._nodes = torch.as_tensor(table.overdrive + _FAR * table.count, dtype=dtype)
        self._residual = torch.tensor(table.residual, dtype=dtype).flatten()
        self._reach = float(table.overdrive[0]), float(table.overdrive[-1])
        bounds = pieces(table)
        self._first = torch.tensor([p.start for p in bounds])
        self._last = torch.tensor([p.stop - 2 for p in bounds])

    def step(
        self,
        v_mem: Float[Tensor, "*population"],
        q_exc: Float[Tensor, "*population"],
        q_inh: Float[Tensor, "*population"],
    ) -> Step:
        """Advance by one step; membrane and charges in thresholds, charges >= 0. Out of range: counted."""
        v, exc, inh = (t.to(self.dtype).flatten() for t in (v_mem, q_exc, q_inh))
        received = float(inh.sum(dtype=torch.float64))
        inh = inh * self.table.figures["gain_inh"]
        net, common = exc - inh, torch.minimum(exc, inh)
        x = v + net
        figures = self.table.figures
        outside = (common > self._common[-1]) | (net > figures["net_exc"]) | (net < -figures["net_inh"])
        outside |= (v > figures["v_high"]) | (v < figures["v_low"] - BELOW)
        kv, fv = _bracket(self._start, v)
        kc, fc = _bracket(self._common, common)
        n_common = self._common.numel()
        column = kv * n_common + kc
        columns = (column, column + 1, column + n_common, column + n_common + 1)
        weights = ((1 - fv) * (1 - fc), (1 - fv) * fc, fv * (1 - fc), fv * fc)
        x, spikes, y = self._fire(x, columns, fv, fc)
        node, fn = self._node(y, spikes)
        residual = torch.zeros_like(x)
        occupancy = torch.zeros(self._residual.numel(), dtype=torch.float64)
        for c, w in zip(columns, weights, strict=True):
            cell = c * self._nodes.numel() + node
            for offset, part in ((0, w * (1 - fn)), (1, w * fn)):
                residual += part * self._residual[cell + offset]
                occupancy += torch.bincount(cell + offset, weights=part, minlength=occupancy.numel())
        after = x - spikes + residual
        clipped = residual[spikes == 0].clamp(min=0).sum(dtype=torch.float64)
        tally = Tally(
            neuron_steps=x.numel(),
            spikes=float(spikes.sum(dtype=torch.float64)),
            q_exc=float(exc.sum(dtype=torch.float64)),
            q_inh=received,
            clipped_charge=float(clipped),
            out_of_range=int(outside.sum()),
            v_low=float(after.min()) if x.numel() else torch.inf,
            v_high=float(after.max()) if x.numel() else -torch.inf,
            occupancy=occupancy,
        )
        return Step(spikes=spikes.reshape(v_mem.shape), v_mem=after.reshape(v_mem.shape), tally=tally)

    def energies(self, tally: Tally) -> dict[str, dict[str, float]]:
        """Energy of the tallied steps in J, ``{supply: {term: J}}``; terms as in ``snncircuit.neuron.terms``."""
        return energy_terms(self.table, tally, self.pump_efficiency)

    def _fire(
        self,
        x: Float[Tensor, " n"],
        columns: tuple[Tensor, ...],
        fv: Float[Tensor, " n"],
        fc: Float[Tensor, " n"],
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, " n"]]:
        """Would-be membrane within the measured range, spikes and overdrive of each neuron."""
        spikes = torch.zeros_like(x)
        y = torch.zeros_like(x)
        below = torch.zeros_like(x)
        for n, edges in enumerate(self._edge):
            # lerp of equal ends is exact, so that a tie at the edge stays a tie.
            corner = [edges[c] for c in columns]
            edge = torch.lerp(torch.lerp(corner[0], corner[1], fc), torch.lerp(corner[2], corner[3], fc), fv)
            if n == len(self._edge) - 1:
                x = torch.minimum(x, edge + self._reach[1])
            if n == 0:
                x = torch.maximum(x, edge + self._reach[0])
                y = x - edge
            else:
                # So far y is the distance beyond the edge below; between two edges it becomes a fraction of the way.
                y = torch.where(spikes == n, y / (edge - below), y)
            fires = (x >= edge) & (spikes == n)
            spikes = spikes + fires
            y = torch.where(fires, x - edge, y)
            below = edge
        return x, spikes, y

    def _node(
        self, y: Float[Tensor, " n"], spikes: Float[Tensor, " n"]
    ) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
        """Node below each overdrive on the common axis and the fraction of the way to the next, within the sheet of its count."""
        count = spikes.long()
        node = torch.bucketize(y + _FAR * spikes, self._nodes, right=True) - 1
        node = torch.minimum(torch.maximum(node, self._first[count]), self._last[count])
        low = self._overdrive[node]
        return node, ((y - low) / (self._overdrive[node + 1] - low)).clamp(0, 1)


def _bracket(
    nodes: Float[Tensor, " k"], values: Float[Tensor, " n"]
) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
    k = (torch.bucketize(values, nodes, right=True) - 1).clamp(0, nodes.numel() - 2)
    return k, ((values - nodes[k]) / (nodes[k + 1] - nodes[k])).clamp(0, 1)
