"""What a file must hold to be taken for a transfer table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from snncircuit.errors import TableError
from snncircuit.table.operating import FIGURES, POINT_AXES, SHEETS

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
    for sheet in ("start", "overdrive", "edge", "residual", "energy", "energy_exc", "energy_inh"):
        if not np.isfinite(dataset[sheet].values[measured]).all():
            msg = f"{path}: {sheet} holds values that are not finite at a measured operating point"
            raise TableError(msg)
    missing = {"name", "step", "rest", "provenance", "reasons"} - dataset.attrs.keys()
    if missing or "count" not in dataset.coords or "kind" not in dataset.coords:
        msg = f"{path}: incomplete table, missing {sorted(missing) or 'node or supply labels'}"
        raise TableError(msg)
