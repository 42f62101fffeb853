"""The result of a sweep as one labelled data set, and its file.

Axes: ``neuron`` (circuit, ideal), ``v_neg`` (V, from 0 downwards), ``step``, ``layer``, ``supply``, ``term``. Variables:

* ``accuracy`` or ``mse`` over (neuron, v_neg), and the same ``_by_step``;
* ``spikes`` (per inference), ``clipped_charge``, ``rate_rmse`` over (neuron, v_neg, layer) as in a Run;
* ``energy`` over (v_neg, supply, term), J per inference of the circuit, NaN where a supply has no such term;
* ``out_of_range_fraction`` over (neuron, v_neg), ``v_lb`` over v_neg in thresholds;
* ``record`` over (neuron, v_neg): the whole Run as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from snncircuit.errors import SimulationError
from snncircuit.table.header import check_header
from snncircuit.table.netcdf import write_netcdf

SCHEMA = 1
KIND = "snncircuit sweep"
CIRCUIT, IDEAL = "circuit", "ideal"
_BY_LAYER = {"spikes": "spikes per inference", "clipped_charge": "threshold", "rate_rmse": "1"}


def assemble(
    points: Mapping[tuple[str, float], Mapping[str, Any]], settings: Mapping[str, Any]
) -> xr.Dataset:
    """The data set of finished points.

    Args:
        points: (neuron, v_neg) to the JSON object of a Run with ``v_lb`` and ``energy_by_supply``; both neurons at every v_neg.
        settings: what they share.
    """
    neurons = (CIRCUIT, IDEAL)
    v_negs = sorted({v_neg for _, v_neg in points}, reverse=True)
    grid = [[points[neuron, v_neg] for v_neg in v_negs] for neuron in neurons]
    first = grid[0][0]
    score = "mse" if first["accuracy"] is None else "accuracy"
    layers = list(first["spikes"])
    plane = ("neuron", "v_neg")

    def table(key: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([[point[key] for point in row] for row in grid], dtype=np.float64)

    dataset = xr.Dataset(
        {
            score: (plane, table(score)),
            f"{score}_by_step": ((*plane, "step"), table(f"{score}_by_step")),
            "out_of_range_fraction": (plane, table("out_of_range_fraction")),
            "v_lb": (("v_neg",), [point["v_lb"] for point in grid[0]], {"units": "threshold"}),
            "record": (plane, np.array([[json.dumps(point) for point in row] for row in grid], dtype=object)),
        },
        coords={
            "neuron": list(neurons),
            "v_neg": ("v_neg", v_negs, {"units": "V"}),
            "step": np.arange(1, len(first[f"{score}_by_step"]) + 1),
            "layer": layers,
        },
        attrs={
            "kind": KIND,
            "schema": SCHEMA,
            "score": score,
            "ann_score": float(first[f"ann_{score}"]),
            "settings": json.dumps(dict(settings), sort_keys=True),
        },
    )
    for name, unit in _BY_LAYER.items():
        values = [[[point[name][layer] for layer in layers] for point in row] for row in grid]
        dataset[name] = ((*plane, "layer"), np.array(values, dtype=np.float64), {"units": unit})
    return _with_energy(dataset, [point["energy_by_supply"] for point in grid[0]])


def points(dataset: xr.Dataset) -> list[dict[str, Any]]:
    """The circuit's Run at each v_neg as a JSON object, that of the ideal neuron under ``ideal``."""
    records = dataset["record"]
    return [
        {**json.loads(str(circuit)), "ideal": json.loads(str(ideal))}
        for circuit, ideal in zip(
            records.sel(neuron=CIRCUIT).values, records.sel(neuron=IDEAL).values, strict=True
        )
    ]


def save_sweep(dataset: xr.Dataset, path: Path) -> None:
    """Write NetCDF 4, whole or not at all.

    Raises:
        SimulationError: when the file cannot be written.
    """
    try:
        write_netcdf(dataset, path)
    except OSError as error:
        msg = f"cannot write sweep {path}: {error.strerror or error}"
        raise SimulationError(msg) from error


def load_sweep(path: Path) -> xr.Dataset:
    """Read what ``save_sweep`` wrote; a folder stands for the ``sweep.nc`` in it.

    Raises:
        SimulationError: a file that is missing, damaged, of another kind or of a newer schema.
    """
    path = path / "sweep.nc" if path.is_dir() else path
    if not path.is_file():
        msg = f"{path}: no such file; expected a sweep written by snncircuit sweep -o"
        raise SimulationError(msg)
    check_header(path, SimulationError)
    try:
        with xr.open_dataset(path, engine="h5netcdf") as lazy:
            dataset = lazy.load()
    except Exception as error:  # the reader raises whatever a damaged file provokes in HDF5
        msg = f"{path}: not a NetCDF file, or a truncated one: {error}"
        raise SimulationError(msg) from error
    if dataset.attrs.get("kind") != KIND:
        msg = f"{path}: expected kind {KIND!r}, found {dataset.attrs.get('kind')!r}"
        raise SimulationError(msg)
    schema = dataset.attrs.get("schema", 0)
    if not isinstance(schema, int | np.integer) or schema != SCHEMA:
        msg = f"{path}: sweep of schema {schema}; this version of snncircuit reads schema {SCHEMA}"
        raise SimulationError(msg)
    return dataset


def _with_energy(dataset: xr.Dataset, by_supply: list[dict[str, dict[str, float]]]) -> xr.Dataset:
    supplies = list(dict.fromkeys(supply for point in by_supply for supply in point))
    terms = list(dict.fromkeys(term for point in by_supply for found in point.values() for term in found))
    joules = [
        [[point.get(supply, {}).get(term, np.nan) for term in terms] for supply in supplies]
        for point in by_supply
    ]
    shape = (len(by_supply), len(supplies), len(terms))
    dataset = dataset.assign_coords(
        supply=np.array(supplies, dtype=object), term=np.array(terms, dtype=object)
    )
    dataset["energy"] = (
        ("v_neg", "supply", "term"),
        np.array(joules, dtype=np.float64).reshape(shape),
        {"units": "J"},
    )
    return dataset
