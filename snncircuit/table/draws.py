"""Mismatched neurons in a table's dataset: an optional variable ``variation`` on the axes of the operating point, draw and parameter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from snncircuit.table.join import label
from snncircuit.table.operating import POINT_AXES, VARIATION

DIMS = (*POINT_AXES, "draw", "parameter")


def drawn(dataset: xr.Dataset, where: tuple[int, ...]) -> NDArray[np.float64] | None:
    """The neurons drawn at an operating point, shape (draws, 5); None when there are none.

    Args:
        dataset: of a table.
        where: index of the point on each of ``POINT_AXES``.
    """
    if "variation" not in dataset:
        return None
    values = np.asarray(dataset["variation"].values[where])
    values = values[np.isfinite(values).all(axis=1)]
    return values if values.size else None


def with_draws(
    dataset: xr.Dataset, point: Mapping[str, Any], values: NDArray[np.float64], origin: Mapping[str, Any]
) -> xr.Dataset:
    """The dataset with other draws at one point; arguments as of ``TransferTable.with_variation``.

    Points may have different numbers of draws; the missing ones are NaN.
    """
    outer = tuple(dataset.sizes[a] for a in POINT_AXES)
    before = np.full((*outer, 0, len(VARIATION)), np.nan)
    origins: dict[str, Any] = {}
    if "variation" in dataset:
        before = dataset["variation"].values
        origins = dict(json.loads(dataset["variation"].attrs["origin"]))
    where = tuple(list(dataset[a].values).index(point[a]) for a in POINT_AXES)
    filled = np.full((*outer, max(before.shape[-2], len(values)), len(VARIATION)), np.nan)
    filled[..., : before.shape[-2], :] = before
    filled[where] = np.nan
    filled[where][: len(values)] = values
    used = int(np.isfinite(filled).all(axis=-1).sum(axis=-1).max())
    origins[label(point)] = dict(origin)
    bare = dataset.drop_vars(["variation", "parameter"], errors="ignore")
    result = bare.assign(variation=(DIMS, filled[..., :used, :]))
    result = result.assign_coords(parameter=("parameter", np.array(VARIATION, dtype=object)))
    result["variation"].attrs.update(
        long_name="mismatched neurons, one a row", origin=json.dumps(origins, sort_keys=True)
    )
    return result
