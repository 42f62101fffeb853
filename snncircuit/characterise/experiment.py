"""The experiment on one neuron at one operating point, as a coroutine: it yields drives, is sent their samples and returns the table.

Nothing here runs a simulator, so the experiment is deterministic and resumable: whoever drives it may answer from a store.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from snncircuit import lookup
from snncircuit.characterise import figures, grid
from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample, sources
from snncircuit.errors import CharacterisationError
from snncircuit.table import FILLED, HOLE, MEASURED, OperatingTable

T = TypeVar("T")
Experiment = Generator[list[Drive], list[Sample], T]

EDGE_TOLERANCE = 1e-4  # thresholds; an edge this wrong misjudges one step in some ten thousand
_NEVER = 20.0  # thresholds beyond the last edge
_FLOOR_STEPS = 24
_HELD_OUT = 24
_MEMORY_PULSES = ((1.0, 1.0), (2.0, 2.0), (0.25, 0.0), (0.0, 0.25))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What one threshold is at an operating point.

    Attributes:
        rest: V.
        volts: V above rest.
        charge: C of excitatory charge.
        gain_inh: what inhibitory charge takes from the membrane, per excitatory charge of the same size.
        energy_exc: J of each supply per threshold of q_exc.
        energy_inh: J of each supply per threshold of q_inh.
    """

    rest: float
    volts: float
    charge: float
    gain_inh: float = 1.0
    energy_exc: tuple[float, ...] = ()
    energy_inh: tuple[float, ...] = ()

    def drive(self, v_mem: float, *pulses: tuple[float, float]) -> Drive:
        """A drive given in thresholds: start of the membrane above rest, then (q_exc, gain_inh * q_inh) of each step."""
        return Drive(
            v_mem=self.rest + v_mem * self.volts,
            q_exc=tuple(e * self.charge for e, _ in pulses),
            q_inh=tuple(i / self.gain_inh * self.charge for _, i in pulses),
        )

    def membrane(self, volts: float) -> float:
        """Thresholds above rest."""
        return (volts - self.rest) / self.volts


@dataclass(slots=True)
class _Search:
    """Bisection for the would-be membrane from which a column gives at least ``spikes`` spikes."""

    start: int
    common: int
    spikes: int
    guess: float
    low: float = -np.inf
    high: float = np.inf
    reach: float = 0.01
    failure: str | None = field(default=None)

    def next(self) -> float | None:
        if self.failure is not None or self.high - self.low <= EDGE_TOLERANCE or self.reach > 4.0:
            return None
        if np.isfinite(self.low) and np.isfinite(self.high):
            return (self.low + self.high) / 2
        side = -1.0 if self.high < np.inf else 1.0
        return self.guess + side * self.reach

    def learn(self, x: float, sample: Sample) -> None:
        if sample.failure is not None:
            self.failure = sample.failure
            return
        if sample.spikes[0] >= self.spikes:
            self.high = min(self.high, x)
        else:
            self.low = max(self.low, x)
        if not (np.isfinite(self.low) and np.isfinite(self.high)):
            self.reach *= 3.0

    @property
    def found(self) -> bool:
        return self.failure is None and self.high - self.low <= EDGE_TOLERANCE


def experiment(cell: NeuronCell, point: OperatingPoint) -> Experiment[OperatingTable]:
    """Measure the whole step of a cell at one operating point.

    Raises:
        CharacterisationError: when the cell never fires, or fires without input, so that no threshold exists.
    """
    common = np.array(cell.range.q_common)
    net_inh, net_exc = -cell.range.q_net[0], cell.range.q_net[1]
    scale = yield from _scale(cell, point)
    v_high = scale.membrane(cell.range.v_mem[1])
    v_low = yield from _floor(cell, scale, net_inh)
    start = grid.starts(v_low, v_high)
    edge, reasons = yield from _edges(scale, cell.spike.max_per_step, start, common)
    count = grid.counts(cell.spike.max_per_step)
    overdrive = grid.overdrives(v_low, v_high, net_exc, net_inh, cell.spike.max_per_step)
    x = grid.would_be(overdrive, count, edge)
    nodes = list(np.ndindex(x.shape))
    pulses = np.stack(grid.charges(x - start[:, None, None], common[None, :, None]), axis=-1)
    samples = yield [scale.drive(float(start[node[0]]), tuple(pulses[node].tolist())) for node in nodes]

    state = np.full(x.shape, FILLED, np.int8)
    residual = np.zeros(x.shape)
    supplies = sources(cell, point)
    energy = np.zeros((len(supplies), *x.shape))
    for node, sample in zip(nodes, samples, strict=True):
        if sample.failure is not None:
            state[node] = HOLE
            reasons.append(
                f"v_mem {start[node[0]]:.3f}, q_exc {pulses[node][0]:.3f}, q_inh {pulses[node][1]:.3f}: {sample.failure}"
            )
        elif sample.spikes[0] == count[node[2]]:
            # What spiked otherwise than its edge says (a partial packet beside the edge, more spikes than max_per_step) belongs to
            # another sheet; its node is left to its neighbours.
            state[node] = MEASURED
            residual[node] = scale.membrane(sample.v_mem[1]) - (x[node] - count[node[2]])
            q_exc, q_inh = pulses[node][0], pulses[node][1] / scale.gain_inh
            synaptic = np.array(scale.energy_exc) * q_exc + np.array(scale.energy_inh) * q_inh
            energy[(slice(None), *node)] = np.array(sample.energy)[:, 0] - synaptic
    for n in range(cell.spike.max_per_step + 1):
        part = count == n
        known = state[:, :, part] == MEASURED
        axes = (start, common, 4.0 * overdrive[part])
        for sheet in (residual, *energy):
            sheet[:, :, part] = grid.fill(sheet[:, :, part], known, axes)
    table = OperatingTable(
        point=asdict(point),
        start=start,
        q_common=common,
        count=count,
        overdrive=overdrive,
        edge=edge,
        residual=residual,
        energy=energy,
        energy_exc=np.array(scale.energy_exc),
        energy_inh=np.array(scale.energy_inh),
        state=state,
        supplies=supplies,
        step=cell.step.duration,
        rest=scale.rest,
        figures={
            "threshold": scale.volts,
            "threshold_charge": scale.charge,
            "gain_inh": scale.gain_inh,
            "v_low": v_low,
            "v_high": v_high,
            "net_inh": net_inh,
            "net_exc": net_exc,
        },
        reasons=tuple(reasons),
    )
    held_out = yield from _held_out(table, scale)
    memory = yield from _memory(table, scale)
    return replace(table, figures={**table.figures, **figures.derive(table), **held_out, **memory})


def _scale(cell: NeuronCell, point: OperatingPoint) -> Experiment[Scale]:
    """Threshold charge by sections of three, so that the drives do not depend on how many run at once; then the voltage it reaches."""
    rest = cell.membrane.rest
    guess = cell.membrane.capacitance * cell.membrane.threshold
    low, high = 0.0, 2.5 * guess
    samples = yield [Drive(v_mem=rest, q_exc=(q,), q_inh=(0.0,)) for q in (low, high)]
    spikes = [_require(s, cell, point).spikes[0] for s in samples]
    if spikes[0] or not spikes[1]:
        msg = (
            f"{cell.name} at {point} has no threshold: expected no spike without input and one with {high:.3g} C in one pulse, "
            f"found {spikes[0]} and {spikes[1]}; check the cell's capacitance, its supplies and the port of the spike"
        )
        raise CharacterisationError(msg)
    while high - low > EDGE_TOLERANCE / 2 * guess:
        charges = [low + (high - low) * k / 4 for k in (1, 2, 3)]
        samples = yield [Drive(v_mem=rest, q_exc=(q,), q_inh=(0.0,)) for q in charges]
        for charge, sample in zip(charges, samples, strict=True):
            if _require(sample, cell, point).spikes[0]:
                high = charge
                break
            low = charge
    (sample,) = yield [Drive(v_mem=rest, q_exc=(low,), q_inh=(0.0,))]
    charge = (low + high) / 2
    scale = Scale(
        rest=rest, volts=(_require(sample, cell, point).v_mem[1] - rest) * charge / low, charge=charge
    )
    pulse = 0.5
    samples = yield [
        scale.drive(v, (e, i))
        for v, e, i in ((0.0, 0.0, 0.0), (0.0, pulse, 0.0), (pulse, 0.0, 0.0), (pulse, 0.0, pulse))
    ]
    rest_alone, excited, alone, inhibited = (_require(s, cell, point) for s in samples)
    return replace(
        scale,
        gain_inh=(alone.v_mem[1] - inhibited.v_mem[1]) / scale.volts / pulse,
        energy_exc=tuple(
            (b[0] - a[0]) / pulse for a, b in zip(rest_alone.energy, excited.energy, strict=True)
        ),
        energy_inh=tuple((b[0] - a[0]) / pulse for a, b in zip(alone.energy, inhibited.energy, strict=True)),
    )


def _floor(cell: NeuronCell, scale: Scale, q_inh: float) -> Experiment[float]:
    """Where the strongest inhibition leaves the membrane after some steps, thresholds; the lowest start worth measuring."""
    (sample,) = yield [scale.drive(0.0, *([(0.0, q_inh)] * _FLOOR_STEPS))]
    if sample.failure is not None:
        msg = f"{cell.name}: the simulation of its strongest inhibition, {q_inh:g} thresholds a step, failed: {sample.failure}"
        raise CharacterisationError(msg)
    return min(scale.membrane(min(sample.v_mem)), 0.0)


def _edges(
    scale: Scale, max_spikes: int, start: NDArray[np.float64], common: NDArray[np.float64]
) -> Experiment[tuple[NDArray[np.float64], list[str]]]:
    """The firing edges, shape (N, V, C), and what could not be found; a column without an edge takes its neighbour's."""
    edge = np.zeros((max_spikes, start.size, common.size))
    reasons: list[str] = []
    for n in range(max_spikes):
        guesses = np.ones(edge.shape[1:]) if n == 0 else 2 * edge[n - 1] - (edge[n - 2] if n > 1 else 0.0)
        searches = [
            _Search(start=v, common=c, spikes=n + 1, guess=float(guesses[v, c]))
            for v, c in np.ndindex(guesses.shape)
        ]
        while asked := [(s, x) for s in searches if (x := s.next()) is not None]:
            pulses = [grid.charges(np.asarray(x - start[s.start]), common[s.common]) for s, x in asked]
            samples = yield [
                scale.drive(start[s.start], (float(e), float(i)))
                for (s, _), (e, i) in zip(asked, pulses, strict=True)
            ]
            for (search, x), sample in zip(asked, samples, strict=True):
                search.learn(x, sample)
        known = np.array([s.found for s in searches]).reshape(guesses.shape)
        reasons += [
            f"edge of spike {n + 1} at v_mem {start[s.start]:.3f}, q_common {common[s.common]:g}: {s.failure}"
            for s in searches
            if s.failure
        ]
        if not known.any():
            # No start and no charge gives so many spikes: an edge that nothing reaches.
            edge[n] = guesses + _NEVER
            continue
        found = np.array([(s.low + s.high) / 2 if s.found else 0.0 for s in searches]).reshape(guesses.shape)
        edge[n] = grid.fill(found, known, (start, common))
        if n:
            edge[n] = np.maximum(edge[n], edge[n - 1] + 0.1)
    return edge, reasons


def _held_out(table: OperatingTable, scale: Scale) -> Experiment[dict[str, float]]:
    """The interpolation held against steps that are no nodes: seeded, so that a repeated experiment asks the same."""
    random = np.random.default_rng(20201)
    v = random.uniform(table.figures["v_low"], 1.0, _HELD_OUT)
    common = table.q_common[-1] * random.uniform(0, 1, _HELD_OUT) ** 3
    exc, inh = grid.charges(random.normal(0.0, 0.5, _HELD_OUT), common)
    samples = yield [
        scale.drive(a, (e, i)) for a, e, i in zip(v.tolist(), exc.tolist(), inh.tolist(), strict=True)
    ]
    answer = lookup.step(table, v, exc, inh / scale.gain_inh)
    done = np.array([s.failure is None for s in samples])
    spikes = np.array([s.spikes[0] if s.failure is None else -1 for s in samples])
    after = np.array([scale.membrane(s.v_mem[1]) if s.failure is None else 0.0 for s in samples])
    same = done & (spikes == answer.spikes)
    return {
        "held_out_error": _rms((after - answer.v_mem)[same]),
        "held_out_spikes": float((spikes != answer.spikes)[done].mean()) if done.any() else 0.0,
    }


def _memory(table: OperatingTable, scale: Scale) -> Experiment[dict[str, float]]:
    """The same step from the same membrane, after a step with pulses and as the first: the difference is memory."""
    pulse = (0.5, 0.25)
    before = yield [
        scale.drive(0.3 - e + i, (e, i), pulse)
        for e, i in _MEMORY_PULSES
        if 0.3 - e + i >= table.figures["v_low"]
    ]
    done = [s for s in before if s.failure is None and not any(s.spikes)]
    alone = yield [scale.drive(scale.membrane(s.v_mem[1]), pulse) for s in done]
    differences = [a.v_mem[2] - b.v_mem[1] for a, b in zip(done, alone, strict=True) if b.failure is None]
    return {"one_step_memory": _rms(np.array(differences)) / scale.volts}


def _require(sample: Sample, cell: NeuronCell, point: OperatingPoint) -> Sample:
    if sample.failure is not None:
        msg = f"{cell.name} at {point}: the search for its threshold failed: {sample.failure}"
        raise CharacterisationError(msg)
    return sample


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0
