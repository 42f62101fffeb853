"""What is known after a run, its JSON object and its file."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from snncircuit.errors import SimulationError
from snncircuit.network.figures import LayerFigures
from snncircuit.network.outcome import Trace

SCHEMA = 1
BAD_RATE_RMSE = 0.05
"""A layer whose rates are further than this from the ANN's normalised activations is bad."""

Setting = str | int | float | bool | None
_FIGURES = (
    "spikes",
    "clipped_charge",
    "rate_rmse",
    "v_low",
    "v_high",
    "out_of_range",
    "out_of_range_fraction",
)
_SCORES = ("accuracy", "mse")
_TRACE = ("q_exc", "q_inh", "v_mem", "spikes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A simulated network.

    Attributes:
        engine: name of the engine that ran.
        score: ``accuracy`` (labels) or ``mse`` (images).
        by_step: the score after each step.
        ann_score: the same score of the ANN that was converted, on the same images.
        layers: layer name to its figures, in order.
        image_steps_per_second: images times steps over wall time.
        settings: network, neuron, steps, images, encoder, seed and whatever the caller adds (v_neg, hashes, …).
        rails: lowest and highest membrane that the supplies allow, thresholds above rest; None for ideal neurons.
        traces: layer name to the traces that were asked for.
    """

    engine: str
    score: str
    by_step: tuple[float, ...]
    ann_score: float
    layers: Mapping[str, LayerFigures]
    image_steps_per_second: float
    settings: Mapping[str, Setting] = field(default_factory=dict)
    rails: tuple[float, float] | None = None
    traces: Mapping[str, Trace] = field(default_factory=dict, compare=False)

    @property
    def first_bad_layer(self) -> str | None:
        """The first layer whose rates are not those of the ANN, or None."""
        return next((name for name, layer in self.layers.items() if layer.rate_rmse > BAD_RATE_RMSE), None)

    @property
    def energy_terms(self) -> dict[str, float]:
        """J per inference of each term, over all layers and supplies."""
        return _sum_by((term, joule) for _, _, term, joule in self.energies())

    @property
    def energy_by_layer(self) -> dict[str, dict[str, float]]:
        """J per inference of each supply of each layer."""
        return {
            name: _sum_by((supply, joule) for layer, supply, _, joule in self.energies() if layer == name)
            for name, figures in self.layers.items()
            if figures.energy
        }

    @property
    def energy(self) -> float | None:
        """J per inference; None for neurons without energy."""
        return sum(self.energy_terms.values()) if self.energy_terms else None

    def energies(self) -> Iterator[tuple[str, str, str, float]]:
        """Layer, supply, term and J per inference of every contribution."""
        for name, figures in self.layers.items():
            for supply, terms in figures.energy.items():
                for term, joule in terms.items():
                    yield name, supply, term, joule

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints: plain dicts, lists, numbers and None; SI units and thresholds."""
        total = sum(figures.out_of_range for figures in self.layers.values())
        worst = max(figures.out_of_range_fraction for figures in self.layers.values())
        scores: dict[str, Any] = {}
        for score in _SCORES:
            own = score == self.score
            scores[score] = self.by_step[-1] if own else None
            scores[f"ann_{score}"] = self.ann_score if own else None
            scores[f"{score}_by_step"] = list(self.by_step) if own else None
        return {
            "engine": self.engine,
            **scores,
            "spikes": self._figure("spikes"),
            "clipped_charge": self._figure("clipped_charge"),
            "rate_rmse": self._figure("rate_rmse"),
            "first_bad_layer": self.first_bad_layer,
            "energy": self.energy,
            "energy_terms": self.energy_terms,
            "energy_by_layer": self.energy_by_layer,
            "out_of_range": total,
            "out_of_range_fraction": worst,
            "v_low": self._figure("v_low"),
            "v_high": self._figure("v_high"),
            "headroom": self.headroom,
            "image_steps_per_second": self.image_steps_per_second,
            "settings": dict(self.settings),
        }

    @property
    def headroom(self) -> dict[str, dict[str, float]] | None:
        """Distance of each layer's lowest and highest membrane to the rails, thresholds; None without rails."""
        if self.rails is None:
            return None
        low, high = self.rails
        return {
            name: {"low": figures.v_low - low, "high": high - figures.v_high}
            for name, figures in self.layers.items()
        }

    def _figure(self, name: str) -> dict[str, Any]:
        return {layer: getattr(figures, name) for layer, figures in self.layers.items()}

    def save(self, path: Path | str) -> None:
        """Write a NetCDF file, all of it or nothing."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        _to_dataset(self).to_netcdf(part, engine="h5netcdf")
        part.replace(path)


def load_run(path: Path | str) -> Run:
    """Read back what ``Run.save`` wrote.

    Raises:
        SimulationError: a file that is missing, damaged, of another kind or of a newer schema.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"{path}: no such file; expected a Run written by snncircuit run -o"
        raise SimulationError(msg)
    try:
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            dataset.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
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
    except (KeyError, ValueError, TypeError) as error:
        msg = f"{path}: a Run that lacks what schema {schema} has: {error}"
        raise SimulationError(msg) from error


def _sum_by(pairs: Iterator[tuple[str, float]]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for key, value in pairs:
        sums[key] += value
    return dict(sums)


def _to_dataset(run: Run) -> xr.Dataset:
    names = list(run.layers)
    dataset = xr.Dataset(
        {name: ("layer", [getattr(figures, name) for figures in run.layers.values()]) for name in _FIGURES},
        coords={"layer": names, "step": np.arange(1, len(run.by_step) + 1)},
        attrs={
            "kind": "snncircuit run",
            "schema": SCHEMA,
            "engine": run.engine,
            "score": run.score,
            "ann_score": run.ann_score,
            "image_steps_per_second": run.image_steps_per_second,
            "settings": json.dumps(dict(run.settings)),
            "rails": json.dumps(run.rails),
        },
    )
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
        for signal in _TRACE:
            dataset[f"{name}_{signal}"] = (("step", "image", neurons), getattr(trace, signal))
    return dataset


def _from_dataset(dataset: xr.Dataset) -> Run:
    layers = {}
    for index, name in enumerate(dataset["layer"].values.tolist()):
        figures = {figure: dataset[figure].values[index].item() for figure in _FIGURES}
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
        layers=layers,
        image_steps_per_second=float(dataset.attrs["image_steps_per_second"]),
        settings=json.loads(dataset.attrs["settings"]),
        rails=None if rails is None else (rails[0], rails[1]),
        traces={name: _trace(dataset, name) for name in layers if f"{name}_neuron" in dataset.coords},
    )


def _trace(dataset: xr.Dataset, name: str) -> Trace:
    signals = {signal: dataset[f"{name}_{signal}"].values for signal in _TRACE}
    return Trace(neurons=tuple(dataset[f"{name}_neuron"].values.tolist()), **signals)
