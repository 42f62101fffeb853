"""A network drawn as one circuit: every neuron an instance of the cell, between them an ideal array of synapses.

A spike that leaves a layer in one step arrives at the next layer in the step after it. So layer L, from 0, runs L steps later than in the
simulated network, where a spike passes through all layers within a step; the pulses of its biases too start L steps later. For layer L
and neuron N of it the array consists of

* ``aL_pulse``, the shape of every pulse of charge into the layer: a voltage from 0 to 1 V with start, width and edges of the cell's
  description, once in every step from step L on;
* two capacitors for each neuron that another layer follows. A switch charges ``aLnN_caught`` to 1 V while the neuron's output is above
  the level of a spike. At the start of the next step, before its pulses, one clock connects it to the ten times smaller
  ``aLnN_held``, and then another discharges it: caught is what spikes now, held what spiked in the step before;
* ``aLnN_out``, the pulse of the layer behind where ``held`` is above one half and 0 V where it is not: a whole pulse or none;
* a voltage-controlled current source for each synapse and for the bias of each line, from these pulses to the line of the neuron. Its
  transconductance is weight times threshold charge over pulse width, so a spike is worth exactly its charge. One that meets the
  inhibitory line draws from ``aL_rail``.

Every layer has its own supplies, bias voltages, clocks and source of inhibitory current, so that energy is known by layer; all layers' are
alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import SYNAPSE, OperatingPoint, sources
from snncircuit.cosim.crossbar import Crossbar
from snncircuit.errors import SimulationError
from snncircuit.spice.deck import Deck, Options, Tran
from snncircuit.spice.netlist import ModelCards
from snncircuit.units import format_number

_MODELS = """.model array_catch sw vt={level} vh=0 ron=100k roff=10t
.model array_gate sw vt=0.5 vh=0 ron=100k roff=10t"""
_CAUGHT, _HELD = 1e-15, 1e-16  # F; the larger decides what the smaller takes over


def draw(
    cell: NeuronCell,
    cards: ModelCards,
    point: OperatingPoint,
    crossbars: Sequence[Crossbar],
    *,
    charge: float,
    steps: int,
    options: Options | None = None,
) -> Deck:
    """The deck of a network that runs ``steps`` steps of every layer, all membranes starting at rest.

    Args:
        cell: the neuron of every position.
        cards: its transistors.
        point: supplies, corner and temperature.
        crossbars: the layers in order, with the charges that one image gives the first.
        charge: C, what a charge of one threshold is.
        steps: of each layer; the deck takes one more for each layer behind the first.
        options: of the solver; by default those of every other simulation.

    Raises:
        CellError: supplies outside the cell's range.
        SimulationError: a cell that may fire more than once in a step, or leaves no time before its pulses.
    """
    cell.check_operating_point(v_dd=point.v_dd, v_neg=point.v_neg)
    _check(cell)
    lines = [f"* {len(crossbars)} layers of {cell.name}", cards.text, cell.netlist.text]
    lines += _MODELS.format(level=format_number(cell.spike.level)).splitlines()
    lines += _clocks(cell)
    save: list[str] = []
    starts: list[str] = []
    for number, crossbar in enumerate(crossbars):
        lines += _sources(cell, point, number)
        for i in range(crossbar.neurons):
            lines += _neuron(cell, number, i)
            lines += _synapses(cell, number, i, crossbar, charge)
            if number + 1 < len(crossbars):
                lines += _latch(cell, number, i)
                starts += [f"v(a{number}n{i}_{node})=0" for node in ("caught", "held")]
            starts += _start(cell, point, number, i)
            save += [membrane(cell, number, i), spike(cell, number, i)]
        save += [supply_current(s.name, number) for s in sources(cell, point)]
        save += [clock_voltage(cell, name, number) for name in cell.clocks]
    lines += [f".ic {start}" for start in starts]
    return Deck(
        circuit="\n".join(lines),
        save=tuple(save),
        tran=Tran(
            step=cell.step.max_time_step / 4,
            stop=(steps + len(crossbars) - 1) * cell.step.duration,
            max_step=cell.step.max_time_step,
        ),
        temperature=point.temperature,
        options=options or Options(),
    )


def membrane(cell: NeuronCell, layer: int, neuron: int) -> str:
    """The saved signal of a neuron's membrane."""
    return f"v(l{layer}n{neuron}_{cell.membrane.port})"


def spike(cell: NeuronCell, layer: int, neuron: int) -> str:
    """The saved signal of a neuron's output."""
    return f"v(l{layer}n{neuron}_{cell.spike.port})"


def supply_current(source: str, layer: int) -> str:
    """The saved signal of the current into a layer's source."""
    return f"i(vs_l{layer}_{source})"


def clock_voltage(cell: NeuronCell, clock: str, layer: int) -> str:
    """The saved signal of a layer's clock."""
    return f"v(l{layer}_{cell.clocks[clock].port})"


def _check(cell: NeuronCell) -> None:
    if cell.spike.max_per_step > 1:
        msg = (
            f"{cell.name} may fire {cell.spike.max_per_step} times in a step, but the array between the layers passes on one spike a "
            "step; expected a cell with spike.max_per_step = 1, such as nmp_clocked"
        )
        raise SimulationError(msg)
    if cell.step.pulse_start <= 0:
        msg = f"{cell.name}: pulses start with the step; expected step.pulse_start above 0, the time in which spikes are passed on"
        raise SimulationError(msg)


def _clocks(cell: NeuronCell) -> Iterator[str]:
    """Both between the start of a step and its pulses: first held takes over what was caught, then caught is emptied."""
    window = cell.step.pulse_start
    edge = window / 10
    for name, begin in (("copy", 0.05), ("clear", 0.55)):
        yield f"va_{name} a_{name} 0 {_pulse(0, 1, begin * window, edge, 4 * edge, cell.step.duration)}"
    yield "va_one a_one 0 1"


def _sources(cell: NeuronCell, point: OperatingPoint, layer: int) -> Iterator[str]:
    for name, rail in cell.supplies.items():
        yield f"vs_l{layer}_{name} l{layer}_{rail.port} 0 {_number(point.volts(rail.voltage))}"
    for name, bias in cell.biases.items():
        if bias.voltage is not None:
            yield f"vs_l{layer}_{name} l{layer}_{bias.port} 0 {_number(point.volts(bias.voltage))}"
    step = cell.step
    for name, clock in cell.clocks.items():
        low, high = point.volts(clock.low), point.volts(clock.high)
        shape = _pulse(low, high, clock.delay, clock.edge, clock.width, step.duration)
        yield f"vs_l{layer}_{name} l{layer}_{clock.port} 0 {shape}"
    yield f"vs_l{layer}_{SYNAPSE} a{layer}_rail 0 {_number(point.v_dd)}"
    first = layer * step.duration + step.pulse_start
    yield f"va{layer}_pulse a{layer}_pulse 0 {_pulse(0, 1, first, step.pulse_edge, step.pulse_width, step.duration)}"


def _neuron(cell: NeuronCell, layer: int, neuron: int) -> Iterator[str]:
    nodes = " ".join(_node(cell, port, layer, neuron) for port in cell.ports)
    yield f"xl{layer}n{neuron} {nodes} {cell.subckt}"
    for name, bias in cell.biases.items():
        if bias.current is not None:
            yield f"ib_l{layer}n{neuron}_{name} 0 {_node(cell, bias.port, layer, neuron)} {_number(bias.current)}"
    loads = (
        (cell.exc.port, cell.exc.line_capacitance),
        (cell.inh.port, cell.inh.line_capacitance),
        (cell.spike.port, cell.spike.load),
    )
    for port, load in loads:
        yield f"cl_l{layer}n{neuron}_{port} {_node(cell, port, layer, neuron)} 0 {_number(load)}"


def _synapses(cell: NeuronCell, layer: int, neuron: int, crossbar: Crossbar, charge: float) -> Iterator[str]:
    lines = (
        ("e", cell.exc, crossbar.weight_exc[neuron], crossbar.bias_exc[neuron]),
        ("i", cell.inh, crossbar.weight_inh[neuron], crossbar.bias_inh[neuron]),
    )
    unit = charge / cell.step.pulse_width
    for letter, line, weights, bias in lines:
        port = _node(cell, line.port, layer, neuron)
        ends = f"{port} 0" if line.direction == "out" else f"a{layer}_rail {port}"
        if bias:
            yield f"g{letter}b_l{layer}n{neuron} {ends} a{layer}_pulse 0 {_number(bias * unit)}"
        for source in np.nonzero(weights)[0].tolist():
            control = f"a{layer - 1}n{source}_out 0"
            yield f"g{letter}{source}_l{layer}n{neuron} {ends} {control} {_number(weights[source] * unit)}"


def _latch(cell: NeuronCell, layer: int, neuron: int) -> Iterator[str]:
    own = f"a{layer}n{neuron}"
    yield f"s{own}_catch a_one {own}_caught {_node(cell, cell.spike.port, layer, neuron)} 0 array_catch"
    yield f"s{own}_clear {own}_caught 0 a_clear 0 array_gate"
    yield f"s{own}_copy {own}_caught {own}_held a_copy 0 array_gate"
    yield f"c{own}_caught {own}_caught 0 {_number(_CAUGHT)}"
    yield f"c{own}_held {own}_held 0 {_number(_HELD)}"
    yield f"b{own}_out {own}_out 0 v=v(a{layer + 1}_pulse)*u(v({own}_held)-0.5)"


def _start(cell: NeuronCell, point: OperatingPoint, layer: int, neuron: int) -> Iterator[str]:
    start = {node: point.volts(volts) for node, volts in cell.initial.items()}
    for node, volts in (start | {cell.membrane.port: cell.membrane.rest}).items():
        named = _node(cell, node, layer, neuron) if node in cell.ports else f"xl{layer}n{neuron}.{node}"
        yield f"v({named})={_number(volts)}"


def _node(cell: NeuronCell, port: str, layer: int, neuron: int) -> str:
    """Ports on supplies, bias voltages and clocks are the layer's, all others the neuron's own."""
    if port == cell.ground:
        return "0"
    shared = [s.port for s in cell.supplies.values()] + [c.port for c in cell.clocks.values()]
    shared += [b.port for b in cell.biases.values() if b.voltage is not None]
    return f"l{layer}_{port}" if port in shared else f"l{layer}n{neuron}_{port}"


def _pulse(low: float, high: float, delay: float, edge: float, width: float, period: float) -> str:
    """A periodic pulse; its width is its flat top and one edge."""
    return f"pulse({' '.join(_number(v) for v in (low, high, delay, edge, edge, width - edge, period))})"


def _number(value: float) -> str:
    return format_number(float(value))
