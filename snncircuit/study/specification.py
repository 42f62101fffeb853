"""What a chip must reach, and how many do: a comparison, a distribution, and the confidence of a fraction."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snncircuit.errors import SimulationError

FIGURES = ("accuracy", "mse", "energy")
_FORM = re.compile(r"\s*([a-z_]+)\s*(>=|<=)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*")
_NORMAL_95 = 1.959963984540054  # two-sided 95 % of the normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """A figure and the least or most that it may be.

    Attributes:
        figure: ``accuracy``, ``mse`` or ``energy`` (J per inference).
        least: whether the limit is the least; else it is the most.
        limit: that is still met.
    """

    figure: str
    least: bool
    limit: float

    @classmethod
    def parse(cls, text: str) -> Specification:
        """Read ``accuracy>=0.97``, ``mse<=0.01`` or ``energy<=2e-7``.

        Raises:
            SimulationError: another form or figure.
        """
        found = _FORM.fullmatch(text)
        if found is None or found[1] not in FIGURES or found[3].count(".") > 1:
            msg = f"specification {text!r}: expected a figure ({', '.join(FIGURES)}), >= or <=, and a number, as accuracy>=0.97"
            raise SimulationError(msg)
        try:
            limit = float(found[3])
        except ValueError as error:
            msg = f"specification {text!r}: {found[3]!r} is no number"
            raise SimulationError(msg) from error
        return cls(figure=found[1], least=found[2] == ">=", limit=limit)

    def __str__(self) -> str:
        """As it is typed."""
        return f"{self.figure}{'>=' if self.least else '<='}{self.limit:g}"

    def met(self, figures: Mapping[str, Any]) -> bool:
        """Whether figures of a chip, by name, meet it; a figure without value does not."""
        value = figures.get(self.figure)
        if value is None:
            return False
        return bool(value >= self.limit if self.least else value <= self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A figure over chips; ``sigma`` with N - 1, percentiles linear between chips, ``nominal`` that of the neurons without mismatch."""

    nominal: float
    mean: float
    sigma: float
    p5: float
    p50: float
    p95: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float], nominal: float) -> Distribution:
        """Of one value or more; a single one has no sigma (nan)."""
        found = np.array(values, dtype=float)
        p5, p50, p95 = (float(p) for p in np.percentile(found, (5, 50, 95)))
        return cls(
            nominal=nominal,
            mean=float(found.mean()),
            sigma=float(found.std(ddof=1)) if found.size > 1 else math.nan,
            p5=p5,
            p50=p50,
            p95=p95,
            values=tuple(found.tolist()),
        )


def wilson(met: int, of: int) -> tuple[float, float]:
    """95 % confidence interval of a fraction (Wilson, J. Am. Stat. Assoc. 22, 209, 1927); ``of`` >= 1."""
    z2 = _NORMAL_95**2
    share = met / of
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _NORMAL_95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    low = 0.0 if met == 0 else max(0.0, middle - half)
    high = 1.0 if met == of else min(1.0, middle + half)
    return low, high
