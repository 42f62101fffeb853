"""The figure of an error budget: what each rung of the ladder does to the score and to the energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
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
    YELLOW,
    joule_scale,
    new_figure,
    plain,
)

Array = NDArray[np.float64]
_LAYERS = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW, VERMILLION, GREY)
_ROOM = 0.25  # of the range, above and below, for the numbers at the bars
_LEAST_POINTS = 0.2  # of accuracy in the axis, so that nothing does not look like an effect


def plot_ladder(found: Mapping[str, Any]) -> Figure:
    """Score and energy as waterfalls, below them the change of each layer's energy.

    Args:
        found: ``Ladder.to_json`` with the names ``network`` and ``neuron``.
    """
    rungs: Sequence[Mapping[str, Any]] = found["rungs"]
    figure = new_figure(9.6, 8.6)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[1.15, 1, 1])
    score = found["score"]
    percent = 100.0 if score == "accuracy" else 1.0
    values = percent * np.array([rung[score] for rung in rungs])
    better = 1.0 if score == "accuracy" else -1.0
    _waterfall(top, values, better, _number(score), _LEAST_POINTS if score == "accuracy" else 0.0)
    ann = percent * found[f"ann_{score}"]
    low, high = top.get_ylim()
    margin = 0.05 * (high - low)
    top.set_ylim(min(low, ann - margin), max(high, ann + margin))
    top.axhline(ann, color=GREY, linestyle=":", linewidth=1.5, label="ANN")
    top.legend(frameon=False, loc="upper left")
    top.set_ylabel("accuracy (%)" if score == "accuracy" else "mean squared error")
    joules = np.array([rung["energy"] for rung in rungs])
    factor, unit = joule_scale(float(np.abs(joules).max()))
    _waterfall(middle, factor * joules, -1.0, "{:+.3g}", 0.0)
    middle.set_ylabel(f"energy per\ninference ({unit})")
    _layers(bottom, rungs)
    bottom.set_xticks(range(len(rungs)), [str(rung["name"]).replace(" ", "\n") for rung in rungs])
    settings = found["settings"]
    figure.suptitle(
        f"{found['network']}, from ideal to {found['neuron']} neurons at VNEG {settings['v_neg']:g} V: "
        f"{settings['images']} images, {settings['steps']} steps",
        x=0.01,
        ha="left",
        fontsize=11,
    )
    return figure


def _number(score: str) -> str:
    return "{:+.2f}" if score == "accuracy" else "{:+.1e}"


def _waterfall(axes: Axes, values: Array, better: float, form: str, least: float) -> None:
    """From rung to rung; ``better`` is the sign of a change for the better."""
    span = max(float(np.ptp(values)), least, 1e-9 * float(np.abs(values).max()), 1e-30)
    axes.set_ylim(values.min() - _ROOM * span, values.max() + _ROOM * span)
    axes.plot([-0.4, 0.4], [values[0]] * 2, color=BLACK, linewidth=2)
    axes.annotate(
        f"{values[0]:.4g}", (0, values[0]), (0, 4), textcoords="offset points", ha="center", fontsize=8
    )
    for place in range(1, len(values)):
        before, after = float(values[place - 1]), float(values[place])
        change = after - before
        colour = GREY if change == 0 else GREEN if change * better > 0 else VERMILLION
        axes.plot([place - 0.6, place + 0.4], [before] * 2, color=GREY, linewidth=0.8)
        axes.bar(place, change, 0.8, bottom=before, color=colour)
        axes.plot([place - 0.4, place + 0.4], [after] * 2, color=BLACK, linewidth=1.2)
        up = change >= 0
        axes.annotate(
            form.format(change),
            (place, after),
            (0, 4 if up else -4),
            textcoords="offset points",
            ha="center",
            va="bottom" if up else "top",
            fontsize=8,
        )
    last = len(values) - 1
    axes.annotate(
        f"{values[-1]:.4g}",
        (last + 0.42, values[-1]),
        (3, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )
    axes.set_xlim(-0.6, last + 0.95)
    plain(axes)


def _layers(axes: Axes, rungs: Sequence[Mapping[str, Any]]) -> None:
    """The change of each layer's energy, stacked away from 0."""
    layers = list(rungs[0]["energy_by_layer"])
    changes = np.array([[rung["energy_delta_by_layer"][layer] for layer in layers] for rung in rungs])
    largest = float(np.abs(changes).max()) if changes.size else 0.0
    factor, unit = joule_scale(largest or 1.0)
    above, below = np.zeros(len(rungs)), np.zeros(len(rungs))
    for number, layer in enumerate(layers):
        height = factor * changes[:, number]
        axes.bar(
            range(len(rungs)),
            height,
            0.8,
            bottom=np.where(height >= 0, above, below),
            color=_LAYERS[number % len(_LAYERS)],
            label=layer,
            edgecolor="white",
            linewidth=0.4,
        )
        above, below = above + height.clip(min=0), below + height.clip(max=0)
    axes.axhline(0, color=BLACK, linewidth=0.8)
    axes.use_sticky_edges = False
    axes.margins(y=0.08)
    axes.set_ylabel(f"change of each\nlayer's energy ({unit})")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    plain(axes)
