"""Mismatched neurons held against live ngspice: how well their five numbers tell what their circuit does, step after step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncircuit import lookup
from snncircuit.characterise.drive import Drive, Sample
from snncircuit.characterise.mismatch import Bench, deviates
from snncircuit.characterise.trains import trains
from snncircuit.table import OperatingTable

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One mismatched neuron along one train of ngspice; errors are of the step minus SPICE.

    Attributes:
        draw: its number.
        steps: of the train.
        n_spikes: of SPICE.
        v_mem_rmse: teacher-forced, over the steps whose spikes agree, nominal thresholds.
        spikes_disagreeing: teacher-forced, share of the steps whose spike count differs.
        own_spikes: of the free run of ``lookup.varied_step``.
        nominal_v_mem_rmse: as ``v_mem_rmse``, of the nominal step, for contrast.
        nominal_spikes_disagreeing: likewise.
        nominal_spikes: of the free run of the nominal step.
    """

    draw: int
    steps: int
    n_spikes: int
    v_mem_rmse: float
    spikes_disagreeing: float
    own_spikes: int
    nominal_v_mem_rmse: float
    nominal_spikes_disagreeing: float
    nominal_spikes: int


def hold(
    bench: Bench,
    draws: Sequence[tuple[int, Array]],
    *,
    seed: int,
    n_steps: int = 100,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Held]:
    """Run each draw in ngspice along one train of mixed drives and compare; failed simulations are left out.

    Args:
        bench: where.
        draws: number and five numbers of each neuron, as ``characterise.mismatch.draw`` measured them.
        seed: of the draws, and of the train.
        n_steps: of the train.
        progress: told the simulations that ended, and all.
    """
    (drive,) = trains(bench.table, 1, n_steps, seed).drives(bench.table)
    n = len(bench.transistors)
    wave = [(bench.vary(deviates(seed, k, n)), bench.point, drive) for k, _ in draws]
    samples: dict[int, Sample] = {}
    for index, sample in bench.laboratory.answer_of(wave):
        samples[index] = sample
        progress(len(samples), len(wave))
    return [
        compare(bench.table, k, values, drive, samples[i])
        for i, (k, values) in enumerate(draws)
        if samples[i].failure is None
    ]


def compare(table: OperatingTable, draw: int, values: Array, drive: Drive, sample: Sample) -> Held:
    """The step of a mismatched neuron, and the nominal one, against the sample of a drive in SI units."""
    charge = table.figures["threshold_charge"]
    exc, inh = np.array(drive.q_exc) / charge, np.array(drive.q_inh) / charge
    v_mem = (np.array(sample.v_mem) - table.rest) / table.figures["threshold"]
    spikes = np.array(sample.spikes)

    def errors(numbers: Array) -> tuple[float, float, int]:
        forced = lookup.varied_step(table, numbers, v_mem[:-1], exc, inh)
        same = forced.spikes == spikes
        off = (forced.v_mem - v_mem[1:])[same]
        v, own = v_mem[0], 0
        for e, i in zip(exc, inh, strict=True):
            answer = lookup.varied_step(table, numbers, v, e, i)
            v, own = answer.v_mem, own + int(answer.spikes)
        rms = float(np.sqrt(np.mean(off**2))) if off.size else float("nan")
        return rms, float(1.0 - same.mean()), own

    rmse, disagreeing, own = errors(values)
    nominal = errors(np.array([1.0, 1.0, 1.0, 0.0, 1.0]))
    return Held(
        draw=draw,
        steps=spikes.size,
        n_spikes=int(spikes.sum()),
        v_mem_rmse=rmse,
        spikes_disagreeing=disagreeing,
        own_spikes=own,
        nominal_v_mem_rmse=nominal[0],
        nominal_spikes_disagreeing=nominal[1],
        nominal_spikes=nominal[2],
    )
