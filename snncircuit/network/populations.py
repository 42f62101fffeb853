"""Which neurons a network is made of: one kind everywhere, one for each layer, or another at each position."""

from __future__ import annotations

from collections.abc import Mapping

from snncircuit.errors import SimulationError
from snncircuit.network.layers import SpikingNetwork
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import Neuron
from snncircuit.neuron.variation import VariedNeuron

Neurons = Neuron | Mapping[str, Neuron]
"""The neuron of every layer, or layer name to the neuron of that layer."""


def by_layer(network: SpikingNetwork, neuron: Neurons) -> dict[str, Neuron]:
    """Layer name to its neuron, in the order of the layers.

    Raises:
        SimulationError: when a mapping leaves out a layer or names one that the network does not have, or mismatched neurons have
            another shape than their layer.
    """
    names = [layer.name for layer in network.layers]
    if not isinstance(neuron, Mapping):
        neuron = dict.fromkeys(names, neuron)
    unknown = [name for name in neuron if name not in names]
    missing = [name for name in names if name not in neuron]
    if unknown or missing:
        facts = [f"no layer {', '.join(map(repr, unknown))}"] if unknown else []
        facts += [f"no neuron for {', '.join(map(repr, missing))}"] if missing else []
        msg = f"neurons by layer: {'; '.join(facts)}; {network.name} has {', '.join(names)}"
        raise SimulationError(msg)
    for layer in network.layers:
        own = neuron[layer.name]
        if isinstance(own, VariedNeuron) and own.population != layer.out_shape:
            msg = f"{layer.name} has neurons of shape {layer.out_shape}; the mismatched ones given have {own.population}"
            raise SimulationError(msg)
    return {name: neuron[name] for name in names}


def strange(neuron: Neurons) -> tuple[str, ...]:
    """Types of the neurons that are neither ideal nor circuit ones, mismatched or not: each may keep a state of its own."""
    every = neuron.values() if isinstance(neuron, Mapping) else (neuron,)
    return tuple(
        type(n).__name__ for n in every if not isinstance(n, IdealNeuron | CircuitNeuron | VariedNeuron)
    )
