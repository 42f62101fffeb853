"""The security gate: only lines that describe a circuit reach ngspice, which would run others as programs.

A netlist for ngspice is a shell script: control blocks, ``*#`` comments, backticks and code models start programs, quoted
files are read and written. So this is a list of what is allowed; anything else is refused with its place.
"""

from __future__ import annotations

import re
from functools import _lru_cache_wrapper, lru_cache
from typing import TypeVar

from snncircuit.errors import NetlistError
from snncircuit.spice.deck import Deck
from snncircuit.spice.lines import MAX_CHARACTERS, Line, logical_lines

CARDS = (
    ".subckt",
    ".ends",
    ".model",
    ".param",
    ".ic",
    ".nodeset",
    ".options",
    ".option",
    ".temp",
    ".save",
    ".tran",
    ".end",
)
ELEMENTS = "BCDEFGHIKLMQRSVWX"
MODEL_TYPES = ("c", "csw", "d", "l", "nmos", "npn", "pmos", "pnp", "r", "sw")
OPTIONS = (
    "method",
    "maxord",
    "reltol",
    "abstol",
    "vntol",
    "chgtol",
    "trtol",
    "gmin",
    "itl1",
    "itl2",
    "itl4",
    "scale",
    "tnom",
)
_STRANGE = re.compile(r"[^\t -~]|[`\"\\$]")
_FORBIDDEN = re.compile(r"\bfile\s*=|\bcodemodel\b|\bpre_\w+|\bosdi\b|\bexternal\b|<<|>>", re.IGNORECASE)
_SHORT = 2000

T = TypeVar("T")


def check_line(line: Line) -> None:
    """Refuse a logical line that does anything but describe a circuit.

    Raises:
        NetlistError: with the place, what was found and what is allowed.
    """
    refusal = _remembered(_refusal, line.text)
    if refusal:
        msg = f"{line.place}: refused {line.text[:60]!r}: {refusal}"
        raise NetlistError(msg)


def check_deck(deck: Deck) -> None:
    """Refuse a deck with any line that is not allowed, or lines after its ``.end``.

    Raises:
        NetlistError: with the line of the deck, what was found and what is allowed.
    """
    if len(deck.circuit) > MAX_CHARACTERS:
        msg = f"deck: refused {len(deck.circuit)} characters; allowed are {MAX_CHARACTERS}"
        raise NetlistError(msg)
    text = deck.text
    n_lines = len(text.splitlines())
    for number, raw in enumerate(text.splitlines(), start=1):
        # What stands in a comment for us may not for ngspice.
        strange = "`" in raw if raw.lstrip().startswith("*") else _remembered(_suspicious, raw)
        if strange:
            msg = f"deck:{number}: refused {raw.strip()[:60]!r}; expected a plain line without a comment behind it"
            raise NetlistError(msg)
    last = Line(f"deck:{n_lines}", "")
    for last in logical_lines(text, "deck"):
        check_line(last)
    if last.card != ".end" or last.number != n_lines:
        msg = f"{last.place}: found the end of the deck in line {last.number} of {n_lines}; expected '.end' in the last line only"
        raise NetlistError(msg)


def _remembered(judgement: _lru_cache_wrapper[T], text: str) -> T:
    """What the judgement says; the same lines come in deck after deck, but long ones are not worth keeping."""
    return judgement(text) if len(text) <= _SHORT else judgement.__wrapped__(text)


@lru_cache(maxsize=20_000)
def _suspicious(raw: str) -> bool:
    return bool(_STRANGE.search(raw) or _FORBIDDEN.search(raw))


@lru_cache(maxsize=20_000)
def _refusal(text: str) -> str:
    """Why a line is refused, or an empty text."""
    strange = _STRANGE.search(text)
    if strange:
        return f"found the character {strange[0]!r}; expected the characters of a plain netlist"
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        return f"{forbidden[0]!r} reaches beyond the circuit; expected elements, models and parameters only"
    if not text.startswith("."):
        if text[:1].upper() in ELEMENTS:
            return ""
        return f"no element begins with {text[:1]!r}; allowed elements: {' '.join(ELEMENTS)}"
    card, *rest = re.split(r"[\s(=,]+", text.lower())
    if card not in CARDS:
        return f"the card {card} is not allowed; allowed cards: {' '.join(CARDS)}"
    if card == ".model" and (len(rest) < 2 or rest[1] not in MODEL_TYPES):
        return f"expected .model NAME TYPE, with a type of: {' '.join(MODEL_TYPES)}"
    if card in (".option", ".options"):
        wrong = [
            key
            for key in re.findall(r"([^\s=,]+)\s*(?:=\s*[^\s=,]+)?", text)[1:]
            if key.lower() not in OPTIONS
        ]
        if wrong:
            return f"the option {wrong[0]!r} is not allowed; allowed options: {' '.join(OPTIONS)}"
    return ""
