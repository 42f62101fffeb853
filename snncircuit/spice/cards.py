"""Device cards: one corner of a model file, as text for a deck and as the names that a netlist may use."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from snncircuit.spice.gate import check_line
from snncircuit.spice.lines import flatten

_BIN = re.compile(r"\.\d+$")


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
        NetlistError: when the file or the corner does not exist (with those that do), or a line is refused by the gate.
    """
    names: set[str] = set()
    subckts: dict[str, int] = {}
    texts: list[str] = []
    for line in flatten(path, path.resolve().parent, corner):
        check_line(line)
        if line.card == ".end":
            continue
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
    """The words of a line before its first ``key=value``."""
    before = re.split(r"\s+\S+\s*=|\s+params:", text, maxsplit=1, flags=re.IGNORECASE)[0]
    return before.split()
