"""The layers of a network as matrices of weights: what one circuit of the whole network is drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.network.layers import SpikingNetwork, Synapses

Array = NDArray[np.float64]

MOST_NEURONS = 200
"""Neurons that one circuit may have: all of them take every time step of the simulator, so that time grows faster than their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossbar:
    """The synapses in front of one layer of n neurons, behind m, in thresholds >= 0.

    Attributes:
        name: of the layer.
        weight_exc: shape (n, m), of the excitatory line, per spike; m = 0 for the first layer.
        weight_inh: shape (n, m), of the inhibitory line, per spike.
        bias_exc: shape (n,), charge of every step; for the first layer what the image gives it.
        bias_inh: shape (n,), charge of every step.
    """

    name: str
    weight_exc: Array
    weight_inh: Array
    bias_exc: Array
    bias_inh: Array

    @property
    def neurons(self) -> int:
        """How many neurons the layer has."""
        return len(self.bias_exc)


def crossbars_of(network: SpikingNetwork, image: Float[Tensor, "1 c h w"]) -> tuple[Crossbar, ...]:
    """The layers of a network that sees one image as constant currents.

    Whatever the operators are, they are linear: a layer's matrix is what it makes of one spike of each neuron before it.

    Raises:
        SimulationError: more than ``MOST_NEURONS`` neurons.
    """
    check_size(network)
    first, *others = network.layers
    q_exc, q_inh = first.current(image)
    none = np.zeros((q_exc.numel(), 0))
    start = Crossbar(
        name=first.name, weight_exc=none, weight_inh=none, bias_exc=_plain(q_exc), bias_inh=_plain(q_inh)
    )
    return start, *(_crossbar(layer) for layer in others)


def check_size(network: SpikingNetwork) -> None:
    """Refuse a network that no circuit can be drawn of.

    Raises:
        SimulationError: more than ``MOST_NEURONS`` neurons.
    """
    sizes = {layer.name: math.prod(layer.out_shape) for layer in network.layers}
    if sum(sizes.values()) > MOST_NEURONS:
        found = ", ".join(f"{name} {size}" for name, size in sizes.items())
        msg = (
            f"{network.name} has {sum(sizes.values())} neurons ({found}), too many for one circuit; expected at most {MOST_NEURONS}, "
            "as the network digits has. The audit command holds single neurons of a larger network against ngspice"
        )
        raise SimulationError(msg)


def _crossbar(layer: Synapses) -> Crossbar:
    inputs = math.prod(layer.in_shape)
    ones = layer.gather(torch.eye(inputs, dtype=torch.float64).reshape(inputs, *layer.in_shape))
    exc, inh = (
        layer.receive(ones, weight.double()).reshape(inputs, -1).T.contiguous().numpy()
        for weight in (layer.weight_exc, layer.weight_inh)
    )
    return Crossbar(
        name=layer.name,
        weight_exc=exc,
        weight_inh=inh,
        bias_exc=_plain(layer.bias_exc),
        bias_inh=_plain(layer.bias_inh),
    )


def _plain(values: Tensor) -> Array:
    return values.flatten().double().numpy()
