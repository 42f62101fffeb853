"""What is known of one layer after a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Energy = Mapping[str, Mapping[str, float]]
"""Supply to term to J per inference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFigures:
    """What is known of one layer of neurons.

    Attributes:
        spikes: spikes of the layer per inference.
        clipped_charge: ε, what the lower bound swallowed, thresholds per neuron and step, averaged over neurons, steps and images.
        rate_rmse: root mean square over neurons and images of spikes / T minus the ANN's normalised activation clipped at 0.
        v_low: lowest membrane seen, thresholds above rest.
        v_high: highest membrane at the end of a step, thresholds above rest.
        out_of_range: neuron-steps outside what was measured of the neuron, where it was clamped.
        out_of_range_fraction: the same as a fraction of all neuron-steps.
        grid: of the layer's weights, thresholds; 0 for none, None where it is not known.
        rounding: of the layer's weights, relative (``layers.Synapses``); None where it is not known.
        energy: J per inference of each supply and term; empty for neurons without energy.
    """

    spikes: float
    clipped_charge: float
    rate_rmse: float
    v_low: float
    v_high: float
    out_of_range: int
    out_of_range_fraction: float
    grid: float | None = None
    rounding: float | None = None
    energy: Energy = field(default_factory=dict)
