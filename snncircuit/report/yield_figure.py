"""The figure of a yield: the score of all chips as a histogram, with the specification, and their energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snncircuit.report.style import BLACK, BLUE, ORANGE, VERMILLION, joule_scale, new_figure, plain

_BARS = 24
_SPEC = ("<=", ">=")


def plot_yield(found: Mapping[str, Any]) -> Figure:
    """Chips by score on the left, by energy on the right.

    Args:
        found: ``Yield.to_json``.
    """
    figure = new_figure(9.2, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    score = found["score"]
    percent = 100.0 if score == "accuracy" else 1.0
    step = percent / found["images"] if score == "accuracy" else None
    _histogram(left, found[score], percent, BLUE, step)
    left.set_xlabel("accuracy (%)" if score == "accuracy" else "mean squared error")
    factor, unit = joule_scale(found["energy"]["mean"])
    _histogram(right, found["energy"], factor, ORANGE, None)
    right.set_xlabel(f"energy per inference ({unit})")
    left.set_ylabel("chips")
    if found["spec"] is not None:
        if _figure_of(found) == score:
            _mark_specification(found, left, percent, step or 0.0)
        else:
            _mark_specification(found, right, factor, 0.0)
    for axes in (left, right):
        plain(axes)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.legend(
            frameon=False,
            fontsize=8,
            loc="upper left",
            bbox_to_anchor=(-0.03, 1.13),
            ncols=4,
            columnspacing=1.2,
        )
    figure.suptitle(_title(found), x=0.01, ha="left", fontsize=11)
    return figure


def _histogram(
    axes: Axes, distribution: Mapping[str, Any], factor: float, colour: str, step: float | None
) -> None:
    """``step``: the smallest difference of two values, where there is one."""
    values = factor * np.array(distribution["values"], dtype=float)
    if step is not None and np.ptp(values) <= _BARS * step:
        at, chips = np.unique(values.round(9), return_counts=True)
        axes.bar(at, chips, 0.8 * step, color=colour)
        axes.set_xlim(at.min() - 2 * step, at.max() + 2 * step)
    else:
        axes.hist(values, bins=_BARS, color=colour, edgecolor="white", linewidth=0.5)
    middle, spread = factor * distribution["mean"], factor * (distribution["sigma"] or 0.0)
    axes.axvline(middle, color=BLACK, linewidth=1.2, label="mean")
    if np.isfinite(spread) and spread > 0:
        axes.axvspan(
            middle - spread, middle + spread, color=BLACK, alpha=0.08, linewidth=0, zorder=0, label="± σ"
        )
    nominal = factor * distribution["nominal"]
    axes.axvline(nominal, color=BLACK, linestyle=":", linewidth=1.5, label="no mismatch")


def _figure_of(found: Mapping[str, Any]) -> str:
    return "" if found["spec"] is None else str(found["spec"]).split("<=")[0].split(">=")[0]


def _mark_specification(found: Mapping[str, Any], axes: Axes, factor: float, step: float) -> None:
    """At the limit; half a step before it where values come in steps, so that the line is between those that meet it and the others."""
    least = ">=" in found["spec"]
    limit = factor * float(found["spec"].split(_SPEC[least])[1])
    limit += step / 2 * (-1 if least else 1)
    low, high = axes.get_xlim()
    margin = 0.04 * (max(high, limit) - min(low, limit))
    low, high = min(low, limit - margin), max(high, limit + margin)
    axes.axvline(limit, color=VERMILLION, linewidth=1.6, label="specification")
    failing = (low, limit) if least else (limit, high)
    axes.axvspan(*failing, color=VERMILLION, alpha=0.10, linewidth=0, zorder=0)
    axes.set_xlim(low, high)


def _title(found: Mapping[str, Any]) -> str:
    facts = (
        f"{found['network']}, {found['draws']} chips of {found['neuron']} neurons, {found['images']} images"
    )
    if found["spec"] is None:
        return facts
    low, high = found["yield_ci"]
    return f"{facts}: {100 * found['yield']:.1f} % meet {found['spec']} (95 %: {100 * low:.1f} to {100 * high:.1f} %)"
