from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.spice.deck import LADDER, Deck, Options, Tran
from snncircuit.units import parse_number

DECK = Deck(circuit="r1 a 0 1k\n", save=("v(a)", "i(v1)"), tran=Tran(step=1e-9, stop=1e-6, max_step=4e-9))


def test_a_deck_holds_title_circuit_conditions_and_end() -> None:
    lines = DECK.text.splitlines()
    assert lines[0].startswith("*")
    assert lines[1] == "r1 a 0 1k"
    assert lines[-1] == ".end"
    assert ".save v(a) i(v1)" in lines
    assert ".temp 27.0" in lines


@given(st.floats(1e-12, 1e-3), st.floats(1e-12, 1e-3), st.floats(-40, 125))
def test_ngspice_reads_the_very_numbers(step: float, stop: float, temperature: float) -> None:
    deck = replace(DECK, tran=Tran(step=step, stop=stop, max_step=step), temperature=temperature)
    cards = {line.split()[0]: line.split()[1:] for line in deck.text.splitlines() if line.startswith(".")}
    assert [parse_number(t) for t in cards[".tran"]] == [step, stop, 0.0, step]
    assert parse_number(cards[".temp"][0]) == temperature


@pytest.mark.parametrize(
    "other",
    [
        replace(DECK, circuit="r1 a 0 2k"),
        replace(DECK, save=("v(a)",)),
        replace(DECK, tran=replace(DECK.tran, stop=2e-6)),
        replace(DECK, temperature=28.0),
        replace(DECK, options=Options(reltol=1e-3)),
    ],
)
def test_whatever_changes_the_answer_changes_the_key(other: Deck) -> None:
    assert other.key != DECK.key


def test_equal_decks_have_equal_keys() -> None:
    assert replace(DECK, circuit="\nr1 a 0 1k\n\n").key == DECK.key


def test_tightening_tightens_every_tolerance() -> None:
    loose, tight = Options(), Options().tightened()
    assert all(
        getattr(tight, n) < getattr(loose, n) for n in ("reltol", "abstol", "vntol", "chgtol", "trtol")
    )


def test_the_ladder_begins_with_what_was_asked_and_each_rung_differs() -> None:
    assert DECK.relaxed(0) == DECK
    assert len({DECK.relaxed(rung).key for rung in range(LADDER + 1)}) == LADDER + 1


def test_only_the_last_rung_gives_up_accuracy() -> None:
    asked = Options()
    assert all(asked.relaxed(rung).reltol == asked.reltol for rung in range(LADDER))
    assert asked.relaxed(LADDER).reltol > asked.reltol
