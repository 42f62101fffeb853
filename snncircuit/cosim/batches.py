"""How far a mean over the steps of a few trains can be trusted: batch means, since steps that follow each other err alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

CONFIDENCE = 0.95
BATCH = 50  # steps; longer than what the membrane does between two spikes


def margin(trains: Sequence[Array]) -> float:
    """Half the width of the 95 % confidence interval of the mean over all steps (Law and Kelton 1991, section 9.5.3).

    Args:
        trains: of each train one value a step, in order; NaN where there is none.

    Returns:
        Infinity when there are fewer than two batches.
    """
    batches = [
        (values.sum(), values.size)
        for train in trains
        for part in np.array_split(train, max(train.size // BATCH, 1))
        if (values := part[np.isfinite(part)]).size
    ]
    if len(batches) < 2:
        return float("inf")
    sums, sizes = np.array(batches).T
    # Of a ratio of sums, since batches from which steps are missing weigh less.
    left = sums - sums.sum() / sizes.sum() * sizes
    error = np.sqrt(sums.size / (sums.size - 1) * (left**2).sum()) / sizes.sum()
    return float(stats.t.ppf(0.5 * (1 + CONFIDENCE), sums.size - 1) * error)
