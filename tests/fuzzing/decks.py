"""Hostile decks: what the gate lets through runs nothing and writes nowhere."""

import random
from pathlib import Path

from snncircuit.errors import NetlistError
from snncircuit.spice.deck import Deck, Tran
from snncircuit.spice.gate import check_deck

N, SHARE = 400, 20
HOSTILE = (
    ".control\nshell touch {canary}\n.endc",
    "*# shell touch {canary}",
    "r9 a 0 `touch {canary}`",
    "codemodel {canary}",
    ".include {canary}",
)
HARMLESS = ("* a comment", "r9 a 0 1k", "c9 a 0 1p", "b9 a 0 i=v(a)*1e-6", "+ ")


def trial(chance: random.Random, folder: Path) -> str:
    lines = [chance.choice(HOSTILE).format(canary=folder / "canary")]
    lines += chance.choices(HARMLESS, k=chance.randrange(5))
    chance.shuffle(lines)
    deck = Deck(
        circuit="r1 a 0 1k\n" + "\n".join(lines) + "\n",
        save=("v(a)",),
        tran=Tran(step=1e-9, stop=1e-8, max_step=1e-9),
    )
    try:
        check_deck(deck)
    except NetlistError:
        return "refused"
    raise AssertionError(deck.text)
