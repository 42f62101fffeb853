"""Neurons of a network run in live ngspice: each gets the very charges that it received in the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from snncircuit.characterise.drive import Drive, OperatingPoint, Sample, deck
from snncircuit.characterise.run import Laboratory
from snncircuit.cosim.agreement import errors_of
from snncircuit.cosim.audit import Audit, Replay
from snncircuit.cosim.repeat import Passage
from snncircuit.errors import SimulationError
from snncircuit.spice.waveforms import Waveforms
from snncircuit.table import OperatingTable


def replay(
    table: OperatingTable,
    passages: Sequence[Passage],
    laboratory: Laboratory,
    point: OperatingPoint,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Audit:
    """Give ngspice the charges of the passages and compare.

    Args:
        table: that the run read.
        passages: what the neurons received and did.
        laboratory: answers from its cache or from ngspice; every finished simulation is kept at once.
        point: where ngspice runs; that of the table, unless a table is to be found out.
        seed: of the bootstrap.
        progress: called with (simulations finished, all).

    Raises:
        SimulationError: when no simulation succeeded.
    """
    charge = table.figures["threshold_charge"]
    drives = [
        Drive(
            v_mem=table.rest,
            q_exc=tuple((p.q_exc * charge).tolist()),
            q_inh=tuple((p.q_inh * charge).tolist()),
        )
        for p in passages
    ]
    samples: dict[int, Sample] = {}
    for index, sample in laboratory.answer([(point, drive) for drive in drives]):
        samples[index] = sample
        progress(len(samples), len(drives))
    done = [k for k in range(len(drives)) if samples[k].failure is None]
    failures = tuple(
        f"{passages[k].place.label}: {s.failure}" for k, s in sorted(samples.items()) if s.failure
    )
    if not done:
        msg = f"no neuron could be simulated, so there is nothing to compare: {failures[0]}"
        raise SimulationError(msg)
    rounding = [p.rounding(table) for p in passages]
    return Audit(
        point=point,
        replays=tuple(
            Replay(
                passage=passages[k],
                drive=drives[k],
                errors=errors_of(table, drives[k], samples[k], passages[k].free_run(table)),
            )
            for k in done
        ),
        failures=failures,
        seed=seed,
        rounding=max(difference for difference, _ in rounding),
        steps_differing=sum(steps for _, steps in rounding),
    )


def waveforms(laboratory: Laboratory, point: OperatingPoint, drive: Drive) -> Waveforms:
    """Simulate a drive once more and keep what ``replay`` throws away: every time point.

    Raises:
        SimulationError: when the simulation fails.
    """
    wanted = deck(laboratory.cell, laboratory.cards[point.corner], point, drive)
    ((_, outcome),) = laboratory.pool.map([wanted])
    if not isinstance(outcome, Waveforms):
        msg = f"the neuron to be drawn could not be simulated again: {outcome.reason}"
        raise SimulationError(msg)
    return outcome
