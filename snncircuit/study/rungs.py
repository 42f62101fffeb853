"""The rungs between the ideal neuron and a measured one: its table taken apart into parts that add up to it.

Every part is a piece of the measured residual (``snncircuit.table``), or belongs to the edges, and each rung switches on one more:

* ``lower bound``: ``max(v_lb - x, 0)`` with ``v_lb`` the negative supply in thresholds. Off: nothing stops the membrane.
* ``mirror compression``: what current mirrors deliver less than they should, near the rails, and the gain of inhibition: all of the
  residual that no other part claims.
* ``reset error``: the jump of the residual across the firing edge: what a spike takes other than one threshold.
* ``dead time``: the measured edges, which depend on when in a step the charge arrives and from where the membrane starts, in place of
  1; more than one spike in a step; and the upper rail, ``max(x - v_dd, 0)``, which only a membrane that waits for its spike meets.
* ``leak``: the change of a membrane that receives nothing, for each start.

With all of them the table is the measured one itself. Sheets keep their place relative to the edge when it moves; both rails keep
theirs in thresholds. Energies are never taken apart: every rung reads the measured ones, at the states it comes to. Only where no
circuit can be, at membranes below the negative supply, is there nothing to read: without the lower bound, such a step costs what one
costs that ends at the supply, all its charge delivered.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snncircuit import lookup
from snncircuit.table import OperatingTable

BOUND, MIRRORS, RESET, DEAD_TIME, LEAK = (
    "lower bound",
    "mirror compression",
    "reset error",
    "dead time",
    "leak",
)
PARTS = (BOUND, MIRRORS, RESET, DEAD_TIME, LEAK)
"""In the order in which the ladder switches them on."""
FAR = 2.0**17
"""Thresholds; no membrane gets there in a run, and single precision still tells 1/64 of a threshold apart."""

Sheet = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A measured residual taken apart; sheets of shape (start, common, node) that add up to it.

    Attributes:
        bound: of the lower rail, >= 0, on silent nodes.
        rail: of the upper rail, <= 0, on nodes of one spike.
        mirrors: on nodes of at most one spike.
        reset: on nodes of one spike.
        leak: on all nodes, the same for all nodes of a start.
        beyond: all but the leak on nodes of more than one spike.
    """

    bound: Sheet
    rail: Sheet
    mirrors: Sheet
    reset: Sheet
    leak: Sheet
    beyond: Sheet


def split(table: OperatingTable) -> Parts:
    """The parts of a table's residual."""
    v_lb, v_dd = rails(table)
    silent, once = table.count == 0, table.count == 1
    x = _would_be(table)
    bound = np.where(silent, np.maximum(v_lb - x, 0.0), 0.0)
    rail = np.where(once, -np.maximum(x - v_dd, 0.0), 0.0)
    smooth = table.residual - bound - rail
    jump = smooth[..., np.argmax(once)] - smooth[..., np.flatnonzero(silent)[-1]]
    reset = np.where(once, jump[..., None], 0.0)
    nothing = lookup.step(table, table.start, 0.0, 0.0)
    kept = np.maximum(v_lb - table.start, 0.0) * (nothing.spikes == 0)
    taken = np.where(nothing.spikes > 0, jump[:, 0] - np.maximum(table.start - v_dd, 0.0), 0.0)
    change = nothing.v_mem - table.start + nothing.spikes - kept - taken
    leak = np.broadcast_to(change[:, None, None], smooth.shape)
    rest = smooth - reset - leak
    return Parts(
        bound=bound,
        rail=rail,
        mirrors=np.where(silent | once, rest, 0.0),
        reset=reset,
        leak=leak,
        beyond=np.where(silent | once, 0.0, rest),
    )


def assemble(table: OperatingTable, on: Collection[str]) -> OperatingTable:
    """The table with these of ``PARTS`` switched on, the others ideal; with all of them the table itself.

    Without the lower bound its nodes reach ``FAR`` thresholds down, without dead time as far up.
    """
    if set(on) == set(PARTS):
        return table
    parts = split(table)
    residual = np.zeros_like(table.residual)
    for name, sheet in ((MIRRORS, parts.mirrors), (RESET, parts.reset), (LEAK, parts.leak)):
        if name in on:
            residual = residual + sheet
    made = replace(table, residual=residual)
    timed = replace(made, residual=made.residual + parts.rail + parts.beyond)
    made = timed if DEAD_TIME in on else _at_once(made)
    if BOUND in on:
        below = np.maximum(rails(table)[0] - _would_be(made), 0.0) * (made.count == 0)
        made = replace(made, residual=made.residual + below)
    else:
        made = _unbound(made, rails(table)[0])
    gain = made.figures["gain_inh"] if MIRRORS in on else 1.0
    return replace(made, figures={**made.figures, "gain_inh": gain})


def rails(table: OperatingTable) -> tuple[float, float]:
    """Lowest and highest membrane that the supplies allow, thresholds above rest."""
    threshold = table.figures["threshold"]
    low, high = ((float(table.point[supply]) - table.rest) / threshold for supply in ("v_neg", "v_dd"))
    return low, high


def _would_be(table: OperatingTable) -> Sheet:
    """The would-be membrane of each node, thresholds."""
    edges = table.edge
    below = np.moveaxis(edges[np.maximum(table.count - 1, 0)], 0, -1)
    between = (table.count > 0) & (table.count < table.count[-1])
    above = np.moveaxis(edges[np.minimum(table.count, len(edges) - 1)], 0, -1)
    x: Sheet = below + table.overdrive * np.where(between, above - below, 1.0)
    return x


def _at_once(table: OperatingTable) -> OperatingTable:
    """At most one spike, at a membrane of exactly 1, however far above."""
    kept = table.count <= 1
    single = replace(
        table,
        count=table.count[kept],
        overdrive=table.overdrive[kept],
        edge=np.ones((1, *table.edge.shape[1:])),
        residual=table.residual[..., kept],
        energy=table.energy[..., kept],
        state=table.state[..., kept],
    )
    return _stretched(single, low=False)


def _unbound(table: OperatingTable, v_lb: float) -> OperatingTable:
    """No lower end of the membrane; below ``v_lb`` all energies are as there."""
    end = int(np.argmax(table.overdrive + table.edge[0].min() >= v_lb))
    energy = table.energy.copy()
    energy[..., :end] = energy[..., end, None]
    return _stretched(replace(table, energy=energy), low=True)


def _stretched(table: OperatingTable, *, low: bool) -> OperatingTable:
    """With one more node, far down or far up, where everything is as at the last one."""
    end, far = (0, -FAR) if low else (-1, FAR)
    place = 0 if low else table.count.size

    def more(sheet: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.insert(sheet, place, sheet[..., end], axis=-1)

    return replace(
        table,
        count=np.insert(table.count, place, table.count[end]),
        overdrive=np.insert(table.overdrive, place, far),
        residual=more(table.residual),
        energy=more(table.energy),
        state=np.insert(table.state, place, table.state[..., end], axis=-1),
    )
