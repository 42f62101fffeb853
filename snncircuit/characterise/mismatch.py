"""Monte Carlo mismatch: neurons whose every transistor is off its nominal by a draw of its own, measured one by one in ngspice.

Each neuron draws all its transistors, those of a bias cell too that it shares with its row: neurons of one row are then more alike in
silicon than here, and rows as far apart as neurons here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample
from snncircuit.characterise.run import Laboratory, Progress
from snncircuit.characterise.scale import Experiment, Scale
from snncircuit.characterise.variation import Response, respond, variation
from snncircuit.errors import CharacterisationError
from snncircuit.spice.mismatch_cards import MismatchCards
from snncircuit.spice.netlist import Netlist
from snncircuit.spice.transistors import Transistor, transistors, vary
from snncircuit.table import VARIATION, OperatingTable

Array = NDArray[np.float64]
Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What mismatched neurons of one cell are measured with, at one operating point.

    Attributes:
        table: the nominal neuron.
        cell: its circuit.
        point: where.
        mismatch: of its transistors.
        laboratory: answers drives.
    """

    table: OperatingTable
    cell: NeuronCell
    point: OperatingPoint
    mismatch: MismatchCards
    laboratory: Laboratory

    @property
    def transistors(self) -> tuple[Transistor, ...]:
        """Those with known mismatch, in the order in which they are drawn."""
        return transistors(self.cell.netlist, self.cell.subckt, self.mismatch)

    @property
    def scale(self) -> Scale:
        """Thresholds of the nominal neuron."""
        figures = self.table.figures
        return Scale(rest=self.table.rest, volts=figures["threshold"], charge=figures["threshold_charge"])

    def vary(self, z: Array) -> Netlist:
        """The netlist with every transistor off its nominal; z of shape (transistors, 2) in deviations of one device."""
        rows = [(float(vt), float(beta)) for vt, beta in z]
        return vary(self.cell.netlist, self.cell.subckt, self.mismatch, rows)


def deviates(seed: int, draw: int, n_transistors: int) -> Array:
    """How far the transistors of a draw lie off, shape (transistors, 2), in deviations of one device: threshold, current factor.

    A draw depends on the seed and its own number only, and is the same physical neuron at every operating point.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(draw,)))
    return generator.standard_normal((n_transistors, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Mismatched neurons.

    Attributes:
        values: shape (draws, 5), columns as in ``snncircuit.table.VARIATION``; without the draws that failed.
        numbers: which draws they are.
        failures: one sentence for each draw that is no neuron.
    """

    values: Array
    numbers: tuple[int, ...]
    failures: tuple[str, ...] = ()


def draw(bench: Bench, n_draws: int, seed: int, progress: Report = lambda _: None) -> Draws:
    """Measure the draws 0 to ``n_draws - 1`` of a seed.

    Raises:
        CharacterisationError: when the nominal neuron, or not a single draw, can be measured.
    """
    n = len(bench.transistors)
    return measure(bench, [deviates(seed, k, n) for k in range(n_draws)], progress)


def measure(bench: Bench, neurons: Sequence[Array], progress: Report = lambda _: None) -> Draws:
    """Measure neurons given by how far their transistors lie off; errors as of ``draw``."""
    netlists = [bench.cell.netlist, *(bench.vary(z) for z in neurons)]
    nominal, *found = conduct(bench, netlists, [respond(bench.scale) for _ in netlists], progress)
    if nominal.failure is not None:
        msg = f"{bench.cell.name} at {bench.point}: expected the nominal neuron to be measured, but it {nominal.failure}"
        raise CharacterisationError(msg)
    failures = [f"draw {k}: {r.failure}" for k, r in enumerate(found) if r.failure is not None]
    if failures and len(failures) == len(found):
        msg = f"{bench.cell.name} at {bench.point}: none of {len(found)} mismatched neurons works: {failures[0]}"
        raise CharacterisationError(msg)
    values = [variation(bench.table, nominal, r) for r in found if r.failure is None]
    return Draws(
        values=np.array(values).reshape(-1, len(VARIATION)),
        numbers=tuple(k for k, r in enumerate(found) if r.failure is None),
        failures=tuple(failures),
    )


def conduct(
    bench: Bench,
    netlists: Sequence[Netlist],
    experiments: Sequence[Experiment[Response]],
    progress: Report = lambda _: None,
) -> list[Response]:
    """Run one experiment on each netlist, all over one pool."""
    asked: dict[int, list[Drive]] = {k: next(e) for k, e in enumerate(experiments)}
    done: dict[int, Response] = {}
    while asked:
        wave = [(netlists[k], bench.point, d) for k, drives in asked.items() for d in drives]
        samples: dict[int, Sample] = {}
        for index, sample in bench.laboratory.answer_of(wave):
            samples[index] = sample
            progress(
                Progress(
                    points=bench.laboratory.points,
                    reused=bench.laboratory.reused,
                    finished=len(done),
                    wanted=len(experiments),
                )
            )
        ordered = iter([samples[i] for i in range(len(wave))])
        following: dict[int, list[Drive]] = {}
        for k, drives in asked.items():
            try:
                following[k] = experiments[k].send([next(ordered) for _ in drives])
            except StopIteration as end:
                done[k] = end.value
        asked = following
    return [done[k] for k in range(len(experiments))]
