"""The devices of a circuit with its subcircuits opened: each with the nodes that ngspice gives it and its place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from snncircuit.errors import NetlistError
from snncircuit.spice.cards import ModelCards, model_name
from snncircuit.spice.elements import TERMINALS, TOKEN, split_words
from snncircuit.spice.lines import Line, flatten, logical_lines
from snncircuit.spice.netlist import Netlist

MOST_LINES = 50_000
_MODEL = re.compile(r"\.model\s+(\S+)\s+(\w+)", re.IGNORECASE)
_GROUND = frozenset(("0", "gnd"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One element of the opened circuit.

    Attributes:
        name: as written, with the instances that lead to it, such as ``x1.mp3``.
        letter: its first letter, small; of a subcircuit of the cards what stands inside, ``m`` for a transistor.
        nodes: in the order of the line, small letters: a port of the outermost subcircuit, ``0``, or an inner node with the
            instances that lead to it, such as ``x1.out``.
        model: name of its model, small; empty where the element takes none.
        kind: type of the model, such as ``nmos``; empty where it is not known.
        given: names of the parameters that its line sets, small.
        place: ``file:line`` in the netlist of the user.
        line: of the user's netlist, without the parameters.
    """

    name: str
    letter: str
    nodes: tuple[str, ...]
    model: str
    kind: str
    given: frozenset[str]
    place: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A subcircuit as text: its ports, and its elements as (line, tokens)."""

    ports: tuple[str, ...]
    elements: tuple[tuple[Line, list[str]], ...]
    of_cards: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instance:
    """A subcircuit to be opened: what leads to it, the nodes at its ports, the user's line if the cards hold it."""

    block: _Block
    path: str
    names: Mapping[str, str]
    caller: Device | None


def open_circuit(netlist: Netlist, subckt: str, cards: ModelCards) -> tuple[Device, ...]:
    """Every device of a subcircuit, instances of subcircuits opened down to the devices, those of the cards too.

    Raises:
        NetlistError: when there is no such subcircuit, or more than ``MOST_LINES`` lines in all.
    """
    top = netlist.subckt(subckt)
    source = (
        flatten(netlist.path, netlist.path.resolve().parent)
        if netlist.path is not None
        else logical_lines(netlist.text, "netlist")
    )
    lines = list(source)
    own = _blocks(lines, of_cards=False)
    blocks = {**_blocks(logical_lines(cards.text, str(cards.path)), of_cards=True), **own}
    kinds = {**_kinds(cards.text.splitlines()), **_kinds(line.text for line in lines)}
    names = {port.lower(): port.lower() for port in top.ports}
    found: list[Device] = []
    closed = [_Instance(block=blocks[top.name.lower()], path="", names=names, caller=None)]
    n_lines = 0
    # A list and no recursion: a chain of subcircuits may be longer than Python's stack.
    while closed:
        instance = closed.pop()
        n_lines += 1 + len(instance.block.elements)
        if n_lines > MOST_LINES:
            msg = f"{top.place}: more than {MOST_LINES} lines when every subcircuit is opened; expected one neuron"
            raise NetlistError(msg)
        for line, tokens in instance.block.elements:
            device = _device(instance, line, tokens, kinds)
            if device.letter == "x":
                closed.append(_inside(instance, device, blocks))
            else:
                found.append(device)
    return tuple(found)


def _blocks(lines: Iterable[Line], *, of_cards: bool) -> dict[str, _Block]:
    blocks: dict[str, _Block] = {}
    name, ports, elements = "", tuple[str, ...](), list[tuple[Line, list[str]]]()
    for line in lines:
        tokens = TOKEN.findall(line.text)
        if line.card == ".subckt":
            words, _ = split_words(line, tokens[1:])
            name, ports, elements = words[0].lower(), tuple(word.lower() for word in words[1:]), []
        elif line.card == ".ends":
            blocks[name] = _Block(ports=ports, elements=tuple(elements), of_cards=of_cards)
        elif not line.card:
            elements.append((line, tokens))
    return blocks


def _kinds(lines: Iterable[str]) -> dict[str, str]:
    """Name -> type of the models, in small letters."""
    matches = (_MODEL.match(line) for line in lines)
    return {model_name(match[1]): match[2].lower() for match in matches if match}


def _device(instance: _Instance, line: Line, tokens: list[str], kinds: Mapping[str, str]) -> Device:
    words, assigned = split_words(line, tokens[1:])
    letter = tokens[0][0].lower()
    count = len(words) - 1 if letter == "x" else len(TERMINALS.get(letter, ()))
    model = model_name(_model(letter, [word.lower() for word in words[count:]]))
    caller = instance.caller
    return Device(
        name=f"{instance.path}{tokens[0].lower()}",
        letter=letter,
        nodes=tuple(_node(word.lower(), instance) for word in words[:count]),
        model=model,
        kind=kinds.get(model, ""),
        # Inside the cards a line passes on what the user's line gave it.
        given=caller.given if caller else frozenset(key.lower() for key, _ in assigned),
        place=caller.place if caller else line.place,
        line=caller.line if caller else " ".join((tokens[0], *words)),
    )


def _inside(instance: _Instance, device: Device, blocks: Mapping[str, _Block]) -> _Instance:
    inner = blocks.get(device.model)
    if inner is None:
        msg = f"{device.place}: no subcircuit {device.model!r} in the netlist or in its cards"
        raise NetlistError(msg)
    return _Instance(
        block=inner,
        path=f"{device.name}.",
        names=dict(zip(inner.ports, device.nodes, strict=False)),
        caller=instance.caller or (device if inner.of_cards else None),
    )


def _model(letter: str, rest: list[str]) -> str:
    if letter == "x" or (letter in "dms" and rest):
        return rest[0]
    if letter == "q" and rest:
        return rest[1] if len(rest) > 1 else rest[0]
    return ""


def _node(word: str, instance: _Instance) -> str:
    if word in _GROUND and word not in instance.names:
        return "0"
    return instance.names.get(word, f"{instance.path}{word}")
