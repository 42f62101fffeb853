"""A neuron to be measured: its netlist, and which port plays which role (``cell.toml``)."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snncircuit.errors import CellError, UnitError
from snncircuit.spice.netlist import Netlist, Subckt, parse_netlist
from snncircuit.units import parse_number

SCHEMA = 1
FILE = "cell.toml"
SUPPLY_NAMES = ("v_dd", "v_neg")
Volts = float | str
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One network step, all in s.

    Attributes:
        duration: of the step.
        pulse_start: of the charge pulses after the start of the step.
        pulse_width: flat top and one edge, so that charge = current * pulse_width.
        pulse_edge: of each edge.
        max_time_step: longest step of the simulator.
    """

    duration: float
    pulse_start: float
    pulse_width: float
    pulse_edge: float
    max_time_step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Membrane:
    """The membrane node: port, rest in V, capacitance in F and threshold in V above rest (both first guesses)."""

    port: str
    rest: float
    capacitance: float
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """The output: port, load in F, level in V whose rising crossing is a spike, most spikes in one step."""

    port: str
    load: float
    level: float
    max_per_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A line of synapses: port, direction of the current as the neuron sees it (``in``, ``out``), line capacitance in F."""

    port: str
    direction: str
    line_capacitance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """A supply: port, voltage in V or the name of a swept supply, number of neurons that share what hangs on it."""

    port: str
    voltage: Volts
    share: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """A bias port: either a voltage (V, or the name of a swept supply) or a current (A, into the port)."""

    port: str
    voltage: Volts | None = None
    current: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A pulse in every step: low and high in V or as names of swept supplies; delay, width (flat top and one edge), edge in s."""

    port: str
    low: Volts
    high: Volts
    delay: float
    width: float
    edge: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What may be asked: legal supplies in V, the charges to measure in thresholds, legal starts of the membrane in V.

    Attributes:
        q_common: grid of the smaller of both charges.
        q_net: lowest and highest of the excitatory minus the inhibitory charge.
    """

    v_neg: tuple[float, float]
    v_dd: tuple[float, float]
    q_common: tuple[float, ...]
    q_net: tuple[float, float]
    v_mem: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the devices stand: V between any two terminals."""

    terminal: float


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
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        msg = f"{file} is no text file; expected TOML in UTF-8"
        raise CellError(msg) from None
    except (OSError, ValueError):
        msg = f"expected a neuron at {path}: a folder with {FILE}, or that file; found {_what_is(path)}"
        raise CellError(msg) from None
    return parse_cell(text, file, netlist)


def parse_cell(text: str, file: Path, netlist: Netlist | None = None) -> NeuronCell:
    """The same from the text of a ``cell.toml``; ``file`` says where it stands, for errors and relative paths."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        msg = f"{file}: not TOML: {error}"
        raise CellError(msg) from None
    top = _Place(file, ())
    schema = data.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        msg = f"{file}: schema: expected {SCHEMA}, the one that this version of snncircuit reads, found {schema!r}"
        raise CellError(msg)
    known = _read(data, top, _TOP, _OPTIONAL)
    if netlist is None:
        netlist = parse_netlist(_inside(file.parent, known["netlist"], top.at("netlist")))
    subckt = netlist.subckts.get(known["subckt"].lower())
    if subckt is None:
        existing = ", ".join(s.name for s in netlist.subckts.values())
        msg = f"{file}: subckt: no subcircuit {known['subckt']!r} in {known['netlist']}; it has: {existing}"
        raise CellError(msg)
    places = list(_roles(known))
    _check_names(known, top)
    spelled = _check_ports(places, subckt, top)
    _check_timing(known, top)
    for node in known["initial"]:
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


# Reading: a table of readers for each section; a reader takes a value and its place, and gives the value as it is kept.


@dataclass(frozen=True, slots=True)
class _Place:
    file: Path
    keys: tuple[str, ...]

    def at(self, key: str) -> _Place:
        return _Place(self.file, (*self.keys, key))

    def error(self, expected: str, found: object) -> CellError:
        return CellError(f"{self}: expected {expected}, found {found!r:.80}")

    def __str__(self) -> str:
        return f"{self.file}: {'.'.join(self.keys)}" if self.keys else str(self.file)


Reader = Callable[[Any, _Place], Any]


def _read(
    data: object, place: _Place, required: Mapping[str, Reader], optional: Mapping[str, tuple[Reader, Any]]
) -> dict[str, Any]:
    """A table with known keys; unknown ones are refused first, as they are mostly the missing ones misspelt."""
    if not isinstance(data, dict):
        raise place.error("a table", data)
    existing = ", ".join((*required, *optional))
    for key in data:
        if key not in required and key not in optional:
            msg = f"{place}: unknown key {key!r}; the keys here are: {existing}"
            raise CellError(msg)
    values = {}
    for key, reader in required.items():
        if key not in data:
            msg = f"{place}: the key {key!r} is missing; the keys here are: {existing}"
            raise CellError(msg)
        values[key] = reader(data[key], place.at(key))
    for key, (reader, default) in optional.items():
        values[key] = reader(data[key], place.at(key)) if key in data else default
    return values


def _table(
    required: Mapping[str, Reader], optional: Mapping[str, tuple[Reader, Any]] | None = None
) -> Reader:
    return lambda value, place: _read(value, place, required, optional or {})


def _named(reader: Reader) -> Reader:
    """A table whose keys are names that the file chooses."""

    def read(value: Any, place: _Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise place.error("a table", value)
        return {key: reader(entry, place.at(key)) for key, entry in value.items()}

    return read


def _text(value: Any, place: _Place) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise place.error("a text in one line", value)
    return value


def _number(value: Any, place: _Place) -> float:
    if isinstance(value, str):
        try:
            return parse_number(value)
        except UnitError as error:
            msg = f"{place}: {error}"
            raise CellError(msg) from None
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            number = float(value)
    if not math.isfinite(number):
        raise place.error("a number, or a SPICE number such as '200n'", value)
    return number


def _bounded(low: float, *, open_: bool = False) -> Reader:
    def read(value: Any, place: _Place) -> float:
        number = _number(value, place)
        if number < low or (open_ and number == low):
            raise place.error(f"a number {'above' if open_ else 'of at least'} {low:g}", value)
        return number

    return read


_positive, _not_negative = _bounded(0.0, open_=True), _bounded(0.0)


def _count(value: Any, place: _Place) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise place.error("a whole number of at least 1", value)
    return value


def _volts(value: Any, place: _Place) -> Volts:
    if isinstance(value, str) and value in SUPPLY_NAMES:
        return value
    try:
        return _number(value, place)
    except CellError:
        raise place.error(f"a voltage as a number, or one of {', '.join(SUPPLY_NAMES)}", value) from None


def _direction(value: Any, place: _Place) -> str:
    if value not in ("in", "out"):
        raise place.error(
            "'out' (synapses draw current out of the port) or 'in' (they push current into it)", value
        )
    return str(value)


def _numbers(value: Any, place: _Place) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) < 2:
        raise place.error("a list of two or more numbers", value)
    numbers = tuple(_number(entry, place) for entry in value)
    if any(b <= a for a, b in itertools.pairwise(numbers)):
        raise place.error("ascending numbers", value)
    return numbers


def _pair(value: Any, place: _Place) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != 2:
        raise place.error("a list [lowest, highest]", value)
    numbers = tuple(_number(entry, place) for entry in value)
    if numbers[0] > numbers[1]:
        raise place.error("a list [lowest, highest]", value)
    return numbers


def _charges(value: Any, place: _Place) -> tuple[float, ...]:
    numbers = _numbers(value, place)
    if numbers[0] != 0:
        raise place.error("charges that begin with 0", value)
    return numbers


def _net(value: Any, place: _Place) -> tuple[float, ...]:
    low, high = _pair(value, place)
    if not low < 0 < high:
        raise place.error("a net charge on either side of 0, such as [-4.0, 4.0]", value)
    return low, high


_INPUT = _table({"port": _text, "direction": _direction, "line_capacitance": _not_negative})
_TOP: Mapping[str, Reader] = {
    "schema": _number,
    "name": _text,
    "title": _text,
    "netlist": _text,
    "subckt": _text,
    "step": _table(
        {
            "duration": _positive,
            "pulse_start": _not_negative,
            "pulse_width": _positive,
            "pulse_edge": _positive,
            "max_time_step": _positive,
        }
    ),
    "membrane": _table({"port": _text, "rest": _number, "capacitance": _positive, "threshold": _positive}),
    "spike": _table({"port": _text, "load": _not_negative, "level": _number, "max_per_step": _count}),
    "inputs": _table({"exc": _INPUT, "inh": _INPUT}),
    "supplies": _named(_table({"port": _text, "voltage": _volts}, {"share": (_count, 1)})),
    "range": _table({"v_neg": _pair, "v_dd": _pair, "q_common": _charges, "q_net": _net, "v_mem": _pair}),
    "limits": _table({"terminal": _positive}),
}
_OPTIONAL: Mapping[str, tuple[Reader, Any]] = {
    "ground": (_text, None),
    "models": (_text, None),
    "biases": (_named(_table({"port": _text}, {"voltage": (_volts, None), "current": (_number, None)})), {}),
    "clocks": (
        _named(
            _table(
                {
                    "port": _text,
                    "low": _volts,
                    "high": _volts,
                    "delay": _not_negative,
                    "width": _positive,
                    "edge": _positive,
                }
            )
        ),
        {},
    ),
    "initial": (_named(_volts), {}),
}


def _roles(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key path, port) of every role."""
    if known["ground"] is not None:
        yield "ground", known["ground"]
    for key in ("membrane", "spike"):
        yield f"{key}.port", known[key]["port"]
    for key in ("inputs", "supplies", "biases", "clocks"):
        for name, entry in known[key].items():
            yield f"{key}.{name}.port", entry["port"]


def _check_ports(roles: list[tuple[str, str]], subckt: Subckt, top: _Place) -> dict[str, str]:
    """Each port has one role and each role a port; gives lower case -> spelling of the netlist."""
    spelled = {port.lower(): port for port in subckt.ports}
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
    return spelled


def _check_names(known: Mapping[str, Any], top: _Place) -> None:
    """The names of sources become names of elements and of energies: plain, and each once."""
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


def _check_timing(known: Mapping[str, Any], top: _Place) -> None:
    step = known["step"]
    if step["pulse_width"] <= step["pulse_edge"]:
        raise top.at("step").at("pulse_width").error("more than pulse_edge", step["pulse_width"])
    end = step["pulse_start"] + step["pulse_width"] + step["pulse_edge"]
    if end > step["duration"]:
        raise top.at("step").error(f"a pulse that ends within the step of {step['duration']:g} s", end)
    for name, clock in known["clocks"].items():
        place = top.at("clocks").at(name)
        if clock["width"] <= clock["edge"]:
            raise place.at("width").error("more than edge", clock["width"])
        if clock["delay"] + clock["width"] + clock["edge"] > step["duration"]:
            raise place.error(f"a pulse that ends within the step of {step['duration']:g} s", clock)


def _inside(folder: Path, name: str, place: _Place) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise place.error(f"a file inside {folder}", name)
    return path


def _spell(node: str, spelled: Mapping[str, str]) -> str:
    return spelled.get(node.lower(), node)


def _what_is(path: Path) -> str:
    try:
        if path.is_dir():
            return f"a folder with: {', '.join(sorted(p.name for p in path.iterdir())) or 'nothing'}"
        return "nothing that can be read" if path.exists() else "nothing"
    except (OSError, ValueError):
        return "nothing"
