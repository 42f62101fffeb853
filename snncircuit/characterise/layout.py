"""The layout of a cell.toml: its keys, and what must agree among them and with the netlist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from snncircuit.characterise.fields import (
    Place,
    Reader,
    named,
    not_negative,
    positive,
    read_charges,
    read_count,
    read_direction,
    read_net,
    read_number,
    read_pair,
    read_text,
    read_volts,
    table,
)
from snncircuit.errors import CellError
from snncircuit.spice.netlist import Subckt

_MOST_POINTS = 100_000  # of one step, beyond which a simulation would end by its time limit alone
_INPUT = table({"port": read_text, "direction": read_direction, "line_capacitance": not_negative})
TOP: Mapping[str, Reader] = {
    "schema": read_number,
    "name": read_text,
    "title": read_text,
    "netlist": read_text,
    "subckt": read_text,
    "step": table(
        {
            "duration": positive,
            "pulse_start": not_negative,
            "pulse_width": positive,
            "pulse_edge": positive,
            "max_time_step": positive,
        }
    ),
    "membrane": table(
        {"port": read_text, "rest": read_number, "capacitance": positive, "threshold": positive}
    ),
    "spike": table(
        {"port": read_text, "load": not_negative, "level": read_number, "max_per_step": read_count}
    ),
    "inputs": table({"exc": _INPUT, "inh": _INPUT}),
    "supplies": named(table({"port": read_text, "voltage": read_volts}, {"share": (read_count, 1)})),
    "range": table(
        {
            "v_neg": read_pair,
            "v_dd": read_pair,
            "q_common": read_charges,
            "q_net": read_net,
            "v_mem": read_pair,
        }
    ),
    "limits": table({"terminal": positive}),
}
OPTIONAL: Mapping[str, tuple[Reader, Any]] = {
    "ground": (read_text, None),
    "models": (read_text, None),
    "biases": (
        named(table({"port": read_text}, {"voltage": (read_volts, None), "current": (read_number, None)})),
        {},
    ),
    "clocks": (
        named(
            table(
                {
                    "port": read_text,
                    "low": read_volts,
                    "high": read_volts,
                    "delay": not_negative,
                    "width": positive,
                    "edge": positive,
                }
            )
        ),
        {},
    ),
    "initial": (named(read_volts), {}),
}


def roles(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key path, port) of every role."""
    if known["ground"] is not None:
        yield "ground", known["ground"]
    for key in ("membrane", "spike"):
        yield f"{key}.port", known[key]["port"]
    for key in ("inputs", "supplies", "biases", "clocks"):
        for name, entry in known[key].items():
            yield f"{key}.{name}.port", entry["port"]


def check_ports(roles: list[tuple[str, str]], subckt: Subckt, top: Place) -> dict[str, str]:
    """Each port has one role and each role a port; gives lower case -> spelling of the netlist."""
    spelled = {port.lower(): port for port in subckt.ports}
    for port in subckt.ports:
        # A port becomes a node of the deck, where these stand for something else.
        if not re.fullmatch(r"\w+", port, re.ASCII) or port.lower() == "synapse_rail":
            msg = (
                f"{subckt.place}: the port {port!r} of {subckt.name} cannot be a node of its own; "
                f"expected letters, digits and '_', and not synapse_rail"
            )
            raise CellError(msg)
    taken: dict[str, str] = {}
    for key, port in roles:
        if port.lower() not in spelled:
            msg = (
                f"{top.file}: {key}: the subcircuit {subckt.name} ({subckt.place}) has no port {port!r}; "
                f"its ports: {' '.join(subckt.ports)}"
            )
            raise CellError(msg)
        earlier = taken.setdefault(port.lower(), key)
        if earlier != key:
            msg = (
                f"{top.file}: {key}: the port {port!r} already is {earlier}; expected one role for each port"
            )
            raise CellError(msg)
    for folded, port in spelled.items():
        if folded not in taken:
            msg = (
                f"{top.file}: the port {port!r} of {subckt.name} ({subckt.place}) has no role; expected it under ground, membrane, "
                f"spike, inputs, supplies, biases or clocks; with a role: {', '.join(taken)}"
            )
            raise CellError(msg)
    if taken.get("gnd", "ground") != "ground":
        msg = (
            f"{top.file}: ngspice ties every node called gnd to node 0; expected ground = {spelled['gnd']!r}, "
            f"or another name for the port"
        )
        raise CellError(msg)
    return spelled


def check_names(known: Mapping[str, Any], top: Place) -> None:
    """The names of sources become names of elements and of energies: plain, and each once."""
    if not re.fullmatch(r"[\w][\w +.-]{0,79}", known["name"], re.ASCII):
        raise top.at("name").error(
            "letters, digits and any of '_ + . -', since files are named after it", known["name"]
        )
    taken = {"synapse": "the source of the synapses"}
    for key in ("supplies", "biases", "clocks"):
        for name in known[key]:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise top.at(key).error("a name of small letters, digits and '_'", name)
            if name in taken:
                msg = f"{top.at(key).at(name)}: the name {name!r} already is {taken[name]}; expected another name"
                raise CellError(msg)
            taken[name] = f"{key}.{name}"
    if not known["supplies"]:
        msg = f"{top.at('supplies')}: expected at least one supply, such as [supplies.vdd]; found none"
        raise CellError(msg)
    for name, bias in known["biases"].items():
        if (bias["voltage"] is None) == (bias["current"] is None):
            found = "neither" if bias["current"] is None else "both"
            msg = f"{top.at('biases').at(name)}: expected either voltage or current, found {found}"
            raise CellError(msg)


def check_timing(known: Mapping[str, Any], top: Place) -> None:
    """Pulses are longer than their edges and end within the step; raises CellError."""
    step = known["step"]
    if step["pulse_width"] <= step["pulse_edge"]:
        raise top.at("step").at("pulse_width").error("more than pulse_edge", step["pulse_width"])
    if step["duration"] > _MOST_POINTS * step["max_time_step"]:
        shortest = step["duration"] / _MOST_POINTS
        raise (
            top.at("step")
            .at("max_time_step")
            .error(f"at least {shortest:g} s for this duration", step["max_time_step"])
        )
    end = step["pulse_start"] + step["pulse_width"] + step["pulse_edge"]
    if end > step["duration"]:
        raise top.at("step").error(f"a pulse that ends within the step of {step['duration']:g} s", end)
    for name, clock in known["clocks"].items():
        place = top.at("clocks").at(name)
        if clock["width"] <= clock["edge"]:
            raise place.at("width").error("more than edge", clock["width"])
        if clock["delay"] + clock["width"] + clock["edge"] > step["duration"]:
            raise place.error(f"a pulse that ends within the step of {step['duration']:g} s", clock)
