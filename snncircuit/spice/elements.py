"""The elements of a subcircuit: what each line must hold, and what it uses."""

from __future__ import annotations

import re
from collections.abc import Iterable

from snncircuit.errors import NetlistError, UnitError
from snncircuit.spice.lines import Line
from snncircuit.units import parse_number

# Letter: names of its nodes. What follows them is a model for D, M, Q, S; a source for F, H, W; a value for the others.
_NODES = {
    "b": "two nodes",
    "c": "two nodes",
    "d": "anode cathode",
    "e": "out+ out- in+ in-",
    "f": "two nodes",
    "g": "out+ out- in+ in-",
    "h": "two nodes",
    "i": "two nodes",
    "l": "two nodes",
    "m": "drain gate source bulk",
    "q": "collector base emitter",
    "r": "two nodes",
    "s": "node+ node- control+ control-",
    "v": "two nodes",
    "w": "node+ node-",
}
TERMINALS = {
    letter: ("first", "second") if names == "two nodes" else tuple(names.split())
    for letter, names in _NODES.items()
}
"""Letter of an element -> what its nodes are, in order."""
_WITH_MODEL = "dmqs"
_MOS_PARAMETERS = frozenset(
    re.findall(
        r"\w+",
        "w l ad as pd ps nrd nrs nf m mult sa sb sd sca scb scc sc delvto mulu0 geo geomod rgeomod min off ic temp dtemp "
        "ngcon xgw rbdb rbsb rbpb rbps rbpd rbodymod rgatemod trnqsmod acnqsmod",
    )
)
_SOURCE_WORDS = frozenset(("dc", "ac", "pulse", "pwl", "sin", "exp", "sffm", "am", "r", "td"))
_LISTS = frozenset(("ic", "tc", "v", "i", "vol", "cur", "value"))
_NAME = re.compile(r"[A-Za-z_]\w*")
TOKEN = re.compile(r"\{[^{}]*\}|'[^']*'|[^\s=(),{}']+|[=(),{}']")


class Scope:
    """What has been read of one subcircuit, or of the top level."""

    def __init__(self, line: Line | None, name: str, ports: tuple[str, ...], parameters: set[str]) -> None:
        self.line = line
        self.name = name
        self.ports = ports
        self.parameters = parameters
        self.elements: dict[str, Line] = {}
        self.models: dict[str, str] = {}
        self.instances: list[tuple[str, int, str]] = []
        self.nodes = {port.lower() for port in ports}


def listed(names: Iterable[str]) -> str:
    """Names for an error message."""
    return ", ".join(sorted(names)) or "none"


def read_element(line: Line, tokens: list[str], scope: Scope) -> None:
    """Check the line of an element and note in its scope what it uses.

    Raises:
        NetlistError: naming file and line, what was expected and found.
    """
    name, letter = tokens[0], tokens[0][0].lower()
    earlier = scope.elements.setdefault(name.lower(), line)
    if earlier is not line:
        msg = f"{line.place}: a second element {name!r} in {scope.name!r}; the first is at {earlier.place}"
        raise NetlistError(msg)
    words, assigned = split_words(line, tokens[1:])
    if letter == "x":
        if len(words) < 2:
            msg = f"{line.place}: expected {name} NODE ... SUBCIRCUIT, found {line.text!r}"
            raise NetlistError(msg)
        scope.nodes |= {node.lower() for node in words[:-1]}
        scope.instances.append((words[-1], len(words) - 1, line.place))
        check_values(line, assigned, scope)
        return
    if letter == "k":
        if len(words) < 3:
            msg = f"{line.place}: expected {name} INDUCTOR INDUCTOR COUPLING, found {line.text!r}"
            raise NetlistError(msg)
        _check_value(line, name, words[-1], scope)
        return
    count = len(TERMINALS[letter])
    nodes, rest = words[:count], words[count:]
    if len(nodes) < count or (letter in _WITH_MODEL and not rest):
        what = _NODES[letter] + (" MODEL" if letter in _WITH_MODEL else "")
        msg = f"{line.place}: expected {name} with {what}, found {line.text!r}"
        raise NetlistError(msg)
    scope.nodes |= {node.lower() for node in nodes}
    if letter in _WITH_MODEL:
        model = rest[1] if letter == "q" and len(rest) > 1 else rest[0]
        scope.models.setdefault(model, line.place)
    if letter == "m":
        unknown = [key for key, _ in assigned if key.lower() not in _MOS_PARAMETERS]
        if unknown:
            msg = f"{line.place}: a transistor has no parameter {unknown[0]!r}; it has: {listed(_MOS_PARAMETERS)}"
            raise NetlistError(msg)
    if letter in "rcl" and not rest and not assigned:
        msg = f"{line.place}: expected a value after the nodes of {name}, found {line.text!r}"
        raise NetlistError(msg)
    if letter in "rcl" and assigned and rest and _NAME.fullmatch(rest[0]):
        scope.models.setdefault(rest[0], line.place)
    else:
        for value in _values(letter, rest):
            _check_value(line, name, value, scope)
    if letter not in "be":
        check_values(line, assigned, scope)


def _values(letter: str, words: list[str]) -> list[str]:
    """Which of the words after the nodes must be values."""
    if letter in "rcleg":
        return words[:1]
    if letter in "fh":
        return words[1:2]
    return [word for word in words if word.lower() not in _SOURCE_WORDS] if letter in "vi" else []


def split_words(line: Line, tokens: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Positional words, and the ``key=value`` pairs among and after them."""
    first = next((i for i, t in enumerate(tokens) if t == "="), None)
    if first is None:
        positional, keyed = tokens, []
    else:
        positional, keyed = tokens[: max(first - 1, 0)], tokens[max(first - 1, 0) :]
    words = [t for t in positional if t not in ("(", ")", ",") and t.lower() != "params:"]
    if any(t in ("{", "}", "'") for t in tokens):
        msg = (
            f"{line.place}: unbalanced braces or quotes in {line.text!r}; expected each expression as {{...}}"
        )
        raise NetlistError(msg)
    return words, assignments(line, keyed)


def assignments(line: Line, tokens: list[str]) -> list[tuple[str, str]]:
    """The pairs of ``key=value``; only some keys take more than one word, so that ``w=2,5u`` is found out."""
    pairs: list[tuple[str, str]] = []
    rest = iter(enumerate(tokens))
    for i, token in rest:
        if (
            tokens[i + 1 : i + 2] == ["="]
            and tokens[i + 2 : i + 3] not in ([], ["="])
            and _NAME.fullmatch(token)
        ):
            pairs.append((token, tokens[i + 2]))
            next(rest), next(rest)
        elif token.lower() != "off" and not (pairs and pairs[-1][0].lower() in _LISTS):
            msg = f"{line.place}: expected NAME=VALUE, found {token!r} in {line.text!r}"
            raise NetlistError(msg)
    return pairs


def check_values(line: Line, assigned: Iterable[tuple[str, str]], scope: Scope) -> None:
    """Check that each value is a number, an expression or a known parameter; raises NetlistError."""
    for key, value in assigned:
        _check_value(line, key, value, scope)


def _check_value(line: Line, name: str, value: str, scope: Scope) -> None:
    if value[0] in "{'" or value.lower() in scope.parameters:
        return
    try:
        parse_number(value)
    except UnitError:
        known = listed(scope.parameters)
        msg = (
            f"{line.place}: {name} has {value!r}; expected a number such as 2.5u, an expression in braces, "
            f"or a parameter (there are: {known})"
        )
        raise NetlistError(msg) from None
