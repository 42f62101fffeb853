"""The transistors of a cell, each instance by itself, and the same cell with a mismatch of its own for each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from snncircuit.errors import NetlistError, UnitError
from snncircuit.spice.elements import TOKEN, split_words
from snncircuit.spice.lines import Line
from snncircuit.spice.mismatch_cards import MismatchCards, Pelgrom
from snncircuit.spice.netlist import Netlist
from snncircuit.units import format_number, parse_number

_GIVEN = re.compile(r"\s*\b(delvto|mulu0)\s*=\s*(\{[^{}]*\}|'[^']*'|[^\s=]+)", re.IGNORECASE)
_MOST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Transistor:
    """One instance of a transistor with known mismatch.

    Attributes:
        path: names of the instances that lead to it and its own, lower case, joined by dots, as in ``xinv.mp1``.
        model: lower case.
        nodes: drain, gate, source and bulk as its line names them, lower case.
        size: texts of w, l and multiplicity.
        pelgrom: its mismatch.
    """

    path: str
    model: str
    nodes: tuple[str, ...]
    size: tuple[str, str, str]
    pelgrom: Pelgrom

    @property
    def area(self) -> float | None:
        """W L times the multiplicity, m²; None where it is an expression that ngspice resolves."""
        try:
            w, length, m = (parse_number(s) for s in self.size)
        except UnitError:
            return None
        return w * length * m * self.pelgrom.unit**2

    def shifts(self, z_vt: float, z_beta: float) -> tuple[str, str]:
        """``delvto`` (V) and ``mulu0`` of an instance that lies so many deviations of one device off its nominal."""
        vt, beta = (z * a / 2**0.5 for z, a in ((z_vt, self.pelgrom.a_vt), (z_beta, self.pelgrom.a_beta)))
        if self.area is not None:
            return format_number(vt / self.area**0.5), format_number(1.0 + beta / self.area**0.5)
        root = "*".join(f"({_bare(s)})" for s in self.size)
        vt, beta = vt / self.pelgrom.unit, beta / self.pelgrom.unit
        return f"{{({format_number(vt)})/sqrt({root})}}", f"{{1+({format_number(beta)})/sqrt({root})}}"


def transistors(netlist: Netlist, subckt: str, cards: MismatchCards) -> tuple[Transistor, ...]:
    """The transistors of a subcircuit and of those inside it whose mismatch is known, outer ones before inner ones.

    Raises:
        NetlistError: when there is none, or one has no w or l.
    """
    found = tuple(t for _, t in _walk(_Text(netlist), subckt, cards) if t is not None)
    if not found:
        known = ", ".join(sorted(cards.devices))
        msg = f"{netlist.path or subckt}: no transistor of {subckt} has its mismatch in {cards.path}, which has: {known}"
        raise NetlistError(msg)
    return found


def vary(netlist: Netlist, subckt: str, cards: MismatchCards, z: Sequence[tuple[float, float]]) -> Netlist:
    """The netlist with every transistor of ``transistors`` off its nominal; each instance of an inner subcircuit becomes its own.

    Args:
        netlist: nominal.
        subckt: the cell's.
        cards: mismatch.
        z: for each transistor its threshold and its current factor, in deviations of one device.
    """
    source = _Text(netlist)
    shifts = iter(z)
    written = []
    for text, transistor in _walk(source, subckt, cards):
        if transistor is None:
            written.append(text)
            continue
        given = {key.lower(): _bare(value) for key, value in _GIVEN.findall(text)}
        vt, beta = transistor.shifts(*next(shifts))
        if "delvto" in given:
            vt = f"{{({given['delvto']})+({_bare(vt)})}}"
        if "mulu0" in given:
            beta = f"{{({given['mulu0']})*({_bare(beta)})}}"
        written.append(f"{_GIVEN.sub('', text)} delvto={vt} mulu0={beta}")
    return replace(netlist, text="\n".join([*source.top, *written]))


class _Text:
    """The lines of a netlist: those outside subcircuits, and header and body of each."""

    def __init__(self, netlist: Netlist) -> None:
        self.top: list[str] = []
        self.header: dict[str, str] = {}
        self.body: dict[str, list[str]] = {}
        inside: list[str] | None = None
        for text in netlist.text.splitlines():
            words = text.split()
            if words[0].lower() == ".subckt":
                inside = self.body.setdefault(words[1].lower(), [])
                self.header[words[1].lower()] = text
            elif words[0].lower() == ".ends":
                inside = None
            else:
                (self.top if inside is None else inside).append(text)


def _walk(source: _Text, subckt: str, cards: MismatchCards) -> Iterator[tuple[str, Transistor | None]]:
    """Every line of the cell with one subcircuit for each instance; beside the line of a transistor what it is."""
    waiting, made = [(subckt.lower(), subckt, "")], 0
    while waiting:
        kind, name, path = waiting.pop(0)
        yield re.sub(r"^(\S+\s+)\S+", rf"\g<1>{name}", source.header[kind]), None
        for text in source.body[kind]:
            tokens = TOKEN.findall(text)
            words, assigned = split_words(Line(kind, text), tokens[1:]) if text[0] in "xXmM" else ([], [])
            inner = words[-1].lower() if text[0] in "xX" else ""
            if inner in source.body:
                made += 1
                if made > _MOST:
                    msg = f"{subckt} holds more than {_MOST} subcircuits; expected the netlist of one neuron"
                    raise NetlistError(msg)
                own = f"{inner}__{made}"
                waiting.append((inner, own, f"{path}{tokens[0].lower()}."))
                keys = " ".join(f"{k}={v}" for k, v in assigned)
                yield f"{tokens[0]} {' '.join(words[:-1])} {own} {keys}".rstrip(), None
                continue
            model = inner or (words[4].lower() if len(words) > 4 else "")
            pelgrom = cards.devices.get(model)
            if pelgrom is None:
                yield text, None
                continue
            yield text, _transistor(text, path, tokens[0], words, dict(assigned), pelgrom)
        yield f".ends {name}", None


def _transistor(
    text: str, path: str, name: str, words: list[str], assigned: Mapping[str, str], pelgrom: Pelgrom
) -> Transistor:
    values = {key.lower(): value for key, value in assigned.items()}
    if "w" not in values or "l" not in values:
        msg = f"{path}{name}: expected a transistor with w and l, from which its mismatch follows; found {text[:60]!r}"
        raise NetlistError(msg)
    return Transistor(
        path=f"{path}{name.lower()}",
        model=words[-1].lower() if name[0] in "xX" else words[4].lower(),
        nodes=tuple(word.lower() for word in words[:4]),
        size=(values["w"], values["l"], values.get("m", values.get("mult", "1"))),
        pelgrom=pelgrom,
    )


def _bare(value: str) -> str:
    return value.strip("{}'")
