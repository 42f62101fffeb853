"""A drive is what one simulation does to a neuron: a start and a train of charge pulses. Drive to deck, waveforms to sample; both pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.roles import Clock
from snncircuit.spice.deck import Deck, Options, Tran
from snncircuit.spice.netlist import ModelCards
from snncircuit.spice.waveforms import Waveforms
from snncircuit.table import Supply
from snncircuit.units import format_number

SYNAPSE = "synapse"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Where a neuron is measured: corner of the cards, temperature in degC, v_dd and v_neg in V."""

    corner: str = "tt"
    temperature: float = 27.0
    v_dd: float
    v_neg: float

    def volts(self, value: float | str) -> float:
        """A voltage of the cell description at this point; "v_dd" and "v_neg" stand for the supplies."""
        named: Mapping[str, float] = {"v_dd": self.v_dd, "v_neg": self.v_neg}
        return named[value] if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A start of the membrane and the charge of each input in each step.

    Attributes:
        v_mem: V, membrane at time 0.
        q_exc: C per step, >= 0.
        q_inh: C per step, >= 0, as many as q_exc.
    """

    v_mem: float
    q_exc: tuple[float, ...]
    q_inh: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the neuron did under a drive of T steps.

    Attributes:
        v_mem: V, T + 1 values, at the start and at the end of each step.
        spikes: T counts.
        energy: J, one tuple of T values for each of ``sources(cell, point)``.
        latency: s from the start of each step to its first spike, T values, None in a step without one; None where it was not kept.
        failure: why there is no answer; the other fields are then empty.
    """

    v_mem: tuple[float, ...] = ()
    spikes: tuple[int, ...] = ()
    energy: tuple[tuple[float, ...], ...] = ()
    latency: tuple[float | None, ...] | None = None
    failure: str | None = None

    def record(self) -> dict[str, object]:
        """Plain data for a store."""
        return asdict(self)


def sources(cell: NeuronCell, point: OperatingPoint) -> tuple[Supply, ...]:
    """The sources whose energy is measured, in the order of ``Sample.energy``."""
    rails = [Supply(name=n, kind="rail", voltage=point.volts(s.voltage)) for n, s in cell.supplies.items()]
    biases = [
        Supply(name=n, kind="bias", voltage=point.volts(b.voltage))
        for n, b in cell.biases.items()
        if b.voltage is not None
    ]
    clocks = [Supply(name=n, kind="clock", voltage=point.volts(c.high)) for n, c in cell.clocks.items()]
    return (*rails, *biases, *clocks, Supply(name=SYNAPSE, kind="synapse", voltage=point.v_dd))


def deck(
    cell: NeuronCell, cards: ModelCards, point: OperatingPoint, drive: Drive, options: Options | None = None
) -> Deck:
    """The complete simulation of a drive; raises CellError for an operating point outside the cell's range."""
    cell.check_operating_point(v_dd=point.v_dd, v_neg=point.v_neg)
    lines = [
        f"* {cell.name}",
        cards.text,
        cell.netlist.text,
        f"xcell {' '.join(_node(cell, p) for p in cell.ports)} {cell.subckt}",
    ]
    for name, rail in cell.supplies.items():
        lines.append(f"vs_{name} {rail.port} 0 {_number(point.volts(rail.voltage))}")
    for name, bias in cell.biases.items():
        if bias.voltage is not None:
            lines.append(f"vs_{name} {bias.port} 0 {_number(point.volts(bias.voltage))}")
        elif bias.current is not None:
            lines.append(f"ib_{name} 0 {bias.port} {_number(bias.current)}")
    for name, clock in cell.clocks.items():
        lines.append(f"vs_{name} {clock.port} 0 {_pulse(cell, point, clock)}")
    lines.append(f"vs_{SYNAPSE} {SYNAPSE}_rail 0 {_number(point.v_dd)}")
    for name, port, charges in (("exc", cell.exc, drive.q_exc), ("inh", cell.inh, drive.q_inh)):
        lines.append(f"cl_{name} {port.port} 0 {_number(port.line_capacitance)}")
        ends = f"{port.port} 0" if port.direction == "out" else f"{SYNAPSE}_rail {port.port}"
        lines.append(f"iq_{name} {ends} {_train(cell, charges)}")
    lines.append(f"cl_spk {cell.spike.port} 0 {_number(cell.spike.load)}")
    start = {_initial_node(cell, n): point.volts(v) for n, v in cell.initial.items()} | {
        cell.membrane.port: drive.v_mem
    }
    lines.append(".ic " + " ".join(f"v({node})={_number(v)}" for node, v in start.items()))
    save = [f"v({cell.membrane.port})", f"v({cell.spike.port})"]
    save += [f"i(vs_{s.name})" for s in sources(cell, point)]
    save += [f"v({c.port})" for c in cell.clocks.values()]
    n_steps = len(drive.q_exc)
    return Deck(
        circuit="\n".join(lines),
        save=tuple(save),
        tran=Tran(
            step=cell.step.max_time_step / 4,
            stop=n_steps * cell.step.duration,
            max_step=cell.step.max_time_step,
        ),
        temperature=point.temperature,
        options=options or Options(),
    )


def read(cell: NeuronCell, point: OperatingPoint, drive: Drive, waves: Waveforms) -> Sample:
    """The sample that the waveforms of ``deck(cell, …, drive)`` hold; energies by the trapezoidal rule on the solver's own time points."""
    n_steps = len(drive.q_exc)
    bounds = np.arange(n_steps + 1) * cell.step.duration
    bounds[-1] = min(bounds[-1], waves.time[-1])
    v_mem = np.interp(bounds, waves.time, waves.signal(f"v({cell.membrane.port})"))
    v_mem[0] = drive.v_mem
    crossings = waves.crossings(f"v({cell.spike.port})", cell.spike.level)
    when = np.minimum((crossings / cell.step.duration).astype(int), n_steps - 1)
    spikes = np.bincount(when, minlength=n_steps)
    latency: list[float | None] = [None] * n_steps
    for first in np.unique(when, return_index=True)[1]:
        latency[when[first]] = float(crossings[first] - when[first] * cell.step.duration)
    shares = {n: s.share for n, s in cell.supplies.items()}
    ports = {n: c.port for n, c in cell.clocks.items()}
    energy = []
    for source in sources(cell, point):
        voltage = waves.signal(f"v({ports[source.name]})") if source.name in ports else source.voltage
        power = -voltage * waves.signal(f"i(vs_{source.name})")
        growing = np.concatenate(([0.0], np.cumsum(np.diff(waves.time) * (power[1:] + power[:-1]) / 2)))
        energy.append(tuple(np.diff(np.interp(bounds, waves.time, growing)) / shares.get(source.name, 1)))
    return Sample(
        v_mem=tuple(v_mem.tolist()),
        spikes=tuple(spikes.tolist()),
        energy=tuple(tuple(map(float, e)) for e in energy),
        latency=tuple(latency),
    )


def _node(cell: NeuronCell, port: str) -> str:
    return "0" if port == cell.ground else port


def _initial_node(cell: NeuronCell, node: str) -> str:
    return node if node in cell.ports else f"xcell.{node}"


def _train(cell: NeuronCell, charges: tuple[float, ...]) -> str:
    step = cell.step
    corners = ["0 0"]
    for k, charge in enumerate(charges):
        if charge <= 0:
            continue
        start = k * step.duration + step.pulse_start
        current = _number(charge / step.pulse_width)
        shape = (
            (0.0, "0"),
            (step.pulse_edge, current),
            (step.pulse_width, current),
            (step.pulse_width + step.pulse_edge, "0"),
        )
        corners += [f"{_number(start + after)} {value}" for after, value in shape]
    # One line a corner: the joined line of a long train would be longer than parsers like.
    return "pwl(" + "\n+ ".join(corners) + ")"


def _pulse(cell: NeuronCell, point: OperatingPoint, clock: Clock) -> str:
    low, high = (_number(point.volts(v)) for v in (clock.low, clock.high))
    times = (clock.delay, clock.edge, clock.edge, clock.width - clock.edge, cell.step.duration)
    return f"pulse({low} {high} {' '.join(_number(t) for t in times)})"


def _number(value: float) -> str:
    return format_number(float(value))
