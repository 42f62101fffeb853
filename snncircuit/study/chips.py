"""Chips: a network with mismatched neurons, another one at each position, drawn from those measured at an operating point."""

from __future__ import annotations

import numpy as np

from snncircuit.errors import SimulationError
from snncircuit.network.layers import SpikingNetwork
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.step import Neuron
from snncircuit.neuron.variation import VariedNeuron, draw
from snncircuit.table import VARIATION, OperatingTable


def chip(
    network: SpikingNetwork, nominal: CircuitNeuron, *, seed: int, number: int = 0, scale: float = 1.0
) -> dict[str, Neuron]:
    """Layer name to the neurons of one chip.

    A chip depends on seed, number, the order of the layers, and nothing else: neither on how many chips are drawn nor on the engine.

    Args:
        network: whose neurons are drawn.
        nominal: the neuron without mismatch, of a table with measured variation.
        seed: of all chips.
        number: of this chip, >= 0.
        scale: multiplies the measured deviations.

    Raises:
        SimulationError: when the table has no measured variation.
    """
    measured = nominal.table.variation
    if measured is None:
        raise SimulationError(unmeasured(nominal.table))
    found: dict[str, Neuron] = {}
    for place, layer in enumerate(network.layers):
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, place)))
        found[layer.name] = VariedNeuron.of(nominal, draw(measured, layer.out_shape, generator, scale=scale))
    return found


def unmeasured(table: OperatingTable) -> str:
    """Why there are no chips of this table, and the command that makes them possible."""
    return (
        f"no mismatch was measured at {dict(table.point)}; 'snncircuit mismatch TABLE --vneg {table.point['v_neg']:g} "
        "--draws 200' measures it and keeps it in the table"
    )


def sigmas(table: OperatingTable, scale: float = 1.0) -> dict[str, float]:
    """Standard deviation of each parameter of ``VARIATION`` over the measured neurons, times ``scale``; of a table with variation."""
    assert table.variation is not None
    spread = scale * table.variation.std(axis=0, ddof=1)
    return dict(zip(VARIATION, map(float, spread), strict=True))
