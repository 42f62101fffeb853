"""A circuit in an ngspice of its own, run period by period: the charges of a period may depend on what happened in those before.

Nothing is stopped or resumed. The whole analysis is one plain run whose driven current sources ask for their value at every time that the
solver tries; when it tries a time of a period whose charges are not known yet, the answer waits for them. By then everything up to
the end of the period before has been accepted, so it goes back first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from snncircuit.errors import EngineMissingError, NetlistError
from snncircuit.spice.deck import Deck
from snncircuit.spice.discovery import HOW_TO_INSTALL, Found, find_ngspice
from snncircuit.spice.gate import check_deck
from snncircuit.spice.judge import judge
from snncircuit.spice.process import WorkerDiedError, WorkerProcess
from snncircuit.spice.waveforms import Failure, Outcome
from snncircuit.units import format_number

KIND = "live"
SILENT = "pwl(0 0)"
"""What stands in a deck where a driven source's current will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The form of a driven current in each period, a trapezoid: nothing, an edge up, a flat top, an edge down, nothing.

    Attributes:
        period: s.
        start: s, of the edge up after the start of the period, >= 0.
        width: s, of one edge and the flat top, more than ``edge``.
        edge: s, of each edge.
    """

    period: float
    start: float
    width: float
    edge: float

    @property
    def landmarks(self) -> str:
        """Elements that touch nothing else and make ngspice place a time point on each corner and on each start of a period.

        A source that is driven from outside has no corners of its own that the solver would know of.
        """
        corners = (self.start, self.edge, self.edge, self.width - self.edge, self.period)
        lines = [("corners", corners)]
        if self.start > 0:
            # Shares three of its corners with the pulse, so that only the start of the period is new.
            lines.append(("periods", (0.0, self.start, self.width - self.edge, self.edge, self.period)))
        return "\n".join(
            f"vlive_{name} live_{name} 0 pulse(0 1 {' '.join(map(format_number, times))})\nrlive_{name} live_{name} 0 1k"
            for name, times in lines
        )


def live_text(deck: Deck, sources: Sequence[str], pulse: Pulse) -> str:
    """The text of a deck whose named current sources are driven from outside.

    The gate passes the deck as it is, with these sources silent; only then are they opened.

    Raises:
        NetlistError: when the gate refuses the deck, or a source is not there once and silent.
    """
    marked = replace(deck, circuit=f"{deck.circuit}\n{pulse.landmarks}")
    check_deck(marked)
    lines = marked.text.splitlines()
    for source in sources:
        places = [k for k, line in enumerate(lines) if line.split(maxsplit=1)[:1] == [source]]
        parts = lines[places[0]].split(maxsplit=3) if len(places) == 1 else []
        if len(parts) != 4 or parts[3] != SILENT or source[:1] != "i":
            msg = f"expected one line '{source} NODE NODE {SILENT}' of a current source to be driven, found {len(places)} of that name"
            raise NetlistError(msg)
        lines[places[0]] = f"{' '.join(parts[:3])} external"
    return "\n".join((*lines, ""))


class LiveSession:
    """One ngspice that runs one circuit at a time, period by period.

    A failure ends the ngspice; the next :meth:`begin` starts another. One thread only.

    Args:
        timeout: seconds that one period may take.
        found: which ngspice; by default the one that ``find_ngspice`` finds.

    Raises:
        EngineMissingError: when there is no ngspice, or only the program, which cannot be driven.
    """

    def __init__(self, timeout: float = 60.0, *, found: Found | None = None) -> None:
        self._found = found or find_ngspice()
        if self._found.kind != "library":
            msg = (
                f"a live circuit needs libngspice, found only the {self._found.kind} {self._found.path}, which cannot be driven "
                f"from outside; install: {HOW_TO_INSTALL}"
            )
            raise EngineMissingError(msg)
        self._timeout = timeout
        self._worker: WorkerProcess | None = None
        self._deck: Deck | None = None
        self._ends: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the ngspice, or None when none lives."""
        return None if self._worker is None else self._worker.pid

    @property
    def version(self) -> str:
        """Name and version of the ngspice in use."""
        return self._found.version

    def begin(self, deck: Deck, sources: Sequence[str], pulse: Pulse) -> None:
        """Hand over a circuit; what was in progress is given up.

        Args:
            deck: its analysis ends with the last whole period.
            sources: current sources of the deck, written ``NAME NODE NODE pwl(0 0)``, that are driven.
            pulse: the form of their current in each period.

        Raises:
            NetlistError: when the deck must not run or a source cannot be driven.
        """
        text = live_text(deck, sources, pulse)
        n_periods = round(deck.tran.stop / pulse.period)
        if self._ends:
            self.close()
        self._deck = deck
        self._ends = [(k + 1) * pulse.period for k in reversed(range(n_periods))]
        if self._worker is None:
            self._worker = WorkerProcess(KIND, self._found.path)
        request = {
            "text": text,
            "save": deck.save,
            "sources": list(sources),
            "periods": n_periods,
            "pulse": [pulse.period, pulse.start, pulse.width, pulse.edge],
        }
        self._tell(request)

    def send(self, currents: Sequence[float]) -> None:
        """Let the next period happen; ``currents`` are the flat tops in A, in the order of the sources."""
        self._tell({"currents": list(currents), "alarm": 1.5 * self._timeout + 5.0})

    def receive(self) -> Outcome:
        """What happened in the period that was sent: from its start to its end, both included; time is that of the whole analysis."""
        assert self._worker is not None
        assert self._deck is not None
        end = self._ends.pop()
        try:
            answer = self._worker.receive(self._timeout)
        except WorkerDiedError as error:
            return self._failed(str(error))
        if answer is None:
            return self._failed(f"no answer within {self._timeout:g} s")
        outcome = judge(replace(self._deck, tran=replace(self._deck.tran, stop=end)), answer)
        return self._failed(outcome.reason) if isinstance(outcome, Failure) else outcome

    def close(self) -> None:
        """End the ngspice and everything that it started."""
        self._ends = []
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _tell(self, message: dict[str, object]) -> None:
        assert self._worker is not None
        self._worker.tell(message)

    def _failed(self, reason: str) -> Failure:
        self.close()
        return Failure(reason=reason)
