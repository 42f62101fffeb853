"""A live neuron answers as the same neuron does in one simulation of all its steps."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from snncircuit import shipped
from snncircuit.characterise.cell import NeuronCell, load_cell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample, deck, read
from snncircuit.characterise.live import LiveCell, joined
from snncircuit.characterise.live_memory import RememberedCell
from snncircuit.errors import EngineMissingError
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.cards import load_models
from snncircuit.spice.deck import Deck
from snncircuit.spice.discovery import Found, find_ngspice
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.live import LiveSession, Pulse
from snncircuit.spice.netlist import ModelCards
from snncircuit.spice.waveforms import Failure, Outcome, Waveforms

POINT = OperatingPoint(v_dd=1.8, v_neg=-1.8)
CHARGE = 4.5e-13  # C, about one threshold


@pytest.fixture(scope="module")
def found() -> Found:
    try:
        ngspice = find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))
    if ngspice.kind != "library":
        pytest.skip("needs libngspice")
    return ngspice


@pytest.fixture(scope="module")
def cell() -> NeuronCell:
    return load_cell(shipped.find("netlist", "nmp_clocked"))


@pytest.fixture(scope="module")
def cards(cell: NeuronCell) -> ModelCards:
    assert cell.models is not None
    return load_models(cell.models, POINT.corner)


def ask(
    live: LiveCell | RememberedCell, exc: Sequence[float], inh: Sequence[float], v_mem: float = 0.0
) -> Sample:
    live.begin(len(exc), v_mem)
    answers = []
    for e, i in zip(exc, inh, strict=True):
        live.send(e, i)
        answers.append(live.receive())
    return joined(answers)


@pytest.mark.ngspice
def test_a_live_neuron_answers_as_in_one_simulation_of_all_steps(
    found: Found, cell: NeuronCell, cards: ModelCards
) -> None:
    random = np.random.default_rng(3)
    exc, inh = (random.gamma(2.0, share, 20) * CHARGE for share in (0.35, 0.12))
    exc[4] = inh[4] = inh[7] = exc[9] = 0.0
    inh[9:12] = 1.2 * CHARGE
    drive = Drive(v_mem=0.1, q_exc=tuple(exc.tolist()), q_inh=tuple(inh.tolist()))
    with EnginePool(found=found) as pool:
        waves = pool.run(deck(cell, cards, POINT, drive))
    assert isinstance(waves, Waveforms)
    whole = read(cell, POINT, drive, waves)
    with LiveSession(found=found) as session:
        live = LiveCell(cell=cell, cards=cards, point=POINT, session=session)
        answer = ask(live, exc, inh, 0.1)
        again = ask(live, exc[:6], inh[:6], 0.1)
    assert sum(whole.spikes) >= 4
    assert answer.spikes == whole.spikes
    # In volts; a threshold is 0.9 V.
    assert answer.v_mem == pytest.approx(whole.v_mem, abs=9e-4)
    ours, theirs = (np.array(s.energy).sum(axis=0) for s in (answer, whole))
    assert ours == pytest.approx(theirs, rel=5e-3)
    assert ours.sum() == pytest.approx(theirs.sum(), rel=1e-3)
    assert answer.latency is not None
    assert whole.latency is not None
    fired = [k for k, n in enumerate(whole.spikes) if n]
    assert [answer.latency[k] for k in fired] == pytest.approx([whole.latency[k] for k in fired], abs=1e-9)
    # Begun again, and whatever comes later, it repeats itself to the last bit.
    assert again.v_mem == answer.v_mem[:7]
    assert again.energy == tuple(part[:6] for part in answer.energy)


class Brittle:
    """A session that gives what an RC would: each charge stays; fails where it is told to, on every rung below ``saved``."""

    def __init__(self, cell: NeuronCell, fails_at: int, saved: int, flips: bool = False) -> None:
        self.cell, self.fails_at, self.saved, self.flips = cell, fails_at, saved, flips
        self.version = "ngspice-0"
        self.begun: list[Deck] = []
        self.closed = 0
        self.step = 0
        self.volts = 0.0

    def begin(self, whole: Deck, sources: Sequence[str], pulse: Pulse) -> None:
        self.begun.append(whole)
        self.step, self.volts = -1, 0.0

    def send(self, currents: Sequence[float]) -> None:
        self.step += 1
        self.top = currents[0] - currents[1]

    def receive(self) -> Outcome:
        rung = len(self.begun) - 1
        if self.step == self.fails_at and rung < self.saved:
            return Failure(reason=f"too small a time step on rung {rung}")
        t = np.array([self.step, self.step + 0.5, self.step + 1]) * self.cell.step.duration
        before, self.volts = self.volts, self.volts + self.top
        spike = 1.8 if self.flips and rung else 0.0
        rest = {name: np.zeros(3) for name in self.begun[-1].save}
        return Waveforms(
            time=t,
            signals=rest
            | {
                "v(vm)": np.array([before, before, self.volts]),
                "v(spk)": np.array([0.0, spike, 0.0]),
            },
        )

    def close(self) -> None:
        self.closed += 1


def brittle(cell: NeuronCell, cards: ModelCards, session: Brittle) -> LiveCell:
    return LiveCell(cell=cell, cards=cards, point=POINT, session=session)  # type: ignore[arg-type]


def test_a_step_that_fails_is_repeated_from_the_start_on_the_next_rung(
    cell: NeuronCell, cards: ModelCards
) -> None:
    session = Brittle(cell, fails_at=2, saved=2)
    tops = (1.0, 2.0, 4.0, 8.0)
    answer = ask(brittle(cell, cards, session), np.array(tops) * cell.step.pulse_width, (0.0,) * 4)
    assert answer.v_mem == pytest.approx((0.0, 1.0, 3.0, 7.0, 15.0))
    first = session.begun[0]
    assert [d.options for d in session.begun] == [first.relaxed(rung).options for rung in range(3)]


def test_a_step_that_no_rung_saves_fails_with_all_reasons(cell: NeuronCell, cards: ModelCards) -> None:
    live = brittle(cell, cards, Brittle(cell, fails_at=0, saved=9))
    live.begin(2, 0.0)
    live.send(0.0, 0.0)
    failure = live.receive().failure
    assert failure is not None
    assert failure.startswith("4 attempts failed: too small a time step on rung 0; ")
    alone = replace(live, rungs=0)
    alone.session.begun.clear()  # type: ignore[attr-defined]
    alone.begin(2, 0.0)
    alone.send(0.0, 0.0)
    assert alone.receive().failure == "too small a time step on rung 0"


def test_a_repeated_run_must_not_contradict_what_was_told(cell: NeuronCell, cards: ModelCards) -> None:
    live = brittle(cell, cards, Brittle(cell, fails_at=1, saved=1, flips=True))
    live.begin(2, 0.0)
    live.send(0.0, 0.0)
    assert live.receive().spikes == (0,)
    live.send(0.0, 0.0)
    failure = live.receive().failure
    assert failure is not None
    assert "with other options step 1 spikes otherwise than it was told" in failure


def test_finished_steps_are_kept_and_a_run_goes_on_after_them(cell: NeuronCell, cards: ModelCards) -> None:
    with SampleCache() as cache:

        def go(tops: Sequence[float], session: Brittle, v_mem: float = 0.0) -> Sample:
            live = RememberedCell(brittle(cell, cards, session), cache)
            return ask(live, np.array(tops) * cell.step.pulse_width, (0.0,) * len(tops), v_mem)

        def sound() -> Brittle:
            return Brittle(cell, fails_at=-1, saved=0)

        first = go((1.0, 2.0, 4.0), sound())
        again, session = go((1.0, 2.0, 4.0), idle := sound()), sound()
        assert again == first
        assert idle.begun == []
        # Other charges from the third step on: the first two are fed again, and the third follows from them.
        assert go((1.0, 2.0, 8.0), session).v_mem == pytest.approx((0.0, 1.0, 3.0, 11.0))
        assert len(session.begun) == 1
        # Another start or number of steps is another run.
        for tops, v_mem in (((1.0, 2.0), 0.0), ((1.0, 2.0, 4.0), 0.1)):
            go(tops, session := sound(), v_mem)
            assert len(session.begun) == 1


def test_a_failed_step_is_not_kept_and_one_that_goes_otherwise_when_repeated_is_told(
    cell: NeuronCell, cards: ModelCards
) -> None:
    with SampleCache() as cache:

        def remembered(session: Brittle) -> RememberedCell:
            return RememberedCell(replace(brittle(cell, cards, session), rungs=0), cache)

        def last(live: RememberedCell, charge: float = 0.0) -> Sample:
            live.begin(2, 0.0)
            live.send(0.0, 0.0)
            live.receive()
            live.send(charge, 0.0)
            return live.receive()

        assert last(remembered(Brittle(cell, fails_at=1, saved=9))).failure is not None
        assert last(remembered(Brittle(cell, fails_at=0, saved=9))).failure is not None
        flipped = Brittle(cell, fails_at=-1, saved=0, flips=True)
        flipped.begun.append(flipped.begun)  # type: ignore[arg-type]
        told = last(remembered(flipped)).failure
        assert told == "repeated, step 1 gave 1 spikes instead of 0"
        assert last(remembered(Brittle(cell, fails_at=-1, saved=0))).failure is None
