"""A live circuit is the circuit: driven period by period it does what it does when all is known before."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.errors import EngineMissingError, NetlistError
from snncircuit.spice.deck import Deck, Tran
from snncircuit.spice.discovery import Found
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.follower import Follower, follow
from snncircuit.spice.gate import check_deck
from snncircuit.spice.library import Vectors
from snncircuit.spice.live import LiveSession, Pulse, live_text
from snncircuit.spice.waveforms import Failure, Outcome, Waveforms
from snncircuit.spice.worker import encode

PULSE = Pulse(period=1e-6, start=20e-9, width=200e-9, edge=2e-9)
SAVE = ("v(a)", "i(vs)")


def leaky(n_periods: int, exc: str = "pwl(0 0)", inh: str = "pwl(0 0)") -> Deck:
    """1 pF, 1 Mohm: two sources, one into the capacitor, one out of it; tau is one period."""
    circuit = f"vs s 0 1\nca a 0 1p\nra a 0 1meg\niup 0 a {exc}\nidown a s {inh}\n.ic v(a)=0.1"
    return Deck(circuit=circuit, save=SAVE, tran=Tran(step=5e-9, stop=n_periods * 1e-6, max_step=4e-8))


def train(tops: Sequence[float]) -> str:
    corners = ["0 0"]
    for k, top in enumerate(tops):
        t = k * PULSE.period + PULSE.start
        shape = ((0.0, 0.0), (2e-9, top), (200e-9, top), (202e-9, 0.0))
        corners += [f"{t + after!r} {value!r}" for after, value in shape]
    return "pwl(" + " ".join(corners) + ")"


def waves(outcome: Outcome) -> Waveforms:
    assert isinstance(outcome, Waveforms), outcome
    return outcome


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Failure)
    return outcome.reason


@pytest.fixture
def library(found: Found) -> Found:
    if found.kind != "library":
        pytest.skip("needs libngspice")
    return found


def lived(session: LiveSession, deck: Deck, tops: Sequence[tuple[float, float]]) -> list[Waveforms]:
    session.begin(deck, ("iup", "idown"), PULSE)
    answers = []
    for pair in tops:
        session.send(pair)
        answers.append(waves(session.receive()))
    return answers


TOPS = [(1e-6, 0.0), (0.0, 0.5e-6), (0.0, 0.0), (2e-6, 1e-6), (0.3e-6, 0.0)]


@pytest.mark.ngspice
def test_a_live_circuit_does_what_it_does_when_all_is_known_before(library: Found) -> None:
    up, down = zip(*TOPS, strict=True)
    with EnginePool(found=library) as pool:
        whole = waves(pool.run(leaky(5, train(up), train(down))))
    with LiveSession(found=library) as session:
        parts = lived(session, leaky(5), TOPS)
        again = lived(session, leaky(5), TOPS)
    for k, part in enumerate(parts):
        # Each period is whole: it begins and ends on its bounds, and shares them with its neighbours.
        assert part.time[[0, -1]] == pytest.approx([k * 1e-6, (k + 1) * 1e-6], rel=1e-12)
        assert part.at("v(a)", part.time) == pytest.approx(whole.at("v(a)", part.time), abs=2e-4)
        charge = whole.integral("i(vs)", k * 1e-6, (k + 1) * 1e-6)
        assert part.integral("i(vs)", k * 1e-6, (k + 1) * 1e-6) == pytest.approx(charge, rel=1e-3, abs=1e-19)
        assert np.array_equal(part.time, again[k].time)
        assert np.array_equal(part.signals["v(a)"], again[k].signals["v(a)"])
    assert parts[1].signals["v(a)"][0] == parts[0].signals["v(a)"][-1]


@pytest.mark.ngspice
def test_the_next_period_may_depend_on_the_one_before(library: Found) -> None:
    # A bang-bang controller outside ngspice holds the capacitor between its bounds against the leak.
    with LiveSession(found=library) as session:
        session.begin(leaky(12), ("iup", "idown"), PULSE)
        level, given = 0.1, []
        for _ in range(12):
            given.append(1e-6 if level < 0.1 else 0.0)
            session.send((given[-1], 0.0))
            level = waves(session.receive()).signals["v(a)"][-1]
    assert {0.0, 1e-6} == set(given)
    assert 0.03 < level < 0.3


@pytest.mark.ngspice
def test_a_circuit_begun_again_knows_nothing_of_the_one_given_up(library: Found) -> None:
    with LiveSession(found=library) as session:
        session.begin(leaky(5), ("iup", "idown"), PULSE)
        session.send((5e-6, 0.0))
        first = session.pid
        after = lived(session, leaky(2), TOPS[:2])
        assert session.pid != first
        pid = session.pid
        assert np.array_equal(lived(session, leaky(2), TOPS[:2])[1].time, after[1].time)
        assert session.pid == pid  # one that ran to its end is used again
    assert session.pid is None


@pytest.mark.ngspice
def test_what_goes_wrong_is_a_failure_with_its_reason_and_the_session_goes_on(library: Found) -> None:
    endless = replace(leaky(1), tran=Tran(step=1e-9, stop=1e-6, max_step=1e-14))
    with LiveSession(0.5, found=library) as session:
        session.begin(endless, ("iup", "idown"), PULSE)
        session.send((0.0, 0.0))
        assert reason(session.receive()) == "no answer within 0.5 s"
        session.begin(leaky(3), ("iup", "idown"), PULSE)
        session.send((0.0, 0.0))
        waves(session.receive())
        assert session.pid is not None
        os.kill(session.pid, signal.SIGKILL)
        session.send((0.0, 0.0))
        assert reason(session.receive()) == "the ngspice worker was ended by SIGKILL"
        broken = leaky(3)
        session.begin(
            replace(broken, circuit=broken.circuit + "\nm1 a a a a nowhere"), ("iup", "idown"), PULSE
        )
        session.send((0.0, 0.0))
        assert "no transient result" in reason(session.receive())
        session.begin(replace(leaky(3), save=("v(nowhere)",)), ("iup", "idown"), PULSE)
        session.send((0.0, 0.0))
        assert "no transient result (Error: no data saved" in reason(session.receive())
        session.begin(leaky(2), ("iup", "idown"), PULSE)
        session.send((float("nan"), 0.0))
        assert reason(session.receive())
        lived(session, leaky(2), TOPS[:2])


def test_the_program_alone_cannot_be_driven() -> None:
    program = Found(kind="program", path="/usr/bin/ngspice", version="ngspice-39", self_test="")
    with pytest.raises(
        EngineMissingError, match=r"needs libngspice, found only the program /usr/bin/ngspice.*apt-get"
    ):
        LiveSession(found=program)


def test_only_named_silent_current_sources_are_opened_and_only_after_the_gate() -> None:
    deck = leaky(2)
    text = live_text(deck, ("iup", "idown"), PULSE)
    assert [line for line in text.splitlines() if "external" in line] == [
        "iup 0 a external",
        "idown a s external",
    ]
    assert text.splitlines()[-1] == ".end"
    mine = replace(deck, circuit=deck.circuit + "\nix a 0 external")
    for refused in (
        lambda: check_deck(mine),
        lambda: live_text(mine, ("iup", "idown"), PULSE),
        lambda: live_text(deck, ("ix",), PULSE),
        lambda: live_text(deck, ("vs",), PULSE),
        lambda: live_text(leaky(2, "1u"), ("iup",), PULSE),
        lambda: live_text(replace(deck, circuit=deck.circuit + "\niup a 0 pwl(0 0)"), ("iup",), PULSE),
    ):
        with pytest.raises(NetlistError):
            refused()
    with pytest.raises(NetlistError, match=r"expected one line 'ix NODE NODE pwl\(0 0\)'.*found 0"):
        live_text(deck, ("ix",), PULSE)


def test_pulses_at_the_start_of_a_period_need_one_landmark_only() -> None:
    assert PULSE.landmarks.count("pulse(") == 2
    assert replace(PULSE, start=0.0).landmarks.count("pulse(") == 1


class Wire:
    """A connection whose other end has said everything before."""

    def __init__(self, *messages: object) -> None:
        self.coming = [json.dumps(m).encode() for m in messages]
        self.sent: list[bytes] = []

    def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)

    def recv_bytes(self) -> bytes:
        if not self.coming:
            raise EOFError
        return self.coming.pop(0)


class Clockwork:
    """A solver that tries given times, each accepted, and keeps the current of its one source."""

    def __init__(self, times: Sequence[float]) -> None:
        self.times = times
        self.seen: list[tuple[float, float]] = []

    def drive(self, text: str, current: Callable[[str, float], float]) -> None:
        self.seen = []
        for moment in self.times:
            value = current("iup", moment)
            self.seen.append((moment, value))

    def vectors(self, save: Sequence[str], first: int = 0) -> Vectors:
        return {"time": np.array([t for t, _ in self.seen[first:]]).tobytes()}

    def take_log(self) -> list[str]:
        return []

    def forget(self) -> None:
        pass


def request(n_periods: int) -> dict[str, Any]:
    pulse = [PULSE.period, PULSE.start, PULSE.width, PULSE.edge]
    return {"text": "", "save": [], "sources": ["iup"], "periods": n_periods, "pulse": pulse}


@given(st.lists(st.floats(0, 1e-5), min_size=1, max_size=5))
def test_every_pulse_has_its_corners_and_its_charge(tops: list[float]) -> None:
    corners = [0.0, 20e-9, 22e-9, 220e-9, 222e-9, 1e-6]
    times = [0.0] + [k * 1e-6 + c for k in range(len(tops)) for c in corners[1:]]
    wire = Wire(*({"currents": [top], "alarm": 1.0} for top in tops))
    clockwork = Clockwork(times)
    assert Follower(wire, clockwork, request(len(tops)), encode).run()
    t, i = np.array(clockwork.seen).T
    assert np.trapezoid(i, t) == pytest.approx(sum(tops) * PULSE.width, rel=1e-9)
    for k, top in enumerate(tops):
        assert i[5 * k + 1 : 5 * k + 6] == pytest.approx([0, top, top, 0, 0], rel=1e-6, abs=1e-15)
    assert len(wire.sent) == len(tops)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0.0


def test_a_worker_follows_until_the_other_end_is_gone() -> None:
    charges = {"currents": [1e-6], "alarm": 1.0}
    wire = Wire(request(1), charges, request(1), charges)
    follow(wire, Clockwork([0.0, 1e-6]), encode)
    assert len(wire.sent) == 2
    # One that ends before its time: what was sent for it is not taken for the next circuit.
    wire = Wire(request(2), charges, request(1))
    follow(wire, Clockwork([0.0, 1e-7]), encode)
    assert len(wire.sent) == 1
    assert wire.coming == []


@pytest.mark.ngspice
def test_an_error_while_a_source_is_asked_ends_the_run(library: Found) -> None:
    # It cannot be raised through ngspice, which must not go on with a wrong current either.
    with LiveSession(found=library) as session:
        session.begin(leaky(2), ("iup", "idown"), PULSE)
        session.send((1e-6,))
        assert "Error: ValueError: zip() argument 2 is shorter" in reason(session.receive())
        assert session.pid is None


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if ") Z" in file.read():
                    return True
            os.kill(pid, 0)
        except OSError:
            return True
        time.sleep(0.05)
    return False


PARENT = r"""
import sys
from snncircuit.spice.discovery import Found
from snncircuit.spice.deck import Deck, Tran
from snncircuit.spice.live import LiveSession, Pulse
session = LiveSession(found=Found(kind="library", path=sys.argv[1], version="", self_test=""))
tran = Tran(step=5e-9, stop=1e-4, max_step=float(sys.argv[2]))
deck = Deck(circuit="ca a 0 1p\nra a 0 1meg\niup 0 a pwl(0 0)", save=("v(a)",), tran=tran)
session.begin(deck, ("iup",), Pulse(period=1e-6, start=2e-8, width=2e-7, edge=2e-9))
session.send((1e-6,))
print(session.pid, flush=True)
session.receive()
print("waiting", flush=True)
sys.stdin.read()
"""


@pytest.mark.ngspice
@pytest.mark.parametrize("max_step", [4e-8, 1e-14], ids=["while it waits", "while it works"])
def test_no_ngspice_outlives_its_killed_parent(library: Found, max_step: float) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, library.path, str(max_step)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    pid = int(parent.stdout.readline())
    if max_step > 1e-9:
        assert parent.stdout.readline() == "waiting\n"
    os.kill(pid, 0)  # it lives
    parent.kill()
    parent.wait()
    assert gone(pid)
    parent.stdin.close()
    parent.stdout.close()
