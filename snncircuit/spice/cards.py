"""Device cards: one corner of a model file, as text for a deck and as the names that a netlist may use."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from snncircuit.errors import NetlistError
from snncircuit.spice.gate import check_line
from snncircuit.spice.lines import flatten

_BIN = re.compile(r"\.\d+$")
_CARDS = (".model", ".subckt", ".ends", ".param", ".option", ".options")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCards:
    """One corner of a set of device cards.

    Attributes:
        path: the file.
        corner: the ``.lib`` section.
        text: its lines, includes in place, comments gone.
        names: models, lower case, without the number of their bin.
        subckts: subcircuits that stand for devices, lower case, and their number of ports.
        sha256: of the text, hexadecimal.
    """

    path: Path
    corner: str
    text: str
    names: frozenset[str]
    subckts: Mapping[str, int]
    sha256: str


def load_models(path: Path, corner: str) -> ModelCards:
    """The cards of a corner: the section ``.lib corner`` … ``.endl`` and every line outside sections.

    Raises:
        NetlistError: when the file or the corner does not exist (with those that do), a line is refused by the gate, or is no
            part of a model: an analysis, or an element outside a subcircuit.
    """
    inside = False
    names: set[str] = set()
    subckts: dict[str, int] = {}
    texts: list[str] = []
    for line in flatten(path, path.resolve().parent, corner):
        check_line(line)
        if line.card == ".end":
            continue
        if line.card not in _CARDS if line.card else not inside:
            msg = (
                f"{line.place}: found {line.text[:60]!r} among device cards; expected {', '.join(_CARDS)}, and elements only within a "
                f".subckt"
            )
            raise NetlistError(msg)
        inside = line.card != ".ends" and (inside or line.card == ".subckt")
        words = line.text.lower().split()
        if line.card == ".model":
            names.add(model_name(words[1]))
        elif line.card == ".subckt" and len(words) > 1:
            subckts[words[1]] = len(_positional(line.text)) - 2
        texts.append(line.text)
    text = "\n".join(texts)
    return ModelCards(
        path=path,
        corner=corner,
        text=text,
        names=frozenset(names),
        subckts=subckts,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def model_name(name: str) -> str:
    """The name that a device uses for a model: lower case, without the number of a bin."""
    return _BIN.sub("", name.lower())


def _positional(text: str) -> list[str]:
    """The words of a line before its first ``key=value`` or ``params:``."""
    words = text.replace("=", " = ").split()
    ends = [index - 1 for index, word in enumerate(words) if word == "="][:1]
    ends += [index for index, word in enumerate(words) if word.lower() == "params:"][:1]
    return words[: min(ends, default=len(words))]
