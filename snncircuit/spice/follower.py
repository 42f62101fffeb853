"""The worker's side of a live circuit: answers what the driven sources ask, and sends each period as soon as it is over."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from snncircuit.spice.library import Vectors

_AT_THE_END = 1e-9  # periods: a time that close to the end of a period still belongs to it


class Line(Protocol):
    """A connection to the other end."""

    def send_bytes(self, data: bytes) -> None:
        """Send one message."""
        ...

    def recv_bytes(self) -> bytes:
        """Wait for one message; raises EOFError when the other end is gone."""
        ...


class Driven(Protocol):
    """A loaded ngspice whose sources can be driven: ``snncircuit.spice.library.Library``."""

    def drive(self, text: str, current: Callable[[str, float], float]) -> None:
        """Run one deck; its external current sources ask ``current`` with their name and the time."""
        ...

    def vectors(self, save: Sequence[str], first: int = 0) -> Vectors:
        """``time`` and the requests of the run so far, from point ``first`` on."""
        ...

    def take_log(self) -> list[str]:
        """What was printed since the last call."""
        ...

    def forget(self) -> None:
        """Drop circuit and results."""
        ...


class Follower:
    """One live circuit: what its sources deliver at any time, period by period.

    Args:
        line: to the other end.
        ngspice: what runs it.
        request: text, save, sources, periods and pulse (period, start, width, edge in s) as ``LiveSession.begin`` sends them.
        encode: makes an answer of vectors and log.
    """

    def __init__(
        self,
        line: Line,
        ngspice: Driven,
        request: dict[str, Any],
        encode: Callable[[Vectors, list[str], bool], bytes],
    ) -> None:
        self._line = line
        self._ngspice = ngspice
        self._encode = encode
        self._text: str = request["text"]
        self._save: list[str] = request["save"]
        self._sources: list[str] = request["sources"]
        self._periods: int = request["periods"]
        self._period, self._start, self._width, self._edge = map(float, request["pulse"])
        self._known = 0
        self._first = 0
        self._tops: dict[str, float] = {}

    def run(self) -> bool:
        """Run to the end; whether it got there."""
        self._ngspice.drive(self._text, self.current)
        self._report()
        self._ngspice.forget()
        return self._known == self._periods

    def current(self, name: str, time: float) -> float:
        """The current of a source in A at ``time`` s; waits where it depends on what has not been sent yet."""
        while time > (self._known + _AT_THE_END) * self._period and self._known < self._periods:
            if self._known:
                self._report()
            message = json.loads(self._line.recv_bytes())
            signal.setitimer(signal.ITIMER_REAL, message["alarm"])
            self._tops = dict(zip(self._sources, message["currents"], strict=True))
            self._known += 1
        after = time - max(self._known - 1, 0) * self._period - self._start
        rise, fall = after / self._edge, (self._width + self._edge - after) / self._edge
        return self._tops.get(name, 0.0) * max(0.0, min(1.0, rise, fall))

    def _report(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        vectors = self._ngspice.vectors(self._save, self._first)
        # The last point of a period is also the first of the next.
        self._first += max(len(vectors.get("time", b"")) // 8 - 1, 0)
        self._line.send_bytes(self._encode(vectors, self._ngspice.take_log(), False))


def follow(line: Line, ngspice: Driven, encode: Callable[[Vectors, list[str], bool], bytes]) -> None:
    """Run live circuits until the other end is gone; after one that ends early, what still comes was meant for it."""
    with contextlib.suppress(EOFError, ConnectionError):
        while Follower(line, ngspice, json.loads(line.recv_bytes()), encode).run():
            pass
        while True:
            line.recv_bytes()
