"""The step of a neuron at one operating point, as measured; see ``snncircuit.table`` for what the numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

POINT_AXES = ("corner", "temperature", "v_dd", "v_neg")
FILLED, MEASURED, HOLE = 0, 1, 2

SHEETS = {
    "start": ("v_mem",),
    "overdrive": ("node",),
    "edge": ("spike", "v_mem", "q_common"),
    "residual": ("v_mem", "q_common", "node"),
    "energy": ("supply", "v_mem", "q_common", "node"),
    "energy_exc": ("supply",),
    "energy_inh": ("supply",),
    "state": ("v_mem", "q_common", "node"),
}
FIGURES = {
    "threshold": ("V", "membrane above rest that just fires"),
    "threshold_charge": ("C", "charge of one excitatory pulse that lifts the membrane from rest to firing"),
    "v_low": ("1", "lowest start of a step that was measured, thresholds above rest"),
    "v_high": ("1", "highest start of a step that was measured, thresholds above rest"),
    "net_inh": ("1", "strongest net inhibition of a step that was measured, thresholds"),
    "net_exc": ("1", "strongest net excitation of a step that was measured, thresholds"),
    "lowest_membrane": ("V", "membrane after 1000 steps of the strongest inhibition in the table"),
    "reset_charge": ("1", "what a spike takes from the membrane at the firing edge, thresholds"),
    "leak": ("1", "change of a membrane at rest in a step without input, thresholds"),
    "gain_inh": (
        "1",
        "what an inhibitory charge takes from a membrane at three quarters of the threshold, per excitatory charge of the same size",
    ),
    "one_step_memory": ("1", "rms effect of the previous step's pulses on a step, thresholds"),
    "held_out_error": (
        "1",
        "rms error of the interpolated membrane on random points that are no nodes, thresholds",
    ),
    "held_out_spikes": ("1", "share of those points whose spike count differs"),
}
VARIATION = ("gain_exc", "gain_inh", "threshold", "leak", "reset")
"""What sets one mismatched neuron apart from the nominal one, see ``snncircuit.lookup.varied_step``; nominal: 1, 1, 1, 0, 1.

gain_exc, gain_inh: factors on the charges; threshold: membrane that fires, nominal thresholds above rest; leak: further change of the
membrane in every step, nominal thresholds; reset: charge packet of a spike, nominal packets of one threshold.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """A source whose energy is measured.

    Attributes:
        name: as in the cell description.
        kind: "rail", "bias", "clock" or "synapse" (the source of the inhibitory synapses' current).
        voltage: V; of a clock its high level.
    """

    name: str
    kind: str
    voltage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingTable:
    """The step of a neuron at one operating point; arrays as in the module's docstring, figures as in ``FIGURES``.

    Attributes:
        point: the operating point, ``{corner, temperature (degC), v_dd (V), v_neg (V)}``.
        start: shape (V,), membrane at the start of the step, thresholds, ascending.
        q_common: shape (C,), thresholds, ascending from 0.
        count: shape (K,), spikes of each node.
        supplies: the S measured sources.
        step: s, one network step.
        rest: V.
        reasons: one sentence for each hole.
        variation: shape (draws, 5), mismatched neurons measured at this point, columns as in ``VARIATION``; None when there are none.
    """

    point: Mapping[str, Any]
    start: NDArray[np.float64]
    q_common: NDArray[np.float64]
    count: NDArray[np.int64]
    overdrive: NDArray[np.float64]
    edge: NDArray[np.float64]
    residual: NDArray[np.float64]
    energy: NDArray[np.float64]
    energy_exc: NDArray[np.float64]
    energy_inh: NDArray[np.float64]
    state: NDArray[np.int8]
    supplies: tuple[Supply, ...]
    step: float
    rest: float
    figures: Mapping[str, float]
    reasons: tuple[str, ...] = ()
    variation: NDArray[np.float64] | None = None

    @property
    def holes(self) -> int:
        """Number of nodes that were wanted and could not be measured."""
        return int((self.state == HOLE).sum())

    @property
    def filled(self) -> int:
        """Number of nodes that the circuit cannot show, such as silence from a start that fires at once; their neighbours stand in."""
        return int((self.state == FILLED).sum())
