"""The tables of several operating points put on one grid: the layout of a table's file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from snncircuit.errors import TableError
from snncircuit.table.damage import SCHEMA
from snncircuit.table.operating import FIGURES, POINT_AXES, SHEETS, OperatingTable


def label(point: Mapping[str, Any]) -> str:
    """An operating point in words."""
    return f"{point['corner']}, {point['temperature']:g} degC, v_dd {point['v_dd']:g} V, v_neg {point['v_neg']:g} V"


def join(
    name: str,
    tables: Sequence[OperatingTable],
    provenance: Mapping[str, Any],
    nominal: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """The dataset of several operating points; arguments and errors as of ``TransferTable.from_points``."""
    first = tables[0]
    axes = {axis: sorted({t.point[axis] for t in tables}, reverse=axis == "v_neg") for axis in POINT_AXES}
    lengths = {
        "v_mem": first.start.size,
        "q_common": first.q_common.size,
        "node": first.count.size,
        "spike": first.edge.shape[0],
        "supply": len(first.supplies),
    }
    outer = tuple(len(axes[a]) for a in POINT_AXES)
    data: dict[str, tuple[tuple[str, ...], NDArray[Any]]] = {}
    for sheet, dims in SHEETS.items():
        shape = outer + tuple(lengths[d] for d in dims)
        data[sheet] = (
            (*POINT_AXES, *dims),
            np.zeros(shape, np.int8) if sheet == "state" else np.full(shape, np.nan),
        )
    for figure in FIGURES:
        data[figure] = (POINT_AXES, np.full(outer, np.nan))
    data["voltage"] = ((*POINT_AXES, "supply"), np.full((*outer, lengths["supply"]), np.nan))
    reasons: dict[str, list[str]] = {}
    for t in tables:
        where = tuple(axes[a].index(t.point[a]) for a in POINT_AXES)
        for sheet in SHEETS:
            values = getattr(t, sheet)
            if values.shape != data[sheet][1][where].shape:
                shape = data[sheet][1][where].shape
                msg = f"cannot join operating points of {name}: {sheet} has shape {values.shape}, expected {shape}"
                raise TableError(msg)
            data[sheet][1][where] = values
        for figure in FIGURES:
            data[figure][1][where] = t.figures[figure]
        data["voltage"][1][where] = [s.voltage for s in t.supplies]
        if t.reasons:
            reasons[label(t.point)] = list(t.reasons)
    coords = {
        **{
            axis: ((axis,), np.array(axes[axis], dtype=object if axis == "corner" else float))
            for axis in POINT_AXES
        },
        "q_common": (("q_common",), first.q_common),
        "count": (("node",), first.count),
        "supply": (("supply",), np.array([s.name for s in first.supplies], dtype=object)),
        "kind": (("supply",), np.array([s.kind for s in first.supplies], dtype=object)),
    }
    dataset = xr.Dataset(data, coords)
    for axis, unit in {"temperature": "degC", "v_dd": "V", "v_neg": "V", "q_common": "threshold"}.items():
        dataset[axis].attrs["units"] = unit
    for sheet, unit in {
        "start": "threshold",
        "overdrive": "threshold",
        "edge": "threshold",
        "residual": "threshold",
        "energy": "J",
        "energy_exc": "J per threshold",
        "energy_inh": "J per threshold",
        "voltage": "V",
    }.items():
        dataset[sheet].attrs["units"] = unit
    for figure, (unit, meaning) in FIGURES.items():
        dataset[figure].attrs.update(units=unit, long_name=meaning)
    dataset["state"].attrs["meaning"] = "0 filled from its neighbours, 1 measured, 2 hole"
    dataset.attrs.update(
        schema=SCHEMA,
        name=name,
        step=first.step,
        rest=first.rest,
        provenance=json.dumps(provenance, sort_keys=True),
        reasons=json.dumps(reasons),
    )
    if nominal is not None:
        dataset.attrs["nominal"] = json.dumps(nominal, sort_keys=True)
    return dataset
