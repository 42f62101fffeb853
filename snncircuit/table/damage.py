"""What a file must hold to be taken for a transfer table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from snncircuit.errors import TableError
from snncircuit.table.operating import FIGURES, POINT_AXES, SHEETS, VARIATION

SCHEMA = 1
_MAX_VALUES = 200_000_000  # refuse headers that would allocate more than 1.6 GB


def check_shape(dataset: xr.Dataset, path: Path) -> None:
    """Refuse a file by its header, before anything is read; raises TableError."""
    schema = dataset.attrs.get("schema")
    if schema is None:
        msg = f"{path} is no transfer table: expected the attribute 'schema', found {sorted(map(str, dataset.attrs)) or 'no attributes'}"
        raise TableError(msg)
    if schema != SCHEMA:
        msg = f"{path} has table schema {schema}; this version of snncircuit reads schema {SCHEMA}: update snncircuit or characterise again"
        raise TableError(msg)
    wanted = {
        **{v: (*POINT_AXES, *d) for v, d in SHEETS.items()},
        **dict.fromkeys(FIGURES, POINT_AXES),
        "voltage": (*POINT_AXES, "supply"),
    }
    for variable, dims in wanted.items():
        found = dataset[variable].dims if variable in dataset else None
        if found != dims:
            msg = f"{path}: expected variable {variable} on axes {', '.join(dims)}, found {', '.join(map(str, found)) if found else 'none'}"
            raise TableError(msg)
    if "variation" in dataset:
        dims, found = (*POINT_AXES, "draw", "parameter"), dataset["variation"].dims
        names = dataset["variation"].sizes.get("parameter")
        if found != dims or names != len(VARIATION):
            msg = (
                f"{path}: expected variable variation on axes {', '.join(dims)}, with {len(VARIATION)} parameters; "
                f"found {', '.join(map(str, found))}, with {names}"
            )
            raise TableError(msg)
        wanted["variation"] = dims
    values = sum(int(np.prod(dataset[v].shape, dtype=object)) for v in wanted)
    if values > _MAX_VALUES:
        msg = f"{path} declares {values} values; a table holds at most {_MAX_VALUES}"
        raise TableError(msg)


def check_values(dataset: xr.Dataset, path: Path) -> None:
    """Refuse values that no measurement gives; raises TableError."""
    nodes = dataset["q_common"].values
    if nodes.size < 2 or nodes[0] != 0 or not np.all(np.diff(nodes) > 0):
        msg = f"{path}: expected q_common to ascend from 0, found {nodes.tolist()}"
        raise TableError(msg)
    measured = np.isfinite(dataset["threshold"].values)
    _check_grid(dataset, measured, path)
    for sheet in ("start", "overdrive", "edge", "residual", "energy", "energy_exc", "energy_inh"):
        if not np.isfinite(dataset[sheet].values[measured]).all():
            msg = f"{path}: {sheet} holds values that are not finite at a measured operating point"
            raise TableError(msg)
    if "variation" in dataset:
        _check_draws(dataset, path)
    missing = {"name", "step", "rest", "provenance", "reasons"} - dataset.attrs.keys()
    if missing or "count" not in dataset.coords or "kind" not in dataset.coords:
        msg = f"{path}: incomplete table, missing {sorted(missing) or 'node or supply labels'}"
        raise TableError(msg)
    _check_attributes(dataset, path)


def _check_grid(dataset: xr.Dataset, measured: NDArray[np.bool_], path: Path) -> None:
    """The axes that a look-up goes along ascend, and what it divides by is positive."""
    count = dataset["count"].values if "count" in dataset.coords else np.zeros(0, np.int64)
    if (
        count.dtype.kind not in "iu"
        or count.size < 2
        or count[0] != 0
        or not np.isin(np.diff(count), (0, 1)).all()
    ):
        msg = f"{path}: expected the spikes of the nodes to ascend from 0 by at most one, found {count.tolist()!r:.80}"
        raise TableError(msg)
    if np.bincount(count).min() < 2 or count[-1] != dataset.sizes["spike"]:
        msg = f"{path}: expected two or more nodes for each count of spikes and an edge before each, found {count.tolist()!r:.80}"
        raise TableError(msg)
    inside = np.diff(count) == 0
    for axis, steps in (
        ("start", np.diff(dataset["start"].values[measured], axis=-1)),
        ("overdrive", np.diff(dataset["overdrive"].values[measured], axis=-1)[..., inside]),
    ):
        if not (steps > 0).all():
            msg = f"{path}: expected {axis} to ascend at every measured operating point"
            raise TableError(msg)
    for figure in ("threshold", "threshold_charge", "gain_inh"):
        values = dataset[figure].values[measured]
        if not (np.isfinite(values) & (values > 0)).all():
            msg = f"{path}: expected {figure} above 0 at every measured operating point, found {values.tolist()!r:.80}"
            raise TableError(msg)


def _check_attributes(dataset: xr.Dataset, path: Path) -> None:
    """What the attributes say can be read, and the name can name a file."""
    for key in ("provenance", "reasons"):
        found: Any = None
        try:
            found = json.loads(dataset.attrs[key])
        except (ValueError, TypeError, RecursionError):
            found = None
        if not isinstance(found, dict):
            msg = (
                f"{path}: expected its attribute {key} to be a JSON object, found {dataset.attrs[key]!r:.80}"
            )
            raise TableError(msg)
    for key in ("step", "rest"):
        number = dataset.attrs[key]
        if (
            not isinstance(number, int | float | np.number)
            or not np.isfinite(number)
            or (key == "step" and number <= 0)
        ):
            msg = f"{path}: expected its attribute {key} to be a number, found {number!r:.80}"
            raise TableError(msg)
    if not re.fullmatch(r"\w[\w +.-]{0,79}", str(dataset.attrs["name"]), re.ASCII):
        msg = f"{path}: expected a name of letters, digits and any of '_ + . -', found {dataset.attrs['name']!r:.80}"
        raise TableError(msg)


def _check_draws(dataset: xr.Dataset, path: Path) -> None:
    """Each draw is measured or absent as a whole, its parameters are those known and its gains and threshold positive."""
    names = [str(n) for n in dataset["parameter"].values] if "parameter" in dataset.coords else []
    if names != list(VARIATION) or "origin" not in dataset["variation"].attrs:
        msg = f"{path}: expected a variation of the parameters {', '.join(VARIATION)} with its origin, found {', '.join(names) or 'none'}"
        raise TableError(msg)
    values = dataset["variation"].values
    given = ~np.isnan(values)
    whole = given.all(axis=-1) | ~given.any(axis=-1)
    positive = values[..., [VARIATION.index(n) for n in ("gain_exc", "gain_inh", "threshold", "reset")]]
    if not whole.all() or np.isinf(values).any() or (positive <= 0).any():
        msg = f"{path}: variation holds draws that no measurement gives: incomplete, infinite, or with a factor that is not positive"
        raise TableError(msg)
