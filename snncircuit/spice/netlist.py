"""A neuron's netlist: read, checked line by line, never changed but for comments and includes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from snncircuit.errors import NetlistError
from snncircuit.spice.cards import ModelCards, load_models, model_name
from snncircuit.spice.elements import (
    TOKEN,
    Scope,
    assignments,
    check_values,
    listed,
    read_element,
    split_words,
)
from snncircuit.spice.gate import check_line
from snncircuit.spice.lines import Line, flatten, logical_lines

_STRUCTURE = (".subckt", ".ends", ".model", ".param", ".end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subckt:
    """A subcircuit.

    Attributes:
        name: as written; all look-ups fold to lower case, as ngspice does.
        ports: as written, in order.
        place: ``file:line`` of its ``.subckt``.
        models: name of each model used -> place of the first use.
        instances: (name of a subcircuit used, number of nodes given, place).
        nodes: every node and port in lower case.
    """

    name: str
    ports: tuple[str, ...]
    place: str
    models: Mapping[str, str]
    instances: tuple[tuple[str, int, str], ...]
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Netlist:
    """A checked netlist.

    Attributes:
        path: its file; None when it was given as text.
        text: its lines for a deck, includes in place, comments gone.
        subckts: lower-case name -> subcircuit.
        models: lower-case names of its own ``.model`` cards.
    """

    path: Path | None
    text: str
    subckts: Mapping[str, Subckt]
    models: frozenset[str]

    def subckt(self, name: str) -> Subckt:
        """A subcircuit by name, upper or lower case.

        Raises:
            NetlistError: when there is none, with those that exist.
        """
        found = self.subckts.get(name.lower())
        if found is None:
            existing = ", ".join(s.name for s in self.subckts.values())
            msg = f"{self.path or 'netlist'}: no subcircuit {name!r}; it has: {existing}"
            raise NetlistError(msg)
        return found


def parse_netlist(path: Path) -> Netlist:
    """Read a netlist; what it includes must lie in its folder.

    Raises:
        NetlistError: naming file and line, what was expected, found and exists.
    """
    return _parse(flatten(path, path.resolve().parent), str(path), path)


def parse_netlist_text(text: str, name: str = "netlist") -> Netlist:
    """The same for text, which may include nothing; ``name`` stands for the file in errors.

    Raises:
        NetlistError: naming ``name`` and line, what was expected, found and exists.
    """
    return _parse(logical_lines(text, name), name, None)


def check_models(netlist: Netlist, cards: ModelCards) -> None:
    """Check that every device model and every subcircuit that a netlist uses is in it or in the cards.

    Raises:
        NetlistError: naming file and line of the first use, and what exists.
    """
    twice = sorted(netlist.subckts.keys() & cards.subckts.keys())
    if twice:
        place = netlist.subckts[twice[0]].place
        msg = f"{place}: the subcircuit {twice[0]!r} is in {_cards(cards)} too; expected another name"
        raise NetlistError(msg)
    known = netlist.models | cards.names
    for subckt in netlist.subckts.values():
        for model, place in subckt.models.items():
            if model.lower() not in known:
                msg = f"{place}: no model {model!r}; {_cards(cards)} has: {listed(cards.names)}"
                msg += f"; the netlist has: {listed(netlist.models)}" if netlist.models else ""
                raise NetlistError(msg)
        for name, n_nodes, place in subckt.instances:
            if name.lower() in netlist.subckts:
                continue
            n_ports = cards.subckts.get(name.lower())
            if n_ports is None:
                existing = listed([*netlist.subckts, *cards.subckts])
                msg = f"{place}: no subcircuit {name!r} in the netlist or in {_cards(cards)}; they have: {existing}"
                raise NetlistError(msg)
            if n_ports != n_nodes:
                msg = (
                    f"{place}: expected {n_ports} nodes for {name!r}, as in {_cards(cards)}; found {n_nodes}"
                )
                raise NetlistError(msg)


def _cards(cards: ModelCards) -> str:
    return f"{cards.path} ({cards.corner})"


def _parse(source: Iterable[Line], name: str, path: Path | None) -> Netlist:
    lines = [line for line in source if line.card not in (".title", ".end")]
    top = Scope(None, "", (), set())
    # A parameter may be used before the line that sets it.
    for line in lines:
        if line.card == ".param":
            top.parameters |= {key.lower() for key, _ in assignments(line, TOKEN.findall(line.text)[1:])}
    scope, subckts, models = top, dict[str, Subckt](), set[str]()
    for line in lines:
        check_line(line)
        if line.card and line.card not in _STRUCTURE:
            msg = f"{line.place}: {line.card} has no place in a neuron's netlist, the tool writes it; expected {listed(_STRUCTURE)}"
            raise NetlistError(msg)
        tokens = TOKEN.findall(line.text)
        if line.card == ".subckt":
            scope = _open(line, tokens, scope, subckts)
        elif line.card == ".ends":
            _check_end(line, tokens, scope)
            subckts[scope.name.lower()] = _close(scope)
            scope = top
        elif line.card == ".model":
            models.add(model_name(tokens[1]))
        elif line.card == ".param":
            check_values(line, assignments(line, tokens[1:]), scope)
        elif scope is top:
            msg = f"{line.place}: found {line.text[:60]!r} outside any subcircuit; expected .subckt before it, or '*' for a comment"
            raise NetlistError(msg)
        else:
            read_element(line, tokens, scope)
    if scope is not top:
        msg = f"{name}: subcircuit {scope.name!r} of line {scope.line.number if scope.line else 0} is not closed; expected .ends"
        raise NetlistError(msg)
    if not subckts:
        msg = f"{name}: found no .subckt; expected one, whose ports are those of the neuron"
        raise NetlistError(msg)
    _check_instances(subckts)
    text = "\n".join(line.text for line in lines)
    return Netlist(path=path, text=text, subckts=subckts, models=frozenset(models))


def _open(line: Line, tokens: list[str], scope: Scope, subckts: Mapping[str, Subckt]) -> Scope:
    if scope.line is not None:
        msg = f"{line.place}: .subckt inside subcircuit {scope.name!r} of line {scope.line.number}; expected .ends before it"
        raise NetlistError(msg)
    words, assigned = split_words(line, tokens[1:])
    if len(words) < 2:
        msg = f"{line.place}: expected .subckt NAME PORT ..., found {line.text!r}"
        raise NetlistError(msg)
    name, *ports = words
    if name.lower() in subckts:
        msg = f"{line.place}: a second subcircuit {name!r}; the first is at {subckts[name.lower()].place}"
        raise NetlistError(msg)
    folded = [port.lower() for port in ports]
    twice = [port for i, port in enumerate(ports) if port.lower() in folded[:i]]
    if twice or "0" in folded:
        msg = f"{line.place}: port {(*twice, '0')[0]!r} of {name!r} is given twice or is node 0; found the ports {' '.join(ports)}"
        raise NetlistError(msg)
    inner = Scope(line, name, tuple(ports), {*scope.parameters, *(key.lower() for key, _ in assigned)})
    check_values(line, assigned, inner)
    return inner


def _check_end(line: Line, tokens: list[str], scope: Scope) -> None:
    if scope.line is None:
        msg = f"{line.place}: found .ends outside any subcircuit; expected .subckt before it"
        raise NetlistError(msg)
    if len(tokens) > 1 and tokens[1].lower() != scope.name.lower():
        msg = (
            f"{line.place}: found {line.text!r}; expected .ends {scope.name}, which closes {scope.line.place}"
        )
        raise NetlistError(msg)


def _close(scope: Scope) -> Subckt:
    return Subckt(
        name=scope.name,
        ports=scope.ports,
        place=scope.line.place if scope.line else "",
        models=scope.models,
        instances=tuple(scope.instances),
        nodes=frozenset(scope.nodes),
    )


def _check_instances(subckts: Mapping[str, Subckt]) -> None:
    """Node counts of the instances of own subcircuits, and that none holds itself."""
    for subckt in subckts.values():
        for name, n_nodes, place in subckt.instances:
            inner = subckts.get(name.lower())
            if inner is not None and len(inner.ports) != n_nodes:
                msg = f"{place}: expected {len(inner.ports)} nodes for {name!r} ({' '.join(inner.ports)}), found {n_nodes}"
                raise NetlistError(msg)
    graph = {name: [inner.lower() for inner, _, _ in subckt.instances] for name, subckt in subckts.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        name = error.args[1][0]
        msg = f"{subckts[name].place}: subcircuit {name!r} holds itself ({' in '.join(error.args[1])})"
        raise NetlistError(msg) from None


__all__ = [
    "ModelCards",
    "Netlist",
    "Subckt",
    "check_models",
    "load_models",
    "parse_netlist",
    "parse_netlist_text",
]
