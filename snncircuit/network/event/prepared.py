"""Networks as the kernel holds them, made once for all batches of a run and for runs of the same network with other neurons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from snncircuit.errors import SimulationError
from snncircuit.network.event import _kernel
from snncircuit.network.event.neurons import KernelNeuron, kernel_neuron
from snncircuit.network.event.plan import Plan, plan, plan_of_currents
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.populations import Neurons, by_layer
from snncircuit.neuron.step import Neuron
from snncircuit.neuron.variation import VariedNeuron

KEPT = 8
"""So many networks, and so many of their runs with one kind of neurons, are kept for the next call, with all that they refer to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A network of certain neurons as the kernel holds it.

    Attributes:
        kernel: the layers.
        neurons: of every layer.
        plans: of every layer.
    """

    kernel: _kernel.Network
    neurons: tuple[KernelNeuron, ...]
    plans: tuple[Plan, ...]


T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _The(Generic[T]):
    """An object as a key: equal to itself alone, however equal others look. Kept alive, so that no other takes its place."""

    one: T

    def __hash__(self) -> int:
        return id(self.one)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _The) and self.one is other.one


def prepared(network: SpikingNetwork, neuron: Neurons, *, analog: bool) -> Prepared:
    """A network laid out for the kernel; ``analog``: pixels are currents into the first layer. The same again for the same objects.

    Mismatched neurons are laid out as nominal ones: ``run`` is given what sets them apart, so that other chips need nothing new.

    Raises:
        SimulationError: neurons or synapses that the kernel cannot hold.
    """
    neurons = (n.nominal if isinstance(n, VariedNeuron) else n for n in by_layer(network, neuron).values())
    return _prepared(_The(network), tuple(_The(n) for n in neurons), analog)


@lru_cache(maxsize=KEPT)
def _prepared(network: _The[SpikingNetwork], neurons: tuple[_The[Neuron], ...], analog: bool) -> Prepared:
    plans = _plans(network, analog)
    one_of_each = {neuron: kernel_neuron(neuron.one) for neuron in neurons}
    known = tuple(one_of_each[neuron] for neuron in neurons)
    kernel = _kernel.Network()
    spikes = 1  # of an input in a step
    for p, k in zip(plans, known, strict=True):
        kernel.add(
            geometry=[*p.geometry, spikes],
            weights=p.weights,
            site_blocks=p.site_blocks,
            block_segments=p.block_segments,
            block_row=p.block_row,
            segments=p.segments,
            exc=p.exc,
            net=p.net,
            grid=p.grid,
            table=k.table,
            v_lb=k.v_lb,
            to_zero=k.to_zero,
        )
        spikes = k.spikes
    return Prepared(kernel=kernel, neurons=known, plans=plans)


@lru_cache(maxsize=KEPT)
def _plans(network: _The[SpikingNetwork], analog: bool) -> tuple[Plan, ...]:
    layers, image = network.one.layers, network.one.input_shape
    device = layers[0].weight_exc.device
    if device.type != "cpu":
        msg = f"the event engine runs on the processor and {network.one.name} is on {device}; the dense engine runs anywhere"
        raise SimulationError(msg)
    plans: list[Plan] = []
    for layer in layers:
        plans.append(plan_of_currents(layer) if analog and not plans else plan(layer, image))
        image = plans[-1].image
    return tuple(plans)
