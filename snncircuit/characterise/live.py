"""A neuron that runs live in ngspice, step by step, with the deck and the reading of any other drive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample, deck, read
from snncircuit.spice.deck import LADDER, Deck
from snncircuit.spice.live import LiveSession, Pulse
from snncircuit.spice.netlist import ModelCards
from snncircuit.spice.waveforms import Failure, Outcome

SOURCES = ("iq_exc", "iq_inh")
"""The sources of the synapses' currents in ``drive.deck``."""


@dataclass(slots=True, kw_only=True)
class LiveCell:
    """A neuron at one operating point in an ngspice of its own.

    A step that fails is tried again on the rungs of the retry ladder, the run so far repeated; answers once given stay.

    Attributes:
        cell: the neuron.
        cards: model cards of the point's corner.
        point: the operating point.
        session: its ngspice.
        rungs: attempts after the first.
    """

    cell: NeuronCell
    cards: ModelCards
    point: OperatingPoint
    session: LiveSession
    rungs: int = LADDER
    _whole: Deck | None = field(default=None, init=False)
    _v_mem: float = field(default=0.0, init=False)
    _charges: list[tuple[float, float]] = field(default_factory=list, init=False)
    _answers: list[Sample] = field(default_factory=list, init=False)
    _rung: int = field(default=0, init=False)

    @property
    def pulse(self) -> Pulse:
        """The form of its pulses."""
        step = self.cell.step
        return Pulse(
            period=step.duration, start=step.pulse_start, width=step.pulse_width, edge=step.pulse_edge
        )

    def begin(self, n_steps: int, v_mem: float) -> None:
        """Start again with the membrane at ``v_mem`` V, for ``n_steps`` steps.

        Raises:
            CellError: at an operating point outside the cell's range.
            NetlistError: when the gate refuses the deck.
        """
        self._whole = self.silence(n_steps, v_mem)
        self._v_mem = v_mem
        self._charges, self._answers, self._rung = [], [], 0
        self._begin()

    def silence(self, n_steps: int, v_mem: float) -> Deck:
        """The deck of ``n_steps`` steps without charges, which a live run opens."""
        silent = (0.0,) * n_steps
        return deck(self.cell, self.cards, self.point, Drive(v_mem=v_mem, q_exc=silent, q_inh=silent))

    def send(self, q_exc: float, q_inh: float) -> None:
        """Let the next step happen; charges in C, >= 0."""
        self._charges.append((q_exc, q_inh))
        self._send(q_exc, q_inh)

    def receive(self) -> Sample:
        """What the neuron did in the step that was sent, a sample of one step; with ``failure`` when no rung of the ladder helped."""
        outcome = self.session.receive()
        reasons: list[str] = []
        while isinstance(outcome, Failure):
            reasons.append(outcome.reason)
            if self._rung >= self.rungs:
                tried = f"{len(reasons)} attempts failed: " if len(reasons) > 1 else ""
                return Sample(failure=tried + "; ".join(dict.fromkeys(reasons)))
            self._rung += 1
            outcome = self._again()
        self._answers.append(self._read(len(self._answers), self._last, outcome))
        return self._answers[-1]

    @property
    def _last(self) -> float:
        return self._answers[-1].v_mem[-1] if self._answers else self._v_mem

    def _begin(self) -> None:
        assert self._whole is not None
        self.session.begin(self._whole.relaxed(self._rung), SOURCES, self.pulse)

    def _send(self, q_exc: float, q_inh: float) -> None:
        self.session.send([q / self.cell.step.pulse_width for q in (q_exc, q_inh)])

    def _again(self) -> Outcome:
        """Repeat the run up to the step that failed, on the present rung."""
        self._begin()
        for number, (charges, known) in enumerate(
            zip(self._charges[:-1], self._answers, strict=True), start=1
        ):
            self._send(*charges)
            outcome = self.session.receive()
            if isinstance(outcome, Failure):
                return outcome
            if self._read(number - 1, known.v_mem[0], outcome).spikes != known.spikes:
                self.session.close()
                return Failure(reason=f"with other options step {number} spikes otherwise than it was told")
        self._send(*self._charges[-1])
        return self.session.receive()

    def _read(self, step: int, v_mem: float, outcome: Outcome) -> Sample:
        assert not isinstance(outcome, Failure)
        exc, inh = self._charges[step]
        waves = replace(outcome, time=outcome.time - step * self.cell.step.duration)
        return read(self.cell, self.point, Drive(v_mem=v_mem, q_exc=(exc,), q_inh=(inh,)), waves)


def joined(steps: Sequence[Sample]) -> Sample:
    """One sample of consecutive samples, each of which starts where the one before ended."""
    return Sample(
        v_mem=(*(s.v_mem[0] for s in steps), steps[-1].v_mem[-1]),
        spikes=tuple(s.spikes[0] for s in steps),
        energy=tuple(tuple(part) for part in zip(*((e[0] for e in s.energy) for s in steps), strict=True)),
        latency=tuple(None if s.latency is None else s.latency[0] for s in steps),
    )
