"""A neuron to be measured: its netlist, and which port plays which role (``cell.toml``)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snncircuit.characterise.fields import Place, Volts, read_table
from snncircuit.characterise.layout import OPTIONAL, TOP, check_names, check_ports, check_timing, roles
from snncircuit.characterise.roles import Bias, Clock, Input, Limits, Membrane, Rail, Range, Spike, Timing
from snncircuit.errors import CellError
from snncircuit.files import read_limited
from snncircuit.spice.netlist import Netlist, parse_netlist

SCHEMA = 1
FILE = "cell.toml"
_TOLERANCE = 1e-9
_MAX_BYTES = 1 << 20
_NODE = re.compile(r"[\w.#+-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronCell:
    """A neuron circuit and the roles of its ports; each port of the subcircuit has exactly one.

    Attributes:
        name: of the neuron.
        title: one line for people.
        path: the ``cell.toml``.
        netlist: checked.
        subckt: name of the subcircuit.
        ports: of the subcircuit, in its order and spelling; the roles use the same spelling.
        ground: port tied to node 0, or None.
        models: default device cards, or None.
        initial: node (a port or inside the subcircuit) -> V at time 0, or the name of a swept supply.
    """

    name: str
    title: str
    path: Path
    netlist: Netlist
    subckt: str
    ports: tuple[str, ...]
    ground: str | None
    models: Path | None
    step: Timing
    membrane: Membrane
    spike: Spike
    exc: Input
    inh: Input
    supplies: Mapping[str, Rail]
    biases: Mapping[str, Bias]
    clocks: Mapping[str, Clock]
    initial: Mapping[str, Volts]
    range: Range
    limits: Limits

    def check_operating_point(self, v_dd: float, v_neg: float) -> None:
        """Check that supplies in V lie in the legal range and leave the devices below their limit.

        Raises:
            CellError: with the legal range.
        """
        for name, value, (low, high) in (("v_dd", v_dd, self.range.v_dd), ("v_neg", v_neg, self.range.v_neg)):
            if not low - _TOLERANCE <= value <= high + _TOLERANCE:
                msg = (
                    f"{self.path}: {name} = {value:g} V is outside the legal range of {self.name}; "
                    f"expected {low:g} to {high:g} V (range.{name})"
                )
                raise CellError(msg)
        if v_dd - v_neg > self.limits.terminal + _TOLERANCE:
            msg = (
                f"{self.path}: v_dd - v_neg = {v_dd - v_neg:g} V exceeds what the devices of {self.name} stand; "
                f"expected at most {self.limits.terminal:g} V (limits.terminal)"
            )
            raise CellError(msg)


def load_cell(path: Path, netlist: Netlist | None = None) -> NeuronCell:
    """Read a neuron.

    Args:
        path: its ``cell.toml``, or the folder that holds it.
        netlist: takes the place of the file that ``cell.toml`` names.

    Raises:
        CellError: naming file and key, what was expected, found and exists.
        NetlistError: when the netlist cannot be used.
    """
    file = path / FILE if path.is_dir() else path
    try:
        text = read_limited(file, _MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        msg = f"{file} is no text file; expected TOML in UTF-8"
        raise CellError(msg) from None
    except (OSError, ValueError) as error:
        msg = (
            f"expected a neuron at {path}: a folder with {FILE}, or that file; found {_what_is(path, error)}"
        )
        raise CellError(msg) from None
    return parse_cell(text, file, netlist)


def parse_cell(text: str, file: Path, netlist: Netlist | None = None) -> NeuronCell:
    """The same from the text of a ``cell.toml``; ``file`` says where it stands, for errors and relative paths."""
    try:
        return _cell(tomllib.loads(text.replace("\r\n", "\n")), file, netlist)
    except ValueError as error:  # a number of too many digits is one too
        msg = f"{file}: not TOML: {error}"
        raise CellError(msg) from None
    except RecursionError:
        msg = f"{file}: not the TOML of a neuron: nested too deeply"
        raise CellError(msg) from None


def _cell(data: dict[str, Any], file: Path, netlist: Netlist | None) -> NeuronCell:
    top = Place(file, ())
    schema = data.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        msg = f"{file}: schema: expected {SCHEMA}, the one that this version of snncircuit reads, found {schema!r}"
        raise CellError(msg)
    known = read_table(data, top, TOP, OPTIONAL)
    if netlist is None:
        netlist = parse_netlist(_inside(file.parent, known["netlist"], top.at("netlist")))
    subckt = netlist.subckts.get(known["subckt"].lower())
    if subckt is None:
        existing = ", ".join(s.name for s in netlist.subckts.values())
        msg = f"{file}: subckt: no subcircuit {known['subckt']!r} in {known['netlist']}; it has: {existing}"
        raise CellError(msg)
    places = list(roles(known))
    check_names(known, top)
    spelled = check_ports(places, subckt, top)
    check_timing(known, top)
    for node in known["initial"]:
        if not _NODE.fullmatch(node):
            raise top.at("initial").error("a node such as 'out' or 'x1.out'", node)
        if "." not in node and node.lower() not in subckt.nodes:
            msg = f"{file}: initial: no node {node!r} in {subckt.name} ({subckt.place}); it has: {', '.join(sorted(subckt.nodes))}"
            raise CellError(msg)

    def build(kind: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        return kind(**{**values, "port": spelled[values["port"].lower()]})

    return NeuronCell(
        name=known["name"],
        title=known["title"],
        path=file,
        netlist=netlist,
        subckt=subckt.name,
        ports=subckt.ports,
        ground=spelled[known["ground"].lower()] if known["ground"] is not None else None,
        models=file.parent / known["models"] if known["models"] is not None else None,
        step=Timing(**known["step"]),
        membrane=build(Membrane, known["membrane"]),
        spike=build(Spike, known["spike"]),
        exc=build(Input, known["inputs"]["exc"]),
        inh=build(Input, known["inputs"]["inh"]),
        supplies={name: build(Rail, values) for name, values in known["supplies"].items()},
        biases={name: build(Bias, values) for name, values in known["biases"].items()},
        clocks={name: build(Clock, values) for name, values in known["clocks"].items()},
        initial={_spell(node, spelled): volts for node, volts in known["initial"].items()},
        range=Range(**known["range"]),
        limits=Limits(**known["limits"]),
    )


def _inside(folder: Path, name: str, place: Place) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise place.error(f"a file inside {folder}", name)
    return path


def _spell(node: str, spelled: Mapping[str, str]) -> str:
    return spelled.get(node.lower(), node)


def _what_is(path: Path, error: Exception) -> str:
    try:
        why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        if path.is_dir():
            return (
                f"a folder with: {', '.join(sorted(p.name for p in path.iterdir())[:12]) or 'nothing'}{why}"
            )
        return f"nothing that can be read{why}" if path.exists() else "nothing"
    except (OSError, ValueError):
        return "nothing"
