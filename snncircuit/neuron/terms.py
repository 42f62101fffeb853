"""What the energy of a run was spent on: the measured joules of each supply split into terms that add up to the total.

Of each supply, with E the measured energy of a step and the figures taken from the table itself:

* ``static``: what a neuron at rest without input draws in a step, times the steps;
* ``synaptic``: the slope of E against the excitatory and inhibitory charge, times the charges;
* ``spikes``: the jump of E at the firing edge, times the spikes;
* ``crowbar``: the rest, what depends on where the membrane stood (inverters near their trip point, collapsed mirrors); may be negative;
* ``reset_drive``: all that clocks deliver, since they drive the comparator and the gate of the reset;
* ``pump``: what the converter of a negative rail loses, ``(1 / efficiency - 1)`` of what the rail delivered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snncircuit import lookup
from snncircuit.neuron.step import Tally
from snncircuit.table import OperatingTable

TERMS = ("spikes", "synaptic", "static", "crowbar", "reset_drive", "pump")
_STEP_ASIDE = 2e-3  # thresholds from the edge, to either side of it, where the jump is read


def energy_terms(table: OperatingTable, tally: Tally, pump_efficiency: float) -> dict[str, dict[str, float]]:
    """Joule of each supply and term, ``{supply: {term: J}}``, of the tallied steps; empty when no visits were tallied.

    Args:
        table: one operating point.
        tally: of neurons that read this table.
        pump_efficiency: of the converter that makes the negative rails.
    """
    if tally.occupancy is None:
        return {}
    visits = tally.occupancy.numpy().reshape(table.residual.shape)
    synaptic = table.energy_exc * tally.q_exc + table.energy_inh * tally.q_inh
    total = np.einsum("vck,svck->s", visits, table.energy) + synaptic
    rest, spike = _unit_energies(table)
    found: dict[str, dict[str, float]] = {}
    for s, supply in enumerate(table.supplies):
        if supply.kind == "clock":
            found[supply.name] = {"reset_drive": float(total[s])}
            continue
        parts = {
            "static": float(rest[s]) * tally.neuron_steps,
            "synaptic": float(synaptic[s]),
            "spikes": float(spike[s]) * tally.spikes,
        }
        parts["crowbar"] = float(total[s]) - sum(parts.values())
        if supply.voltage < 0:
            parts["pump"] = float(total[s]) * (1.0 / pump_efficiency - 1.0)
        found[supply.name] = parts
    return found


def _unit_energies(table: OperatingTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joule of each supply in a step at rest and of a spike."""
    edge = float(np.interp(0.0, table.start, table.edge[0, :, 0]))
    fired, silent = (
        lookup.step(table, 0.0, edge + aside, 0.0).energy for aside in (_STEP_ASIDE, -_STEP_ASIDE)
    )
    return lookup.step(table, 0.0, 0.0, 0.0).energy, fired - silent
