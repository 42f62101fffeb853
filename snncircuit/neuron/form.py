"""Reduces a measured step to the simplest form whose error is within tolerance, and says which form and which error."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snncircuit.lookup import pieces
from snncircuit.table import MEASURED, OperatingTable

_ROUNDING = 1e-12
TOLERANCE = 2e-4  # thresholds; the tolerance of the firing edges of a table


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A table whose residual has been replaced by a simpler one.

    Attributes:
        name: for each spike count, the residual is ``linear`` (affine in overdrive, start and common charge), ``separable`` (a sum
            of one function of each of them) or ``full`` (as measured).
        error: largest departure from the measured residual on the measured nodes, thresholds.
        table: the table with that residual.
    """

    name: str
    error: float
    table: OperatingTable


def choose(table: OperatingTable, tolerance: float = TOLERANCE) -> Form:
    """The simplest form of a table within ``tolerance`` thresholds; the full map when none is."""
    measured = table.state == MEASURED
    for name, design in (("linear", _linear), ("separable", _separable)):
        residual = np.empty_like(table.residual)
        for piece in pieces(table):
            residual[:, :, piece] = _fit(
                design(table, piece), table.residual[:, :, piece], measured[:, :, piece]
            )
        error = float(np.abs(residual - table.residual)[measured].max(initial=0.0))
        if error <= tolerance:
            return Form(name=name, error=error, table=replace(table, residual=residual))
    return Form(name="full", error=0.0, table=table)


def is_profile(table: OperatingTable) -> bool:
    """Whether a table is one function of the overdrive and little more, which the event engine runs faster.

    That is: two starts, two common charges, and for each spike count every sheet (residual, energies) is one function of the overdrive
    plus something linear in the start and in the common charge, but for rounding.
    """
    if table.start.size != 2 or table.q_common.size != 2:
        return False
    for sheet in (table.residual, *table.energy):
        for piece in pieces(table):
            (low, common), (start, both) = sheet[:, :, piece]
            size = _ROUNDING * np.abs(sheet).max()
            slopes = start - low, common - low
            if np.abs(both - start - common + low).max() > size or max(map(np.ptp, slopes)) > size:
                return False
    return True


def _linear(table: OperatingTable, piece: slice) -> NDArray[np.float64]:
    start, common, y = np.meshgrid(table.start, table.q_common, table.overdrive[piece], indexing="ij")
    return np.stack([np.ones_like(y), y, start, common], axis=-1).reshape(-1, 4)


def _separable(table: OperatingTable, piece: slice) -> NDArray[np.float64]:
    sizes = (table.start.size, table.q_common.size, piece.stop - piece.start)
    which = np.indices(sizes).reshape(3, -1)
    return np.concatenate([np.eye(n)[i] for n, i in zip(sizes, which, strict=True)], axis=1)


def _fit(
    design: NDArray[np.float64], values: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    if not known.any():
        return values
    rows = known.ravel()
    weights = np.linalg.lstsq(design[rows], values.ravel()[rows], rcond=None)[0]
    fitted: NDArray[np.float64] = (design @ weights).reshape(values.shape)
    return fitted
