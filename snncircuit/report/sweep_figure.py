"""The figure of a sweep: what the negative supply does to the answer, and what it costs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter
from numpy.typing import NDArray

from snncircuit.report.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    joule_scale,
    new_figure,
    plain,
)

Array = NDArray[np.float64]
_SMALL = 0.02  # share of the largest total below which the standing energies of supplies are shown as one
_STANDING = ("static", "crowbar")
_STANDING_COLOURS = (GREEN, "#7FCEB5", "#004D38", "#B8D8CC", "#4F7F70")
_WIDEST = 0.3  # V, of a bar
_LEAST_POINTS = 1.0  # height of the accuracy axis, so that rounding does not look like an effect
_LOG_ABOVE = 5.0  # ratio of the largest to the smallest error from which a log axis is easier to read


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One part of the stacked energy: J per inference at each v_neg."""

    label: str
    colour: str
    joules: Array


def plot_sweep(dataset: xr.Dataset) -> Figure:
    """Score above, energy below, both against the negative supply.

    Args:
        dataset: see ``snncircuit.study.sweep_dataset``.
    """
    settings = json.loads(dataset.attrs["settings"])
    figure = new_figure(8.2, 7.4)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.15])
    _draw_score(top, dataset, str(settings.get("neuron", "circuit")))
    _draw_energy(bottom, dataset, settings)
    v_neg = dataset["v_neg"].values
    bottom.set_xlabel("negative supply VNEG (V)")
    bottom.set_xlim(*_limits(v_neg))
    bottom.set_xticks(v_neg if len(v_neg) <= 13 else v_neg[:: -(-len(v_neg) // 12)])
    _mark_thresholds(top, dataset)
    figure.suptitle(_title(dataset, settings), x=0.01, ha="left", fontsize=11)
    return figure


def shares(dataset: xr.Dataset, efficiency: float | None = None) -> list[Share]:
    """The parts of the energy, from the bottom of the stack to its top; they add up to the whole.

    Standing energies (static and crowbar) stand for each supply by itself, all others are summed over the supplies.
    """
    energy = dataset["energy"].fillna(0.0)
    if energy.size == 0:
        return []
    joules: dict[str, Array] = {
        str(term): energy.sel(term=term).sum("supply").values for term in energy["term"].values
    }
    parts = [
        ("spikes", "spikes", VERMILLION),
        ("synaptic", "synaptic charge", ORANGE),
    ]
    found = [
        Share(label=label, colour=colour, joules=joules[term])
        for term, label, colour in parts
        if term in joules
    ]
    found += _standing(energy)
    pump = "pump losses" if efficiency is None else f"pump losses (η = {efficiency:g})"
    for term, label, colour in (("reset_drive", "reset drive, clocks", PURPLE), ("pump", pump, SKY)):
        if term in joules:
            found.append(Share(label=label, colour=colour, joules=joules[term]))
    known = {"spikes", "synaptic", *_STANDING, "reset_drive", "pump"}
    rest = [value for term, value in joules.items() if term not in known]
    if rest:
        found.append(Share(label="other", colour=GREY, joules=np.sum(rest, axis=0)))
    return [share for share in found if np.abs(share.joules).max() > 0]


def _standing(energy: xr.DataArray) -> list[Share]:
    terms = [term for term in _STANDING if term in energy["term"].values]
    by_supply = energy.sel(term=terms).sum("term")
    least = _SMALL * float(energy.sum(("supply", "term")).max())
    large: list[tuple[str, Array]] = []
    small: list[tuple[str, Array]] = []
    for supply in by_supply["supply"].values:
        joules = by_supply.sel(supply=supply).values
        if np.abs(joules).max() > 0:
            (large if np.abs(joules).max() >= least else small).append((str(supply), joules))
    large.sort(key=lambda entry: -float(np.abs(entry[1]).max()))
    kept, more = large[: len(_STANDING_COLOURS) - 1], large[len(_STANDING_COLOURS) - 1 :]
    found = [
        Share(label=f"static, crowbar: {name}", colour=colour, joules=joules)
        for (name, joules), colour in zip(kept, _STANDING_COLOURS, strict=False)
    ]
    others = [*more, *small]
    if others:
        label = "static, crowbar: " + (others[0][0] if len(others) == 1 else f"{len(others)} others")
        found.append(
            Share(label=label, colour=_STANDING_COLOURS[-1], joules=np.sum([j for _, j in others], axis=0))
        )
    return found


def _draw_score(axes: Axes, dataset: xr.Dataset, name: str) -> None:
    score = str(dataset.attrs["score"])
    percent = 100.0 if score == "accuracy" else 1.0
    v_neg = dataset["v_neg"].values
    ideal = percent * dataset[score].sel(neuron="ideal").values
    circuit = percent * dataset[score].sel(neuron="circuit").values
    ann = percent * float(dataset.attrs["ann_score"])
    axes.axhline(ann, color=GREY, linestyle=":", linewidth=1.5, label="ANN")
    axes.plot(
        v_neg,
        ideal,
        color=BLACK,
        linestyle="--",
        marker="o",
        markerfacecolor="white",
        label="ideal neuron, bound at VNEG",
    )
    axes.plot(v_neg, circuit, color=BLUE, linewidth=2, marker="o", label=f"{name} (circuit)")
    axes.set_ylabel("accuracy (%)" if score == "accuracy" else "mean squared error")
    values = np.array([*ideal, *circuit, ann])
    if score == "mse" and values.min() > 0 and values.max() > _LOG_ABOVE * values.min():
        _log_axis(axes, values)
    elif score == "accuracy" and np.ptp(values) < _LEAST_POINTS:
        middle = (values.max() + values.min()) / 2
        axes.set_ylim(middle - 0.6 * _LEAST_POINTS, middle + 0.6 * _LEAST_POINTS)
    axes.legend(frameon=False, loc="best")
    plain(axes)


def _log_axis(axes: Axes, values: Array) -> None:
    axes.set_yscale("log")
    axes.set_ylim(0.8 * values.min(), 1.25 * values.max())
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.ticklabel_format(axis="y", style="plain")


def _draw_energy(axes: Axes, dataset: xr.Dataset, settings: dict[str, Any]) -> None:
    stack = shares(dataset, settings.get("pump_efficiency"))
    if not stack:
        axes.text(0.5, 0.5, "this neuron has no energies", transform=axes.transAxes, ha="center", color=GREY)
        axes.set_yticks([])
        plain(axes)
        return
    v_neg = dataset["v_neg"].values
    total = np.sum([share.joules for share in stack], axis=0)
    factor, unit = joule_scale(float(np.abs(total).max()))
    width = min(0.7 * _spacing(v_neg), _WIDEST)
    above, below = np.zeros(len(v_neg)), np.zeros(len(v_neg))
    for share in stack:
        height = factor * share.joules
        base = np.where(height >= 0, above, below)
        axes.bar(
            v_neg,
            height,
            width,
            bottom=base,
            color=share.colour,
            label=share.label,
            edgecolor="white",
            linewidth=0.4,
        )
        above, below = above + height.clip(min=0), below + height.clip(max=0)
    handles, labels = axes.get_legend_handles_labels()
    handles, labels = handles[::-1], labels[::-1]
    if below.min() < 0:
        # A part below zero lowers the total below the top of the stack.
        axes.axhline(0, color=BLACK, linewidth=0.8)
        (total_mark,) = axes.plot(
            v_neg, factor * total, linestyle="none", marker="_", markersize=14, markeredgewidth=2, color=BLACK
        )
        handles, labels = [total_mark, *handles], ["total", *labels]
    axes.legend(handles, labels, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.set_ylabel(f"energy per inference ({unit})")
    axes.yaxis.set_minor_locator(AutoMinorLocator())
    plain(axes)


def _mark_thresholds(axes: Axes, dataset: xr.Dataset) -> None:
    """The same supply in thresholds, along the top."""
    v_neg, v_lb = dataset["v_neg"].values, dataset["v_lb"].values
    if v_neg.min() == 0:
        return
    per_volt = float(v_lb[np.argmin(v_neg)] / v_neg.min())
    above = axes.secondary_xaxis(
        "top", functions=(lambda v: np.multiply(v, per_volt), lambda v: np.divide(v, per_volt))
    )
    bounds = MaxNLocator(6).tick_values(float(v_lb.min()), 0.0)
    above.set_xticks([bound for bound in bounds if 1.02 * v_lb.min() <= bound <= 0])
    above.set_xlabel("bound of the membrane (thresholds)", fontsize=9)
    above.tick_params(labelsize=9)


def _limits(v_neg: Array) -> tuple[float, float]:
    margin = min(0.6 * _spacing(v_neg), _WIDEST)
    return float(v_neg.max()) + margin, float(v_neg.min()) - margin


def _spacing(v_neg: Array) -> float:
    return float(np.abs(np.diff(v_neg)).min()) if len(v_neg) > 1 else 0.2


def _title(dataset: xr.Dataset, settings: dict[str, Any]) -> str:
    facts = [
        f"{settings.get('images')} images",
        f"{dataset.sizes['step']} steps",
        f"{settings.get('encoder')} input",
    ]
    if settings.get("corner") is not None and settings.get("temperature") is not None:
        facts += [str(settings["corner"]), f"{float(settings['temperature']):g} °C"]
    return f"{settings.get('network')} with {settings.get('neuron', 'circuit')} neurons: {', '.join(facts)}"
