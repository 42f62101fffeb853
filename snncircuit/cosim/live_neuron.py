"""A layer of neurons of which a few are ngspice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from snncircuit import lookup
from snncircuit.characterise.drive import Drive, Sample
from snncircuit.characterise.live import joined
from snncircuit.cosim.agreement import FreeRun, TrainErrors, errors_of
from snncircuit.errors import SimulationError
from snncircuit.network.live import LiveTrace
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.step import Step, Tally
from snncircuit.table import OperatingTable

Array = NDArray[np.float64]


class Circuit(Protocol):
    """A circuit that is run step by step: ``snncircuit.characterise.live.LiveCell``."""

    def begin(self, n_steps: int, v_mem: float) -> None:
        """Start again with the membrane at ``v_mem`` V, for ``n_steps`` steps."""
        ...

    def send(self, q_exc: float, q_inh: float) -> None:
        """Let the next step happen; charges in C, >= 0."""
        ...

    def receive(self) -> Sample:
        """What happened in the step that was sent, a sample of one step."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What one live neuron received and did while one image was shown, and the surrogate beside it; T steps.

    Attributes:
        layer: where it is.
        index: its number in the layer.
        image: number of the image.
        q_exc: shape (T,), thresholds.
        q_inh: shape (T,), thresholds, >= 0.
        sample: what ngspice answered, SI.
        own: the surrogate on the same charges, with its own membrane.
    """

    layer: str
    index: int
    image: int
    q_exc: Array
    q_inh: Array
    sample: Sample
    own: FreeRun

    def errors(self, table: OperatingTable) -> TrainErrors:
        """The surrogate held against ngspice."""
        charge = table.figures["threshold_charge"]
        exc, inh = (tuple((q * charge).tolist()) for q in (self.q_exc, self.q_inh))
        drive = Drive(v_mem=self.sample.v_mem[0], q_exc=exc, q_inh=inh)
        return errors_of(table, drive, self.sample, self.own)


@dataclass(slots=True, kw_only=True)
class _Log:
    """The steps so far of one live neuron and one image."""

    charges: list[tuple[float, float]] = field(default_factory=list)
    answers: list[Sample] = field(default_factory=list)
    own: list[tuple[float, float]] = field(default_factory=list)


class LiveNeuron:
    """The neurons of a layer, some of which are ngspice; all others are their table.

    A step advances the whole population by the surrogate and puts what ngspice did in the place of its answer for the live
    neurons. Beside each of them the surrogate goes on alone, from rest, on the same charges. Images come one at a time and all have
    the same number of steps; each starts the circuits again.

    Args:
        surrogate: of the population.
        cells: number of a neuron in the layer to its circuit.
        layer: its name, for errors and traces.
        steps: of every image.
        tick: called after each step.
    """

    def __init__(
        self,
        surrogate: CircuitNeuron,
        cells: Mapping[int, Circuit],
        *,
        layer: str,
        steps: int,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._surrogate = surrogate
        self._cells = dict(cells)
        self._where = torch.tensor(list(cells))
        self._layer = layer
        self._steps = steps
        self._tick = tick
        self._logs: list[list[_Log]] = []
        self._done = steps

    def step(
        self,
        v_mem: Float[Tensor, "*population"],
        q_exc: Float[Tensor, "*population"],
        q_inh: Float[Tensor, "*population"],
    ) -> Step:
        """Advance by one step; see ``snncircuit.neuron.step.Neuron``.

        Raises:
            SimulationError: when a circuit gives no answer, naming neuron, image and step, or there is more than one image.
        """
        if v_mem.shape[0] != 1:
            msg = f"{v_mem.shape[0]} images at a time at {self._layer}, whose live neurons are one circuit each; expected 1"
            raise SimulationError(msg)
        if self._done == self._steps:
            self._begin()
        exc, inh = (q.flatten()[self._where] for q in (q_exc, q_inh))
        charge = self._surrogate.table.figures["threshold_charge"]
        logs = self._logs[-1]
        # All circuits of the layer work at once, and the surrogate meanwhile.
        for cell, log, e, i in zip(self._cells.values(), logs, exc.tolist(), inh.tolist(), strict=True):
            log.charges.append((e, i))
            cell.send(e * charge, i * charge)
        outcome = self._surrogate.step(v_mem, q_exc, q_inh)
        before = torch.tensor([log.own[-1][0] if log.own else 0.0 for log in logs], dtype=v_mem.dtype)
        beside = self._surrogate.step(before.to(v_mem.device), exc, inh)
        own = zip(beside.v_mem.tolist(), beside.spikes.tolist(), strict=True)
        for (index, cell), log, pair in zip(self._cells.items(), logs, own, strict=True):
            log.own.append(pair)
            log.answers.append(self._received(index, cell))
        self._done += 1
        self._tick()
        answers = [log.answers[-1] for log in logs]
        spikes = self._placed(outcome.spikes, [float(a.spikes[0]) for a in answers])
        after = self._placed(outcome.v_mem, [self._thresholds(a.v_mem[1]) for a in answers])
        tally = replace(
            outcome.tally,
            spikes=float(spikes.sum(dtype=torch.float64)),
            v_low=float(after.min()),
            v_high=float(after.max()),
        )
        return Step(spikes=spikes, v_mem=after, tally=tally)

    def energies(self, tally: Tally) -> dict[str, dict[str, float]]:
        """Energy of the tallied steps in J as the table has it, ``{supply: {term: J}}``, live neurons included."""
        return self._surrogate.energies(tally)

    def passages(self) -> Iterator[Passage]:
        """Each live neuron through each image."""
        for number, index in enumerate(self._cells):
            for image, logs in enumerate(self._logs):
                log = logs[number]
                exc, inh = np.array(log.charges).T
                v_mem, spikes = np.array(log.own).T
                start = np.concatenate(([0.0], v_mem[:-1]))
                energy = lookup.step(self._surrogate.table, start, exc, inh).energy
                yield Passage(
                    layer=self._layer,
                    index=index,
                    image=image,
                    q_exc=exc,
                    q_inh=inh,
                    sample=joined(log.answers),
                    own=FreeRun(v_mem=v_mem, spikes=spikes.astype(np.int64), energy=energy),
                )

    def _begin(self) -> None:
        for cell in self._cells.values():
            cell.begin(self._steps, self._surrogate.table.rest)
        self._logs.append([_Log() for _ in self._cells])
        self._done = 0

    def _received(self, index: int, cell: Circuit) -> Sample:
        sample = cell.receive()
        if sample.failure is not None:
            msg = (
                f"the live neuron {self._layer}:{index} gave no answer in step {self._done + 1} of {self._steps} of "
                f"image {len(self._logs) - 1}: {sample.failure}"
            )
            raise SimulationError(msg)
        return sample

    def _thresholds(self, volts: float) -> float:
        table = self._surrogate.table
        return (volts - table.rest) / table.figures["threshold"]

    def _placed(
        self, values: Float[Tensor, "*population"], live: list[float]
    ) -> Float[Tensor, "*population"]:
        placed = values.flatten().clone()
        placed[self._where] = torch.tensor(live, dtype=values.dtype, device=values.device)
        return placed.reshape(values.shape)


def live_trace(table: OperatingTable, passages: list[Passage]) -> LiveTrace:
    """The trace of one live neuron through all images, in thresholds."""
    first = passages[0]
    membranes = [(np.array(p.sample.v_mem[1:]) - table.rest) / table.figures["threshold"] for p in passages]

    def of_images(parts: list[Array]) -> Array:
        return np.stack(parts, axis=1)

    return LiveTrace(
        layer=first.layer,
        index=first.index,
        q_exc=of_images([p.q_exc for p in passages]),
        q_inh=of_images([p.q_inh for p in passages]),
        v_mem=of_images(membranes),
        spikes=of_images([np.array(p.sample.spikes, dtype=float) for p in passages]),
        energy=of_images([np.array(p.sample.energy).sum(axis=0) for p in passages]),
        v_mem_surrogate=of_images([p.own.v_mem for p in passages]),
        spikes_surrogate=of_images([p.own.spikes.astype(float) for p in passages]),
        energy_surrogate=of_images([p.own.energy.sum(axis=0) for p in passages]),
    )
