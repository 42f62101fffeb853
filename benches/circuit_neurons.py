"""Circuit neurons that spike like ideal ones, so that a bench compares the cost of the same spikes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.reference import ideal_table
from snncircuit.table import MEASURED, OperatingTable, Supply

LOWEST = -2.0
"""Lower bound of the membrane where a circuit neuron is compared, thresholds."""
TABLE_POINTS = 128
"""Nodes of the table form along the membrane."""
SUPPLIES = 8
FULL_MAP = (13, 7, 34)
"""Nodes of the full map along start, common charge and overdrive, as in the shipped nmp_clocked; it has 11 supplies."""
FULL_SUPPLIES = 11

_NET, _COMMON = 14.0, 64.0  # thresholds a step; what counts as within the range
_SEED = 20200226


def table_neuron() -> CircuitNeuron:
    """A circuit neuron in the form of tables along one axis: 128 points along the membrane, both charges apart, energy of every supply.

    Residual and energies are any function of the would-be membrane, plus something linear in the start and in the common charge.
    """
    table = ideal_map(nodes=(2, 2, TABLE_POINTS), supplies=SUPPLIES)
    random = np.random.default_rng(_SEED)
    start, common = (random.uniform(0, 1e-13, (SUPPLIES, 2)) for _ in range(2))
    energy = table.energy[:, :1, :1, :] + start[:, :, None, None] + common[:, None, :, None]
    return CircuitNeuron(replace(table, energy=energy))


def full_neuron() -> CircuitNeuron:
    """A circuit neuron as its full multilinear map, of the size of a shipped one."""
    return CircuitNeuron(ideal_map(nodes=FULL_MAP, supplies=FULL_SUPPLIES))


def ideal_map(*, nodes: tuple[int, int, int], supplies: int, v_lb: float = LOWEST) -> OperatingTable:
    """A table of any size that spikes exactly as ``IdealNeuron(v_lb=v_lb)`` and whose energies are random.

    The lower bound is that of the nodes: a would-be membrane below the first one is that of the first one. The residual is then
    zero on every node, so that no interpolation rounds and equal spikes are equal to the last one.

    Args:
        nodes: along start, common charge and overdrive.
        supplies: whose energy is summed.
        v_lb: lower bound of the membrane, thresholds.
    """
    bounded = ideal_table(v_lb, net=_NET, q_common=_COMMON, v_high=_NET)
    start = np.linspace(bounded.start[0], bounded.start[-1], nodes[0])
    common = np.linspace(0.0, bounded.q_common[-1], nodes[1])
    silent = 2 * nodes[2] // 3
    overdrive = np.concatenate(
        [np.linspace(v_lb - 1.0, -1e-9, silent), np.linspace(0.0, bounded.overdrive[-1], nodes[2] - silent)]
    )
    random = np.random.default_rng(_SEED)
    return replace(
        bounded,
        start=start,
        q_common=common,
        count=np.repeat([0, 1], [silent, nodes[2] - silent]),
        overdrive=overdrive,
        edge=np.ones((1, *nodes[:2])),
        residual=np.zeros(nodes),
        energy=random.uniform(0.5e-12, 1e-12, (supplies, *nodes)),
        energy_exc=random.uniform(0, 1e-12, supplies),
        energy_inh=random.uniform(0, 1e-12, supplies),
        state=np.full(nodes, MEASURED, np.int8),
        supplies=tuple(Supply(name=f"rail{n}", kind="rail", voltage=1.0) for n in range(supplies)),
    )
