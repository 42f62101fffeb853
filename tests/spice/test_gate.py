"""What would make ngspice do more than simulate is refused with its place; what describes a circuit passes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.errors import NetlistError, SnnCircuitError
from snncircuit.spice.deck import Deck, Options, Tran
from snncircuit.spice.discovery import SELF_TEST
from snncircuit.spice.gate import check_deck
from tests.strategies import NETLIST, spoilt

DECK = Deck(circuit="", save=("v(a)",), tran=Tran(step=1e-9, stop=1e-6, max_step=1e-9))

ATTACKS = [
    ".control",
    "   .CONTROL",
    ".control\nshell touch /tmp/x\n.endc",
    "*# shell touch /tmp/x",
    "  *#shell touch /tmp/x",
    "* # shell touch /tmp/x",
    "r1 a 0 `id`",
    "r1 a 0 1k $ `id`",
    "r1 a 0 1k ; file=x",
    "v1 a 0 dc 0 external",
    "v1 a 0 pwl file=secret",
    'v1 a 0 pwl FILE = "secret"',
    "a1 in out proc",
    ".model proc d_process (process_file=./x)",
    ".model m1 filesource (file=x)",
    ".include /etc/passwd",
    ".inc /etc/passwd",
    ".lib /etc/passwd tt",
    ".if (1)\n.control\n.endif",
    ".end\n.control\nshell id\n.endc",
    ".end",
    "n1 a b osdimodel",
    "pre_osdi x.osdi",
    "codemodel x.cm",
    "+ .control",
    "r1 a 0 1k\u2028.control",
    "r1 a 0 1k\r.control",
    "r1 a 0 1k\x0c.control",
    "r1 a 0 $HOME",
    "r1 a 0 \\shell",
    "b1 a 0 v=v(a) >> file",
    ".options savecurrents",
    ".option reltol=1e-3 acct",
    ".func f(x) {x}",
    ".global vdd",
    ".print tran v(a)",
    ".write x",
    ".measure tran x max v(a)",
    ".csparam x=1",
    "r1 a 0 1k ;$ x",
    "* `id`",
    "unlisted a b",
    ".model x",
    ".",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_with_its_place(attack: str) -> None:
    with pytest.raises(NetlistError, match=r"^deck:\d+: "):
        check_deck(replace(DECK, circuit=attack))


@pytest.mark.parametrize("attack", ["v(a)\n.control", "`id`", "v(a) $x"])
def test_no_other_field_of_a_deck_lets_an_attack_in(attack: str) -> None:
    with pytest.raises(NetlistError):
        check_deck(replace(DECK, save=(attack,)))
    with pytest.raises(NetlistError):
        check_deck(replace(DECK, options=Options(method=attack)))


@pytest.mark.parametrize("deck", [SELF_TEST, replace(DECK, circuit=NETLIST)])
def test_a_circuit_passes(deck: Deck) -> None:
    check_deck(deck)


def test_the_options_of_the_cards_pass() -> None:
    check_deck(replace(DECK, circuit=".option scale=1.0u\n.options reltol = 1e-4 method=gear"))


def test_a_refusal_says_what_is_allowed() -> None:
    with pytest.raises(
        NetlistError, match=r"refused '.control': the card .control is not allowed; allowed cards: .subckt"
    ):
        check_deck(replace(DECK, circuit=".control"))
    with pytest.raises(NetlistError, match="no element begins with 'a'; allowed elements: B C D"):
        check_deck(replace(DECK, circuit="a1 x y"))
    with pytest.raises(NetlistError, match="the option 'acct' is not allowed; allowed options: method"):
        check_deck(replace(DECK, circuit=".option acct"))


def test_a_monstrous_deck_is_refused() -> None:
    with pytest.raises(NetlistError, match="refused 16000001 characters"):
        check_deck(replace(DECK, circuit="*" * 16_000_001))


@given(st.one_of(spoilt(NETLIST), spoilt("\n".join(ATTACKS))))
def test_any_text_passes_or_is_refused(text: str) -> None:
    try:
        check_deck(replace(DECK, circuit=text))
    except SnnCircuitError:
        return
    lines = [line.strip().lower() for line in text.replace("\r", "\n").splitlines()]
    assert not any(line.startswith((".control", "*#", ".inc", ".lib", "a")) for line in lines)
    assert not any("`" in line for line in lines)
