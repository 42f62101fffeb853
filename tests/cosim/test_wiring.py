"""The deck of a whole network: what the gate lets through, what every line receives, what cannot be drawn."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snncircuit.characterise.cell import NeuronCell, load_cell
from snncircuit.characterise.drive import OperatingPoint
from snncircuit.cosim.crossbar import Crossbar
from snncircuit.cosim.wiring import draw
from snncircuit.errors import CellError, SimulationError
from snncircuit.spice.deck import Deck
from snncircuit.spice.gate import check_deck
from snncircuit.spice.netlist import ModelCards, load_models

ROOT = Path(__file__).parents[2]
POINT = OperatingPoint(v_dd=1.8, v_neg=-1.8)
CHARGE = 464e-15


@pytest.fixture(scope="module")
def cell() -> NeuronCell:
    return load_cell(ROOT / "netlists" / "nmp_clocked")


@pytest.fixture(scope="module")
def cards() -> ModelCards:
    return load_models(ROOT / "models" / "devices" / "generic180.lib", "tt")


def crossbars(seed: int = 1) -> tuple[Crossbar, ...]:
    """Three layers of 2, 3 and 2 neurons; each weight in one of both lines, some in none."""
    random = np.random.default_rng(seed)
    sizes, found = (0, 2, 3, 2), []
    for number, (before, size) in enumerate(itertools.pairwise(sizes)):
        weight, bias = random.normal(0, 0.4, (size, before)), random.normal(0, 0.4, size)
        weight[np.abs(weight) < 0.1] = 0
        found.append(
            Crossbar(
                name=f"fc{number + 1}",
                weight_exc=weight.clip(min=0),
                weight_inh=(-weight).clip(min=0),
                bias_exc=bias.clip(min=0),
                bias_inh=(-bias).clip(min=0),
            )
        )
    return tuple(found)


def drawn(cell: NeuronCell, cards: ModelCards, point: OperatingPoint = POINT) -> Deck:
    return draw(cell, cards, point, crossbars(), charge=CHARGE, steps=4)


def test_the_deck_passes_the_gate_and_saves_only_what_is_read(cell: NeuronCell, cards: ModelCards) -> None:
    deck = drawn(cell, cards)
    check_deck(deck)
    assert deck.tran.stop == pytest.approx((4 + 2) * cell.step.duration)
    assert len(deck.save) == len(set(deck.save)) == 7 * 2 + 3 * (11 + 2)


def test_every_weight_is_a_conductance_worth_its_charge(cell: NeuronCell, cards: ModelCards) -> None:
    text = drawn(cell, cards).circuit
    found = {m[1]: float(m[2]) for m in re.finditer(r"(?m)^(g\S+) .* (\S+)$", text)}
    for number, crossbar in enumerate(crossbars()):
        for letter, weights, biases in (
            ("e", crossbar.weight_exc, crossbar.bias_exc),
            ("i", crossbar.weight_inh, crossbar.bias_inh),
        ):
            for neuron in range(crossbar.neurons):
                wanted = {str(i): w for i, w in enumerate(weights[neuron]) if w}
                if biases[neuron]:
                    wanted["b"] = biases[neuron]
                for source, thresholds in wanted.items():
                    conductance = found.pop(f"g{letter}{source}_l{number}n{neuron}")
                    assert conductance * cell.step.pulse_width == pytest.approx(thresholds * CHARGE)
    assert not found


def test_layers_share_no_node_but_ground_and_the_array(cell: NeuronCell, cards: ModelCards) -> None:
    nodes: dict[str, set[str]] = {}
    for line in drawn(cell, cards).circuit.splitlines():
        if line.startswith("xl"):
            name, *ports = line.split()[:-1]
            nodes.setdefault(name[2], set()).update(ports)
    assert len(nodes) == 3
    for a in nodes:
        for b in nodes:
            assert a == b or nodes[a] & nodes[b] == {"0"}


def test_a_cell_that_fires_twice_in_a_step_is_refused(cards: ModelCards) -> None:
    nmp = load_cell(ROOT / "netlists" / "nmp")
    with pytest.raises(SimulationError, match=r"nmp may fire 2 times in a step.*expected a cell with"):
        drawn(nmp, cards)


def test_a_cell_without_time_before_its_pulses_is_refused(cell: NeuronCell, cards: ModelCards) -> None:
    with pytest.raises(SimulationError, match=r"expected step\.pulse_start above 0"):
        drawn(replace(cell, step=replace(cell.step, pulse_start=0.0)), cards)


def test_supplies_outside_the_range_of_the_cell_are_refused(cell: NeuronCell, cards: ModelCards) -> None:
    with pytest.raises(CellError, match="outside the legal range"):
        drawn(cell, cards, OperatingPoint(v_dd=1.8, v_neg=-2.5))
