"""The file of a Run: NetCDF 4, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from snncircuit.errors import SimulationError
from snncircuit.network.figures import LayerFigures
from snncircuit.network.live import live_traces, live_variables
from snncircuit.network.outcome import SIGNALS, Trace
from snncircuit.network.run import Run
from snncircuit.table.header import check_header
from snncircuit.table.netcdf import write_netcdf

SCHEMA = 2
_FIGURES = (
    "spikes",
    "clipped_charge",
    "rate_rmse",
    "v_low",
    "v_high",
    "out_of_range",
    "out_of_range_fraction",
)
_SINCE_2 = ("grid", "rounding")


def save_run(run: Run, path: Path | str) -> None:
    """Write a NetCDF file, all of it or nothing.

    Raises:
        SimulationError: when the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_netcdf(_to_dataset(run), path)
    except OSError as error:
        msg = f"cannot write Run {path}: {error.strerror or error}"
        raise SimulationError(msg) from error


def load_run(path: Path | str) -> Run:
    """Read back what ``save_run`` wrote; a Run of an older schema lacks what was added since.

    Raises:
        SimulationError: a file that is missing, damaged, of another kind or of a newer schema.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"{path}: no such file; expected a Run written by snncircuit run -o"
        raise SimulationError(msg)
    check_header(path, SimulationError)
    try:
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            dataset.load()
    except Exception as error:  # the reader raises whatever a damaged file provokes in HDF5
        msg = f"{path}: not a NetCDF file, or a truncated one: {error}"
        raise SimulationError(msg) from error
    if dataset.attrs.get("kind") != "snncircuit run":
        msg = f"{path}: expected kind 'snncircuit run', found {dataset.attrs.get('kind')!r}"
        raise SimulationError(msg)
    schema = dataset.attrs.get("schema")
    if not isinstance(schema, int | np.integer) or not 1 <= schema <= SCHEMA:
        msg = f"{path}: Run of schema {schema}; this snncircuit reads 1 to {SCHEMA}"
        raise SimulationError(msg)
    try:
        return _from_dataset(dataset)
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        msg = f"{path}: a Run that lacks what schema {schema} has: {error}"
        raise SimulationError(msg) from error


def _to_dataset(run: Run) -> xr.Dataset:
    names = list(run.layers)
    dataset = xr.Dataset(
        {
            name: ("layer", [getattr(figures, name) for figures in run.layers.values()])
            for name in (*_FIGURES, *_SINCE_2)
        },
        coords={"layer": names, "step": np.arange(1, len(run.by_step) + 1)},
        attrs={
            "kind": "snncircuit run",
            "schema": SCHEMA,
            "engine": run.engine,
            "score": run.score,
            "ann_score": run.ann_score,
            "ann_score_quantised": json.dumps(run.ann_score_quantised),
            "image_steps_per_second": run.image_steps_per_second,
            "settings": json.dumps(dict(run.settings)),
            "rails": json.dumps(run.rails),
        },
    )
    dataset["steps_used"] = ("image", np.array(run.steps_used, dtype=np.int64))
    dataset[f"{run.score}_by_step"] = ("step", np.array(run.by_step))
    energies = list(run.energies())
    if energies:
        supplies = list(dict.fromkeys(supply for _, supply, _, _ in energies))
        terms = list(dict.fromkeys(term for _, _, term, _ in energies))
        joules = np.full((len(names), len(supplies), len(terms)), np.nan)  # NaN: no such contribution
        for name, supply, term, joule in energies:
            joules[names.index(name), supplies.index(supply), terms.index(term)] = joule
        dataset = dataset.assign_coords(supply=supplies, term=terms)
        dataset["energy"] = (("layer", "supply", "term"), joules, {"units": "J"})
    for name, trace in run.traces.items():
        neurons = f"{name}_neuron"
        dataset = dataset.assign_coords({neurons: np.array(trace.neurons, dtype=np.int64)})
        for signal in SIGNALS:
            dataset[f"{name}_{signal}"] = (("step", "image", neurons), getattr(trace, signal))
    for live in run.live:
        dataset = dataset.assign(live_variables(live))
    return dataset


def _from_dataset(dataset: xr.Dataset) -> Run:
    layers = {}
    for index, name in enumerate(dataset["layer"].values.tolist()):
        known = [*_FIGURES, *(figure for figure in _SINCE_2 if figure in dataset)]
        figures = {figure: dataset[figure].values[index].item() for figure in known}
        energy: dict[str, dict[str, float]] = {}
        if "energy" in dataset:
            for supply in dataset["supply"].values.tolist():
                of_supply = dataset["energy"].sel(supply=supply).values[index]
                terms = zip(dataset["term"].values.tolist(), of_supply.tolist(), strict=True)
                found = {term: joule for term, joule in terms if not np.isnan(joule)}
                if found:
                    energy[supply] = found
        layers[name] = LayerFigures(**figures, energy=energy)
    score = str(dataset.attrs["score"])
    rails = json.loads(dataset.attrs["rails"])
    return Run(
        engine=str(dataset.attrs["engine"]),
        score=score,
        by_step=tuple(dataset[f"{score}_by_step"].values.tolist()),
        ann_score=float(dataset.attrs["ann_score"]),
        ann_score_quantised=json.loads(dataset.attrs.get("ann_score_quantised", "null")),
        layers=layers,
        steps_used=tuple(dataset["steps_used"].values.tolist()) if "steps_used" in dataset else (),
        image_steps_per_second=float(dataset.attrs["image_steps_per_second"]),
        settings=json.loads(dataset.attrs["settings"]),
        rails=None if rails is None else (rails[0], rails[1]),
        traces={name: _trace(dataset, name) for name in layers if f"{name}_neuron" in dataset.coords},
        live=live_traces(dataset),
    )


def _trace(dataset: xr.Dataset, name: str) -> Trace:
    signals = {signal: dataset[f"{name}_{signal}"].values for signal in SIGNALS}
    return Trace(neurons=tuple(dataset[f"{name}_neuron"].values.tolist()), **signals)
