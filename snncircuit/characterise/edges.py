"""The firing edges: bisection of every column of the table at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncircuit.characterise import grid
from snncircuit.characterise.drive import Sample
from snncircuit.characterise.scale import Experiment, Scale

EDGE_TOLERANCE = 1e-4  # thresholds; an edge this wrong misjudges one step in some ten thousand
_NEVER = 20.0  # thresholds beyond the last edge


@dataclass(slots=True)
class Search:
    """Bisection for what first gives at least ``spikes`` spikes: the would-be membrane of a column, or a start."""

    start: int
    common: int
    spikes: int
    guess: float
    low: float = -np.inf
    high: float = np.inf
    reach: float = 0.01
    failure: str | None = None

    def next(self) -> float | None:
        """What to try, or None when the search is over."""
        if self.failure is not None or self.high - self.low <= EDGE_TOLERANCE or self.reach > 4.0:
            return None
        if np.isfinite(self.low) and np.isfinite(self.high):
            return (self.low + self.high) / 2
        side = -1.0 if self.high < np.inf else 1.0
        return self.guess + side * self.reach

    def learn(self, x: float, sample: Sample) -> None:
        """Take in what the trial at ``x`` gave."""
        if sample.failure is not None:
            self.failure = sample.failure
            return
        if sample.spikes[0] >= self.spikes:
            self.high = min(self.high, x)
        else:
            self.low = max(self.low, x)
        if not (np.isfinite(self.low) and np.isfinite(self.high)):
            self.reach *= 3.0

    @property
    def found(self) -> bool:
        """Whether the edge is known to within ``EDGE_TOLERANCE``."""
        return self.failure is None and self.high - self.low <= EDGE_TOLERANCE


def find_edges(
    scale: Scale, max_spikes: int, start: NDArray[np.float64], common: NDArray[np.float64]
) -> Experiment[tuple[NDArray[np.float64], list[str]]]:
    """The firing edges, shape (N, V, C), and what could not be found; a column without an edge takes its neighbour's."""
    edge = np.zeros((max_spikes, start.size, common.size))
    reasons: list[str] = []
    for n in range(max_spikes):
        guesses = np.ones(edge.shape[1:]) if n == 0 else 2 * edge[n - 1] - (edge[n - 2] if n > 1 else 0.0)
        searches = [
            Search(start=v, common=c, spikes=n + 1, guess=float(guesses[v, c]))
            for v, c in np.ndindex(guesses.shape)
        ]
        while asked := [(s, x) for s in searches if (x := s.next()) is not None]:
            pulses = [grid.charges(np.asarray(x - start[s.start]), common[s.common]) for s, x in asked]
            samples = yield [
                scale.drive(start[s.start], (float(e), float(i)))
                for (s, _), (e, i) in zip(asked, pulses, strict=True)
            ]
            for (search, x), sample in zip(asked, samples, strict=True):
                search.learn(x, sample)
        known = np.array([s.found for s in searches]).reshape(guesses.shape)
        reasons += [
            f"edge of spike {n + 1} at v_mem {start[s.start]:.3f}, q_common {common[s.common]:g}: {s.failure}"
            for s in searches
            if s.failure
        ]
        if not known.any():
            # No start and no charge gives so many spikes: an edge that nothing reaches.
            edge[n] = guesses + _NEVER
            continue
        found = np.array([(s.low + s.high) / 2 if s.found else 0.0 for s in searches]).reshape(guesses.shape)
        edge[n] = grid.fill(found, known, (start, common))
        if n:
            edge[n] = np.maximum(edge[n], edge[n - 1] + 0.1)
    return edge, reasons
