"""The charges of all neurons of a layer together in a run: linear in how often each of its inputs spiked."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from snncircuit.network.event.memory import Image, from_memory
from snncircuit.network.event.plan import Plan
from snncircuit.network.layers import Synapses
from snncircuit.neuron.variation import VariedNeuron

Lines = tuple[float, float]
"""``q_exc, q_inh``, thresholds; those of mismatched neurons with their gains, as ``VariedNeuron`` tallies them."""


def from_spikes(
    layer: Synapses, plan: Plan, inputs: Image, spikes: NDArray[Any], steps: int, varied: VariedNeuron | None
) -> Lines:
    """From how often each input, as it lies in memory, spiked in so many steps."""
    if varied is None:
        exc, inh = plan.received(spikes, steps)
        return float(exc), float(inh)
    double = layer.to(torch.float64)
    x = from_memory(torch.from_numpy(spikes)[None].double(), inputs, layer.in_shape)
    once = zip(double.charges(x), (double.bias_exc, double.bias_inh), strict=True)
    return _gained([(q[0] + (steps - 1) * bias) for q, bias in once], varied)


def from_currents(
    current: tuple[Float[Tensor, "n ..."], ...],
    steps_used: Float[Tensor, " n"],
    varied: VariedNeuron | None,
) -> Lines:
    """From the charges that every step of an image brings."""
    lines = [q.flatten(1) for q in current]
    if varied is None:
        exc, inh = (float(q.sum(dim=1, dtype=torch.float64) @ steps_used) for q in lines)
        return exc, inh
    return _gained([(steps_used @ q.double()).view(varied.population) for q in lines], varied)


def _gained(charges: list[Tensor], varied: VariedNeuron) -> Lines:
    gains = (varied.gain_exc, varied.gain_inh)
    exc, inh = (float((q * gain).sum(dtype=torch.float64)) for q, gain in zip(charges, gains, strict=True))
    return exc, inh
