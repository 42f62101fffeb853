"""Success is told by the vectors and the log together, never by one of them."""

import numpy as np
import pytest

from snncircuit.spice.deck import Deck, Tran
from snncircuit.spice.judge import complaints, judge
from snncircuit.spice.process import Answer
from snncircuit.spice.waveforms import Failure, Waveforms

DECK = Deck(circuit="", save=("v(a)",), tran=Tran(step=0.1, stop=1.0, max_step=0.1))
TIME = np.linspace(0.0, 1.0, 5)


def judged(log: tuple[str, ...] = (), **vectors: object) -> Waveforms | Failure:
    given = {"time": TIME, "v(a)": TIME, **{k.replace("va", "v(a)"): v for k, v in vectors.items()}}
    kept = {k: np.asarray(v, dtype=np.float64) for k, v in given.items() if v is not None}
    return judge(DECK, Answer(vectors=kept, log=log, fatal=False))


def test_complete_vectors_and_a_quiet_log_are_an_answer() -> None:
    outcome = judged(
        ("stdout Circuit: * a", "stderr Note: Starting dynamic gmin stepping", "stderr Warning: unused")
    )
    assert isinstance(outcome, Waveforms)
    assert outcome.signals["v(a)"] is not None


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        ({"time": None}, "no transient result"),
        ({"time": [0.0]}, "no transient result"),
        ({"va": None}, "ngspice gave no v(a)"),
        ({"va": [0.0, 1.0]}, "incomplete v(a)"),
        ({"va": [0.0, 1.0, np.nan, 1.0, 1.0]}, "values of v(a) that are not finite"),
        ({"time": TIME / 2}, "time ends at 0.5 s instead of 1 s"),
        ({"time": [0.0, 0.5, 0.2, 0.7, 1.0]}, "time ends at 1 s instead of 1 s"),
    ],
)
def test_a_defect_is_named(vectors: dict[str, object], reason: str) -> None:
    outcome = judged(**vectors)
    assert isinstance(outcome, Failure)
    assert outcome.reason == reason


@pytest.mark.parametrize(
    "line",
    [
        "stderr Error: unknown subckt: x1 a b",
        "stderr doAnalyses: TRAN:  Timestep too small; time = 1e-9",
        "stderr Warning: singular matrix:  check node b",
        "stderr run simulation(s) aborted",
        "Fatal error: no memory",
    ],
)
def test_a_complaint_makes_complete_vectors_worthless(line: str) -> None:
    outcome = judged((line,))
    assert isinstance(outcome, Failure)
    assert outcome.reason in line.replace("  ", " ")


def test_defect_and_complaint_are_told_together_and_once() -> None:
    outcome = judged(("stderr Error: a", "stderr Error: a"), time=None)
    assert outcome == Failure(reason="no transient result (Error: a)")


def test_a_flood_of_complaints_is_cut() -> None:
    assert len(complaints(tuple(f"stderr Error: {i}" for i in range(1000)))) == 500
