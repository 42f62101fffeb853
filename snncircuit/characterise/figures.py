"""What a designer reads first, derived from a measured step by iterating it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncircuit import lookup
from snncircuit.table import OperatingTable

_SETTLED = 1000  # steps of the strongest inhibition after which the membrane counts as lowest
_ASIDE = 2e-3  # thresholds from the firing edge, to either side, where the reset is read


def derive(table: OperatingTable) -> dict[str, float]:
    """Lowest membrane (V), reset charge and leak of a measured step, see ``snncircuit.table.FIGURES``."""
    v = np.zeros(())
    strongest = table.figures["net_inh"] / table.figures["gain_inh"]
    for _ in range(_SETTLED):
        v = lookup.step(table, v, 0.0, strongest).v_mem
    edge = float(np.interp(0.0, table.start, table.edge[0, :, 0]))
    fired, silent = (lookup.step(table, 0.0, edge + aside, 0.0) for aside in (_ASIDE, -_ASIDE))
    rest = lookup.step(table, 0.0, 0.0, 0.0)
    return {
        "lowest_membrane": table.rest + float(v) * table.figures["threshold"],
        "reset_charge": float(silent.v_mem + 2 * _ASIDE - fired.v_mem),
        "leak": float(rest.v_mem),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringCurve:
    """Rate against constant input.

    Attributes:
        charge: thresholds per step.
        rate: spikes per step.
        linearity_error: largest departure from the best straight line through the origin, relative to the largest rate.
    """

    charge: NDArray[np.float64]
    rate: NDArray[np.float64]
    linearity_error: float


def firing_curve(table: OperatingTable, n_steps: int = 400) -> FiringCurve:
    """The f–I curve: the rate that constant excitation of 0 to 1 threshold a step gives, over ``n_steps`` steps from rest."""
    charge = np.linspace(0.0, 1.0, 41)
    v, spikes = np.zeros_like(charge), np.zeros_like(charge)
    for _ in range(n_steps):
        answer = lookup.step(table, v, charge, 0.0)
        v, spikes = answer.v_mem, spikes + answer.spikes
    rate = spikes / n_steps
    slope = float(charge @ rate / (charge @ charge))
    error = float(np.abs(rate - slope * charge).max() / max(rate.max(), 1.0 / n_steps))
    return FiringCurve(charge=charge, rate=rate, linearity_error=error)


def retention(table: OperatingTable, start: NDArray[np.float64], n_steps: int = 100) -> NDArray[np.float64]:
    """Droop without input: membrane after 0 … n_steps steps from each start, thresholds, shape (n_steps + 1, starts)."""
    v = [np.asarray(start, dtype=float)]
    for _ in range(n_steps):
        v.append(lookup.step(table, v[-1], 0.0, 0.0).v_mem)
    return np.stack(v)
