"""What ngspice answers: signals over time, or the reasons why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from snncircuit.errors import SimulationError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waveforms:
    """The result of one transient; between its points every signal is taken as linear.

    Attributes:
        time: shape (n,), s, strictly increasing from 0 to the stop time.
        signals: name as it was requested -> shape (n,), in V or A.
        rung: how many rungs of the retry ladder it took; 0 is the deck as it was asked.
    """

    time: Array
    signals: Mapping[str, Array]
    rung: int = 0

    def signal(self, name: str) -> Array:
        """A signal by its requested name.

        Raises:
            SimulationError: when it was not saved, with the names that were.
        """
        try:
            return self.signals[name]
        except KeyError:
            msg = f"no signal {name!r} among the waveforms; saved were: {', '.join(self.signals)}"
            raise SimulationError(msg) from None

    @overload
    def at(self, name: str, t: float) -> float: ...
    @overload
    def at(self, name: str, t: Array) -> Array: ...
    def at(self, name: str, t: float | Array) -> float | Array:
        """The signal at ``t`` seconds, same shape as ``t``; outside the analysis, its first or last value."""
        value = np.interp(t, self.time, self.signal(name))
        return value if isinstance(t, np.ndarray) else float(value)

    def integral(self, name: str, t0: float, t1: float) -> float:
        """The integral of the signal from ``t0`` to ``t1`` seconds, exact for the linear interpolation; negative if t1 < t0."""
        if t1 < t0:
            return -self.integral(name, t1, t0)
        inside = self.time[(self.time > t0) & (self.time < t1)]
        times = np.concatenate(([t0], inside, [t1]))
        return float(np.trapezoid(np.interp(times, self.time, self.signal(name)), times))

    def crossings(self, name: str, level: float, rising: bool = True) -> Array:
        """The times, in s and ascending, at which the signal crosses ``level`` upward (or downward)."""
        y = self.signal(name) - level
        if not rising:
            y = -y
        (before,) = np.nonzero((y[:-1] < 0) & (y[1:] >= 0))
        after = before + 1
        share = -y[before] / (y[after] - y[before])
        return np.asarray(
            self.time[before] + share * (self.time[after] - self.time[before]), dtype=np.float64
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A simulation that gave no answer.

    Attributes:
        reason: what was tried and what became of it, in one line.
    """

    reason: str


Outcome = Waveforms | Failure
