"""The pool gives one outcome for every deck, whatever happens to its workers."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snncircuit.errors import EngineMissingError, NetlistError
from snncircuit.spice.deck import LADDER, Deck, Tran
from snncircuit.spice.discovery import VARIABLE, Found
from snncircuit.spice.engine import EnginePool, Failure, Outcome, Waveforms

# tau = R C = 1 us; started at 1 V.
RC = Deck(
    circuit="ra a 0 {r}\nca a 0 1n\nvs s 0 2\nrs s 0 1k\n.param r=1k\n.ic v(a)=1",
    save=("v(A)", "i(vs)"),
    tran=Tran(step=1e-9, stop=2e-6, max_step=1e-8),
)
ENDLESS = replace(RC, tran=Tran(step=1e-9, stop=0.01, max_step=1e-9), save=("v(a)",))
BAD = replace(RC, circuit=RC.circuit + "\nm1 a a a a nowhere")
PARENT = """
import sys
from dataclasses import replace
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.discovery import SELF_TEST, Found
from snncircuit.spice.deck import Tran
pool = EnginePool(found=Found(kind=sys.argv[1], path=sys.argv[2], version="", self_test=""))
pool.run(SELF_TEST)
print(pool._seats[0].worker.pid, flush=True)
pool.run(replace(SELF_TEST, tran=Tran(step=1e-9, stop=0.01, max_step=1e-9)))
"""


def waves(outcome: Outcome) -> Waveforms:
    assert isinstance(outcome, Waveforms), outcome
    return outcome


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Failure)
    return outcome.reason


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if f"{pid} (python" in (text := _stat(pid)) and ") Z" in text:
            return True
        time.sleep(0.05)
    return False


def _stat(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read()
    except OSError:
        return ""


@pytest.fixture
def pool(found: Found) -> Iterator[EnginePool]:
    with EnginePool(found=found) as opened:
        yield opened


@pytest.mark.ngspice
def test_an_rc_discharges_as_the_equation_says(pool: EnginePool) -> None:
    w = waves(pool.run(RC))
    assert w.rung == 0
    assert w.at("v(A)", w.time) == pytest.approx(np.exp(-w.time / 1e-6), abs=2e-4)
    assert w.integral("v(A)", 0, 1e-6) == pytest.approx(1e-6 * (1 - np.exp(-1)), rel=1e-3)


@pytest.mark.ngspice
def test_a_source_that_delivers_has_a_negative_current(pool: EnginePool) -> None:
    assert waves(pool.run(RC)).at("i(vs)", 1e-6) == pytest.approx(-2e-3)


@pytest.mark.ngspice
def test_a_deck_sees_nothing_of_the_one_before(pool: EnginePool) -> None:
    first = waves(pool.run(RC))
    pool.run(replace(RC, circuit=RC.circuit.replace("r=1k", "r=2k"), temperature=100.0))
    again = waves(pool.run(RC))
    assert np.array_equal(first.time, again.time)
    assert np.array_equal(first.signals["v(A)"], again.signals["v(A)"])


@pytest.mark.ngspice
def test_each_deck_has_one_outcome_and_workers_are_recycled(found: Found) -> None:
    decks = [replace(RC, circuit=RC.circuit.replace("r=1k", f"r={n}k")) for n in range(1, 8)]
    with EnginePool(2, found=found, recycle=2) as pool:
        outcomes = dict(pool.map(iter(decks)))
        assert sorted(outcomes) == list(range(7))
        for i, outcome in outcomes.items():
            assert waves(outcome).at("v(A)", 1e-6) == pytest.approx(np.exp(-1 / (i + 1)), abs=2e-4)
        assert pool.started >= 4


@pytest.mark.ngspice
def test_a_bad_deck_fails_and_the_others_do_not(found: Found) -> None:
    with EnginePool(1, found=found, rungs=1) as pool:
        outcomes = dict(pool.map([RC, BAD, replace(RC, save=("v(nowhere)",)), RC]))
    assert "circuit not parsed" in reason(outcomes[1])
    assert reason(outcomes[2]).startswith("2 attempts failed: no transient result (Error: no data saved")
    waves(outcomes[0])
    waves(outcomes[3])


def test_a_deck_that_only_another_rule_solves_is_saved_by_the_ladder(
    pretender: Callable[[str], Found], tmp_path: Path
) -> None:
    names = "\t0\ttime\ttime\n\t1\tv(a)\tvoltage\n\t2\ti(vs)\tcurrent\n"
    head = f"Flags: real\nNo. Variables: 3\nNo. Points: 2\nVariables:\n{names}Binary:\n"
    (tmp_path / "kept").write_bytes(head.encode() + struct.pack("6d", 0.0, 1.0, 2.0, RC.tran.stop, 3.0, 4.0))
    other = RC.options.relaxed(2).method
    assert other != RC.options.method
    with EnginePool(found=pretender(f'grep -q method={other} "$5" && cp {tmp_path}/kept "$4"')) as pool:
        answer = waves(pool.run(RC))
    assert answer.rung == 2
    assert answer.signals["v(A)"].tolist() == [1.0, 3.0]


@pytest.mark.ngspice
def test_a_hanging_deck_is_given_up_and_its_worker_replaced(found: Found) -> None:
    with EnginePool(found=found, timeout=0.5, rungs=1) as pool:
        assert reason(pool.run(ENDLESS)) == "no answer within 0.5 s; allow more time"
        waves(pool.run(RC))
        assert pool.started == 2


@pytest.mark.ngspice
def test_an_abandoned_map_leaves_no_stale_answer(pool: EnginePool) -> None:
    mapped = pool.map([RC, replace(RC, circuit=RC.circuit.replace("r=1k", "r=9k")), RC])
    next(mapped)
    mapped.close()  # type: ignore[attr-defined]
    assert waves(pool.run(RC)).at("v(A)", 1e-6) == pytest.approx(np.exp(-1), abs=2e-4)


@pytest.mark.ngspice
def test_a_worker_that_died_in_its_sleep_is_replaced(pool: EnginePool) -> None:
    pool.run(RC)
    os.kill(pool._seats[0].worker.pid, signal.SIGKILL)
    waves(pool.run(RC))
    assert pool.started == 2


@pytest.mark.ngspice
@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone can tell a process to die with its parent")
def test_no_worker_outlives_its_parent(found: Found) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, found.kind, found.path], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)
    parent.kill()
    parent.communicate()
    assert gone(worker)


@pytest.mark.ngspice
def test_closing_ends_the_workers_and_removes_their_folders(found: Found) -> None:
    with EnginePool(found=found) as pool:
        pool.run(RC)
        worker = pool._seats[0].worker
        folder, pid = worker._folder, worker.pid
        assert os.path.isdir(folder)
    assert gone(pid)
    assert not os.path.exists(folder)


@pytest.mark.ngspice
def test_the_program_gives_what_the_library_gives(found: Found) -> None:
    program = shutil.which("ngspice")
    if program is None or found.kind != "library":
        pytest.skip("needs both a libngspice and the program ngspice")
    with (
        EnginePool(found=found) as ours,
        EnginePool(found=replace(found, kind="program", path=program)) as theirs,
    ):
        a, b = waves(ours.run(RC)), waves(theirs.run(RC))
        assert np.array_equal(a.time, b.time)
        assert all(np.array_equal(a.signals[name], b.signals[name]) for name in RC.save)
        assert "circuit not parsed" in reason(theirs.run(BAD))


def test_a_crash_is_tried_again_on_every_rung(pretender: Callable[[str], Found]) -> None:
    with EnginePool(found=pretender("kill -SEGV $PPID")) as pool:
        told = f"{LADDER + 1} attempts failed: the ngspice worker was ended by SIGSEGV"
        assert reason(pool.run(RC)) == told
        assert pool.started == LADDER + 1


def test_an_exit_is_told_with_its_code(pretender: Callable[[str], Found]) -> None:
    with EnginePool(found=pretender("true"), rungs=0) as pool:
        assert reason(pool.run(RC)) == "no transient result"
    with EnginePool(
        found=Found(kind="library", path="/no/such.so", version="", self_test=""), rungs=0
    ) as pool:
        assert reason(pool.run(RC)) == "the ngspice worker ended with exit code 1"


def test_the_log_of_a_program_is_told(pretender: Callable[[str], Found]) -> None:
    with EnginePool(found=pretender("echo Error: the deck smells"), rungs=0) as pool:
        assert reason(pool.run(RC)) == "no transient result (Error: the deck smells)"


def test_nothing_is_looked_for_or_started_without_a_deck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "none")
    with EnginePool() as pool:
        assert list(pool.map([])) == []
        assert pool.started == 0
        with pytest.raises(EngineMissingError):
            pool.run(RC)
        with pytest.raises(EngineMissingError):
            _ = pool.version


def test_the_pool_names_its_ngspice(pretender: Callable[[str], Found]) -> None:
    assert EnginePool(found=pretender("true")).version == "ngspice-99"


def test_a_deck_that_the_gate_refuses_never_runs(pretender: Callable[[str], Found]) -> None:
    with EnginePool(found=pretender("true")) as pool:
        with pytest.raises(NetlistError, match=r"refused '\.control'"):
            pool.run(replace(RC, circuit=".control\nshell id\n.endc"))
        assert pool.started == 0


@pytest.mark.ngspice
def test_a_refused_deck_ends_the_plan_when_those_before_it_are_answered(found: Found) -> None:
    refused = replace(RC, circuit=RC.circuit + "\n.control")
    answered: list[int] = []

    def run_all(pool: EnginePool) -> None:
        answered.clear()
        for index, outcome in pool.map([RC, RC, RC, refused, RC]):
            waves(outcome)
            answered.append(index)

    with EnginePool(2, found=found) as pool:
        for _ in range(2):
            with pytest.raises(NetlistError, match="control"):
                run_all(pool)
            assert sorted(answered) == [0, 1, 2]


@pytest.mark.ngspice
def test_a_worker_has_its_next_deck_before_an_answer_is_seen_and_no_deck_is_drawn_earlier_than_one_ahead(
    found: Found,
) -> None:
    drawn = []

    def plan() -> Iterator[Deck]:
        for number in range(20):
            drawn.append(number)
            yield RC

    with EnginePool(1, found=found) as pool:
        for n_seen, (index, outcome) in enumerate(pool.map(plan())):
            waves(outcome)
            assert index == n_seen
            assert min(n_seen + 2, 20) <= len(drawn) <= n_seen + 3
