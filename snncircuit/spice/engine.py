"""Decks in, waveforms out: a pool of ngspice workers that survives hangs, crashes and bad decks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from types import TracebackType
from typing import Protocol, Self

from snncircuit.errors import NetlistError
from snncircuit.spice.deck import LADDER, Deck
from snncircuit.spice.discovery import Found, find_ngspice
from snncircuit.spice.gate import check_deck
from snncircuit.spice.judge import judge
from snncircuit.spice.process import WorkerDiedError, WorkerProcess
from snncircuit.spice.waveforms import Failure, Outcome, Waveforms


class Engine(Protocol):
    """Anything that simulates a deck."""

    def run(self, deck: Deck) -> Outcome:
        """Simulate; a simulation that fails is a :class:`Failure`, a deck that must not run raises NetlistError."""
        ...


@dataclass(slots=True, kw_only=True)
class _Job:
    index: int
    deck: Deck
    rung: int = 0
    reasons: list[str] = field(default_factory=list)


class _Plan:
    """The jobs still to be begun; decks are drawn as they are asked for, and a refused one ends the plan."""

    def __init__(self, decks: Iterable[Deck]) -> None:
        self._source = enumerate(decks)
        self._waiting: deque[_Job] = deque()
        self.refusal: NetlistError | None = None

    def next(self) -> _Job | None:
        self.prepare()
        return self._waiting.popleft() if self._waiting else None

    def again(self, job: _Job) -> None:
        self._waiting.append(job)

    def prepare(self) -> None:
        """Have a job at hand, if there is one."""
        if self._waiting or self.refusal is not None:
            return
        try:
            for index, deck in self._source:
                check_deck(deck)
                self._waiting.append(_Job(index=index, deck=deck))
                return
        except NetlistError as error:
            self.refusal = error


@dataclass(slots=True, kw_only=True)
class _Seat:
    """A place in the pool: a worker, and what it is busy with."""

    worker: WorkerProcess
    served: int = 0
    job: _Job | None = None
    deadline: float = 0.0


class EnginePool:
    """A few persistent ngspice workers; also an :class:`Engine`.

    A worker that hangs, crashes or ends itself is replaced. A deck that fails is tried again on the rungs of the retry
    ladder (as it is, more iterations, the other integration rule, relaxed tolerances), but not one that took too long.
    Nothing is started before the first deck. One thread only.

    Args:
        jobs: number of workers.
        timeout: seconds that one attempt at a deck may take.
        recycle: decks after which a worker is replaced.
        found: which ngspice; by default the one that :func:`find_ngspice` finds.
        rungs: attempts after the first.

    Attributes:
        started: number of ngspice workers started so far.
    """

    def __init__(
        self,
        jobs: int = 1,
        timeout: float = 60.0,
        recycle: int = 2000,
        *,
        found: Found | None = None,
        rungs: int = LADDER,
    ) -> None:
        self.started = 0
        self._jobs = max(1, jobs)
        self._timeout = timeout
        self._recycle = max(1, recycle)
        self._found = found
        self._rungs = rungs
        self._seats: list[_Seat] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def found(self) -> Found:
        """The ngspice in use; raises EngineMissingError when there is none."""
        if self._found is None:
            self._found = find_ngspice()
        return self._found

    @property
    def version(self) -> str:
        """Name and version of the ngspice in use, such as ``ngspice-39``; raises EngineMissingError when there is none."""
        return self.found.version

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that now live."""
        return tuple(seat.worker.pid for seat in self._seats)

    def run(self, deck: Deck) -> Outcome:
        """Simulate one deck, with the retry ladder.

        Raises:
            NetlistError: when the gate refuses the deck.
            EngineMissingError: when there is no ngspice.
        """
        ((_, outcome),) = self.map((deck,))
        return outcome

    def map(self, decks: Iterable[Deck]) -> Iterator[tuple[int, Outcome]]:
        """Simulate decks; yields (index of the deck, outcome) as they finish.

        Decks are drawn as workers fall idle, and one ahead, so a plan may be long. Another ``map`` may start only when this
        one is exhausted or closed.

        Raises:
            NetlistError: when the gate refuses a deck; those drawn before it are answered first.
            EngineMissingError: when there is a deck but no ngspice.
        """
        plan = _Plan(decks)
        try:
            while True:
                while self._n_busy < self._jobs and (drawn := plan.next()) is not None:
                    self._assign(drawn)
                if not self._n_busy:
                    if plan.refusal is not None:
                        raise plan.refusal
                    return
                plan.prepare()
                answered: list[tuple[int, Outcome]] = []
                for seat in self._ready([seat for seat in self._seats if seat.job is not None]):
                    job, outcome, final = self._finish(seat)
                    if isinstance(outcome, Waveforms):
                        answered.append((job.index, replace(outcome, rung=job.rung)))
                    else:
                        job.reasons.append(outcome.reason)
                        if final or job.rung >= self._rungs:
                            answered.append((job.index, Failure(reason=_summary(job.reasons))))
                        else:
                            job.rung += 1
                            plan.again(job)
                    # The worker is busy again before the caller looks at the answer.
                    following = plan.next()
                    if following is not None:
                        self._assign(following)
                yield from answered
        finally:
            for seat in [seat for seat in self._seats if seat.job is not None]:
                self._dismiss(seat)

    def close(self) -> None:
        """End all workers."""
        for seat in list(self._seats):
            self._dismiss(seat)

    @property
    def _n_busy(self) -> int:
        return sum(seat.job is not None for seat in self._seats)

    def _assign(self, job: _Job) -> None:
        seat = next((seat for seat in self._seats if seat.job is None), None)
        if seat is not None and seat.served >= self._recycle:
            self._dismiss(seat)
            seat = None
        if seat is None:
            seat = _Seat(worker=WorkerProcess(self.found.kind, self.found.path))
            self._seats.append(seat)
            self.started += 1
        seat.job = job
        seat.deadline = time.monotonic() + self._timeout
        seat.worker.send(job.deck.relaxed(job.rung), self._timeout)

    def _ready(self, busy: list[_Seat]) -> list[_Seat]:
        """The seats that have something to tell, or whose time is up; at least one."""
        while True:
            now = time.monotonic()
            patience = max(0.0, min(seat.deadline for seat in busy) - now)
            talking = set(wait([seat.worker.connection for seat in busy], patience))
            now = time.monotonic()
            ready = [seat for seat in busy if seat.worker.connection in talking or now >= seat.deadline]
            if ready:
                return ready

    def _finish(self, seat: _Seat) -> tuple[_Job, Outcome, bool]:
        """The job of a seat, what came of it, and whether another attempt would be in vain."""
        job = seat.job
        assert job is not None
        try:
            answer = seat.worker.receive()
        except WorkerDiedError as error:
            self._dismiss(seat)
            return job, Failure(reason=str(error)), False
        if answer is None:
            self._dismiss(seat)
            # On a busy machine a good deck may take too long; with relaxed tolerances it would be in time, and wrong.
            return job, Failure(reason=f"no answer within {self._timeout:g} s; allow more time"), True
        seat.job = None
        seat.served += 1
        if answer.fatal:
            self._dismiss(seat)
        return job, judge(job.deck, answer), answer.fatal

    def _dismiss(self, seat: _Seat) -> None:
        self._seats.remove(seat)
        seat.worker.close()


def _summary(reasons: list[str]) -> str:
    """All reasons in one line, each once."""
    told = "; ".join(dict.fromkeys(reasons))
    return told if len(reasons) == 1 else f"{len(reasons)} attempts failed: {told}"


__all__ = ["Engine", "EnginePool", "Failure", "Outcome", "Waveforms"]
