"""Operating points around a nominal one: each condition varied alone, where the full grid of all would cost too much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from snncircuit.cli import console, given
from snncircuit.errors import CellError

if TYPE_CHECKING:
    from snncircuit.characterise.cell import NeuronCell
    from snncircuit.characterise.drive import OperatingPoint

NOMINAL: dict[str, Any] = {"corner": "tt", "temperature": 27.0, "v_dd": 1.8}


def star(
    neuron: NeuronCell,
    corners: Sequence[str],
    temperatures: Sequence[float],
    v_dds: Sequence[float],
    v_negs: Sequence[float],
) -> tuple[OperatingPoint, list[OperatingPoint]]:
    """The nominal point, and all points that differ from it in at most one of corner, temperature and v_dd, at every v_neg.

    Nominal are tt, 27 degC and 1.8 V where they are among the values, else the first value; and the first v_neg. Supplies
    that the neuron does not stand together are left out, with a remark: a neuron made for its nominal supplies seldom stands
    all of them at once.
    """
    axes: dict[str, list[Any]] = {"corner": [*corners], "temperature": [*temperatures], "v_dd": [*v_dds]}
    middle = {a: NOMINAL[a] if NOMINAL[a] in values else values[0] for a, values in axes.items()}
    others = [middle | {a: v} for a, values in axes.items() for v in values if v != middle[a]]
    found = [
        point
        for at in (middle, *others)
        for point in given.points([at["corner"]], [at["temperature"]], [at["v_dd"]], v_negs)
    ]
    return found[0], [found[0], *(p for p in found[1:] if _stands(neuron, p))]


def _stands(neuron: NeuronCell, point: OperatingPoint) -> bool:
    try:
        neuron.check_operating_point(v_dd=point.v_dd, v_neg=point.v_neg)
    except CellError as error:
        console.remark(f"left out v_dd {point.v_dd:g} V at v_neg {point.v_neg:g} V: {error}")
        return False
    return True
