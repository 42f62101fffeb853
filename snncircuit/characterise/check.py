"""A look at a neuron before it is measured: its structure, and one short transient with a first spike and inhibition to the rail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample, deck, read, sources
from snncircuit.characterise.findings import Finding, passed
from snncircuit.characterise.stress import stress_findings, terminal_limits
from snncircuit.characterise.structure import port_roles, structural_findings
from snncircuit.spice.deck import Deck
from snncircuit.spice.engine import Engine
from snncircuit.spice.instances import Device, open_circuit
from snncircuit.spice.netlist import ModelCards, check_models
from snncircuit.spice.waveforms import Failure, Waveforms

FLOOR = 0.3
"""V that strong inhibition may leave between the membrane and v_neg."""
_IDLE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found of a neuron.

    Attributes:
        cell: its name.
        netlist: its file; empty when it was given as text.
        point: where it was simulated.
        ports: port -> role.
        n_devices: of the opened circuit.
        findings: of every check.
        sample: what it did in each step; of no steps when the simulation failed.
        sources: names of the measured supplies, in the order of the sample's energies.
    """

    cell: str
    netlist: Path | None
    point: OperatingPoint
    ports: dict[str, str]
    n_devices: int
    findings: tuple[Finding, ...]
    sample: Sample
    sources: tuple[str, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make a circuit wrong."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def first_spike(self) -> int | None:
        """The step of the first spike, from 0; None without a spike."""
        return next((step for step, count in enumerate(self.sample.spikes) if count), None)

    def energy(self, step: int | None) -> dict[str, float] | None:
        """J that each supply gave in a step, synapses included; None without such a step."""
        if step is None or step >= len(self.sample.spikes):
            return None
        return {name: joules[step] for name, joules in zip(self.sources, self.sample.energy, strict=True)}

    def to_json(self) -> dict[str, Any]:
        """Plain data, keys as in the documentation of ``snncircuit check-cell --json``."""
        spike, idle = self.energy(self.first_spike), self.energy(_IDLE)
        return {
            "cell": self.cell,
            "netlist": None if self.netlist is None else str(self.netlist),
            "ok": not self.errors,
            **asdict(self.point),
            "ports": self.ports,
            "devices": self.n_devices,
            "findings": [finding.to_json() for finding in self.findings],
            "spikes": list(self.sample.spikes),
            "v_mem": list(self.sample.v_mem),
            "lowest_membrane": min(self.sample.v_mem, default=None),
            "first_spike": self.first_spike,
            "spike_energy": None if spike is None else sum(spike.values()),
            "spike_energy_by_supply": spike,
            "idle_energy": None if idle is None else sum(idle.values()),
        }


def default_point(
    cell: NeuronCell,
    *,
    corner: str = "tt",
    temperature: float = 27.0,
    v_dd: float | None = None,
    v_neg: float | None = None,
) -> OperatingPoint:
    """Where to look at a neuron: the middle of its positive supply and its most negative rail, if nothing is said."""
    low, high = cell.range.v_dd
    return OperatingPoint(
        corner=corner,
        temperature=temperature,
        v_dd=round((low + high) / 2, 6) if v_dd is None else v_dd,
        v_neg=cell.range.v_neg[0] if v_neg is None else v_neg,
    )


def first_drive(cell: NeuronCell) -> Drive:
    """Silence, two pulses that together exceed the threshold, one that does alone, inhibition to the rail, both at once, the strongest."""
    charge = cell.membrane.capacitance * cell.membrane.threshold
    most_inh, most_exc, common = -cell.range.q_net[0], cell.range.q_net[1], cell.range.q_common[-1]
    pulses = [(0.0, 0.0), (0.5, 0.0), (0.75, 0.0), (0.0, 0.0), (1.5, 0.0), (0.0, 0.0)]
    pulses += [(0.0, most_inh)] * 8 + [(0.0, 0.0), (common, common), (most_exc, 0.0), (0.0, 0.0)]
    return Drive(
        v_mem=cell.membrane.rest,
        q_exc=tuple(charge * exc for exc, _ in pulses),
        q_inh=tuple(charge * inh for _, inh in pulses),
    )


def check_cell(cell: NeuronCell, cards: ModelCards, point: OperatingPoint, engine: Engine) -> Check:
    """Look at a neuron: everything that its netlist tells, and one transient of 18 steps with every inner node kept.

    Args:
        cell: the neuron.
        cards: of the corner of the operating point.
        point: where.
        engine: runs one deck.

    Raises:
        CellError: for an operating point outside the cell's range.
        NetlistError: when a model or subcircuit does not exist, or the gate refuses the deck.
        EngineMissingError: when there is no ngspice.
    """
    check_models(cell.netlist, cards)
    devices = open_circuit(cell.netlist, cell.subckt, cards)
    drive = first_drive(cell)
    findings = structural_findings(cell, devices)
    outcome = engine.run(_everything_kept(deck(cell, cards, point, drive), cell, devices))
    if isinstance(outcome, Failure):
        sample = Sample()
        text = f"the first {len(drive.q_exc)} steps could not be simulated: {outcome.reason}"
        findings.append(Finding(check="simulation", level="error", text=text))
    else:
        sample = read(cell, point, drive, outcome)
        findings += _behaviour(cell, point, drive, sample)
        findings += stress_findings(
            devices,
            outcome.time,
            lambda node: _voltage(cell, outcome, node),
            cell.limits.terminal,
            terminal_limits(cards.path),
        )
    return Check(
        cell=cell.name,
        netlist=cell.netlist.path,
        point=point,
        ports=port_roles(cell),
        n_devices=len(devices),
        findings=tuple(findings),
        sample=sample,
        sources=tuple(source.name for source in sources(cell, point)),
    )


def _everything_kept(asked: Deck, cell: NeuronCell, devices: Sequence[Device]) -> Deck:
    kept = {name.lower() for name in asked.save}
    nodes = dict.fromkeys(node for device in devices for node in device.nodes)
    wanted = [_signal(cell, node) for node in nodes if not _grounded(cell, node)]
    return replace(asked, save=(*asked.save, *(name for name in wanted if name not in kept)))


def _grounded(cell: NeuronCell, node: str) -> bool:
    return node == "0" or (cell.ground is not None and node == cell.ground.lower())


def _signal(cell: NeuronCell, node: str) -> str:
    return f"v({node})" if node in {port.lower() for port in cell.ports} else f"v(xcell.{node})"


def _voltage(cell: NeuronCell, waves: Waveforms, node: str) -> NDArray[np.float64]:
    if _grounded(cell, node):
        return np.zeros_like(waves.time)
    wanted = _signal(cell, node)
    spelled = next((name for name in waves.signals if name.lower() == wanted), wanted)
    return waves.signal(spelled)


def _behaviour(cell: NeuronCell, point: OperatingPoint, drive: Drive, sample: Sample) -> list[Finding]:
    n_early = drive.q_inh.index(max(drive.q_inh))
    count = sum(sample.spikes[:n_early])
    lowest = min(sample.v_mem)
    if sample.spikes[_IDLE]:
        spike = Finding(
            check="spike",
            level="error",
            text=f"found {sample.spikes[_IDLE]} spikes in a step without input; expected none",
            value=float(sample.spikes[_IDLE]),
        )
    elif not count:
        reached = max(sample.v_mem[: n_early + 1])
        spike = Finding(
            check="spike",
            level="error",
            text=(
                f"no spike while 0.5, 0.75 and 1.5 of the threshold charge were given, the membrane reached {reached:.3g} V at the "
                f"end of a step; expected one or more: check capacitance, threshold, the directions of the inputs, the spike's level"
            ),
            node=cell.spike.port,
            value=reached,
            limit=cell.membrane.rest + cell.membrane.threshold,
        )
    else:
        first = next(step for step, spikes in enumerate(sample.spikes) if spikes)
        spike = passed(
            "spike", f"silent without input, first spike in step {first}, {count} by step {n_early}"
        )
    if lowest > point.v_neg + FLOOR:
        text = (
            f"strong inhibition leaves the membrane at {lowest:.2f} V, {lowest - point.v_neg:.2f} V above v_neg; expected within "
            f"{FLOOR:g} V: something connected to the membrane conducts below rest, or the range asks for too little inhibition"
        )
        floor = Finding(
            check="floor",
            level="warning",
            text=text,
            node=cell.membrane.port,
            value=lowest,
            limit=point.v_neg + FLOOR,
        )
    else:
        floor = passed(
            "floor", f"strong inhibition takes the membrane to {lowest:.2f} V, v_neg is {point.v_neg:g} V"
        )
    return [spike, floor]
