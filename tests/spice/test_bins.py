"""Bins that a netlist cannot use are left out, those that it can stay, and what cannot be told is left alone."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.spice.bins import needed_bins
from snncircuit.spice.cards import ModelCards, load_models
from snncircuit.spice.deck import Deck, Tran
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.netlist import parse_netlist_text
from snncircuit.spice.waveforms import Waveforms

EDGES = (0.5, 1.0, 2.0, 4.0)
CARD = "level=14 version=4.5 vth0={vth} toxe=4n u0=0.03"
WRAPPER = ".subckt dev d g s b w=1 l=1 nf=1\nm1 d g s b nmod w={w} l={l} nf={nf}\n.ends dev\n"


def bins(model: str = "nmod") -> str:
    """Nine bins, each with a threshold of its own."""
    lines, number = [], 0
    for w_min, w_max in pairwise(EDGES):
        for l_min, l_max in pairwise(EDGES):
            bounds = f"lmin={l_min}u lmax={l_max}u wmin={w_min}u wmax={w_max}u"
            lines.append(f".model {model}.{number} nmos {bounds} {CARD.format(vth=0.3 + 0.03 * number)}")
            number += 1
    return "\n".join(lines) + "\n"


def cards(folder: Path, text: str) -> ModelCards:
    path = folder / "cards.lib"
    path.write_text(f".lib tt\n{text}.endl tt\n")
    return load_models(path, "tt")


def kept(found: ModelCards) -> list[int]:
    return [
        int(line.split()[1].rpartition(".")[2])
        for line in found.text.splitlines()
        if line.startswith(".model nmod.")
    ]


def cell(*elements: str) -> str:
    return "\n".join([".subckt n d g s b", *elements, ".ends n"])


def pruned(folder: Path, element: str, text: str) -> ModelCards:
    whole = cards(folder, text)
    found = needed_bins(whole, parse_netlist_text(cell(element)))
    assert (found.names, found.subckts, found.sha256) == (whole.names, whole.subckts, whole.sha256)
    return found


@pytest.mark.parametrize(
    ("width", "length", "expected"),
    [
        ("0.7u", "0.7u", [0]),
        ("3u", "0.7u", [6]),
        ("1u", "1u", [0, 1, 3, 4]),
        ("4u", "4u", [8]),
        ("1500n", "0.002m", [4, 5]),
    ],
)
def test_a_transistor_keeps_the_bins_it_may_lie_in(
    tmp_path: Path, width: str, length: str, expected: list[int]
) -> None:
    assert kept(pruned(tmp_path, f"M1 d g s b nmod w={width} l={length}", bins())) == expected


def test_a_wrapper_and_the_scale_of_the_cards_are_seen_through(tmp_path: Path) -> None:
    text = ".option scale=1u\n" + WRAPPER + bins() + bins("pmod")
    found = pruned(tmp_path, "X1 d g s b dev w=3 l=0.7", text)
    assert kept(found) == [6]
    # What no transistor of the netlist names is none of its business.
    assert found.text.count(".model pmod.") == 9


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("M1 d g s b nmod w={0.7u} l=0.7u", bins()),
        ("M1 d g s b nmod l=0.7u", bins()),
        ("M1 d g s b nmod w=1.4u l=0.7u nf=2", bins()),
        ("M1 d g s b nmod w=9u l=0.7u", bins()),
        ("X1 d g s b dev w=0.7u l=0.7u", WRAPPER.replace("w={w}", "w={2*w}") + bins()),
        ("X1 d g s b dev w=0.7u l=0.7u", WRAPPER.replace("nf={nf}", "nf=2") + bins()),
        ("R1 d s 1k", bins()),
        ("M1 d g s b nmod w=0.7u l=0.7u", f".model nmod nmos {CARD.format(vth=0.4)}\n"),
    ],
)
def test_what_cannot_be_told_is_left_alone(tmp_path: Path, element: str, text: str) -> None:
    assert pruned(tmp_path, element, text).text == cards(tmp_path, text).text


@given(
    width=st.floats(0.5, 4.0).map(lambda v: round(v, 2)),
    length=st.floats(0.5, 4.0).map(lambda v: round(v, 2)),
)
def test_every_size_within_the_bins_keeps_one_that_holds_it(
    tmp_path_factory: pytest.TempPathFactory, width: float, length: float
) -> None:
    found = pruned(tmp_path_factory.mktemp("cards"), f"M1 d g s b nmod w={width}u l={length}u", bins())
    numbers = kept(found)
    assert 1 <= len(numbers) <= 4
    for i, j in (divmod(number, 3) for number in numbers):
        assert EDGES[i] <= width <= EDGES[i + 1]
        assert EDGES[j] <= length <= EDGES[j + 1]


@pytest.mark.ngspice
@pytest.mark.parametrize(("width", "length"), [("0.7u", "0.7u"), ("1u", "2u"), ("4u", "1.5u")])
def test_ngspice_gives_the_same_with_and_without_the_other_bins(
    tmp_path: Path, width: str, length: str
) -> None:
    whole = cards(tmp_path, bins())
    found = needed_bins(whole, parse_netlist_text(cell(f"M1 d g s b nmod w={width} l={length}")))
    currents = []
    with EnginePool(1, 30) as pool:
        for chosen in (whole, found):
            circuit = f"{chosen.text}\nm1 d g 0 0 nmod w={width} l={length}\nvd d 0 1\nvg g 0 pwl(0 0 1n 1)"
            waves = pool.run(
                Deck(circuit=circuit, save=("i(vd)",), tran=Tran(step=1e-10, stop=2e-9, max_step=1e-10))
            )
            assert isinstance(waves, Waveforms)
            currents.append(waves.signal("i(vd)"))
    assert abs(currents[0][-1]) > 1e-6
    assert np.array_equal(currents[0], currents[1])
