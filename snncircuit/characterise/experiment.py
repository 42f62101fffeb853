"""The experiment on one neuron at one operating point, as a coroutine: it yields drives, is sent their samples and returns the table.

Nothing here runs a simulator, so the experiment is deterministic and resumable: whoever drives it may answer from a store.
"""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from snncircuit import lookup
from snncircuit.characterise import figures, grid
from snncircuit.characterise.calibration import calibrated
from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import OperatingPoint, sources
from snncircuit.characterise.edges import find_edges
from snncircuit.characterise.scale import Experiment, Scale, find_floor, find_scale, find_top
from snncircuit.table import FILLED, HOLE, MEASURED, OperatingTable

_HELD_OUT = 24
_MEMORY_PULSES = ((1.0, 1.0), (2.0, 2.0), (0.25, 0.0), (0.0, 0.25))


def experiment(cell: NeuronCell, point: OperatingPoint) -> Experiment[OperatingTable]:
    """Measure the whole step of a cell at one operating point.

    Raises:
        CharacterisationError: when the cell never fires, or fires without input, so that no threshold exists.
    """
    common = np.array(cell.range.q_common)
    net_inh, net_exc = -cell.range.q_net[0], cell.range.q_net[1]
    scale = yield from find_scale(cell, point)
    v_high = scale.membrane(cell.range.v_mem[1])
    floor = yield from find_floor(cell, scale, net_inh)
    top = yield from find_top(scale, net_exc, cell.spike.max_per_step)
    start = grid.starts(floor, v_high)
    edge, reasons = yield from find_edges(scale, cell.spike.max_per_step, start, common)
    count = grid.counts(cell.spike.max_per_step)
    overdrive = grid.overdrives(floor, top, v_high, net_exc, net_inh, cell.spike.max_per_step)
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
            "v_low": float(start[0]),
            "v_high": v_high,
            "net_inh": net_inh,
            "net_exc": net_exc,
        },
        reasons=tuple(reasons),
    )
    held_out = yield from _held_out(table, scale)
    memory = yield from _memory(table, scale)
    table = yield from calibrated(replace(table, figures={**table.figures, **held_out, **memory}), scale)
    return replace(table, figures={**table.figures, **figures.derive(table)})


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


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0
