"""The figure of a transfer table: what a step does to the membrane, when it fires, what it leaks and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from snncircuit import lookup
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
from snncircuit.table import OperatingTable, TransferTable

Array = NDArray[np.float64]
Colour = tuple[float, float, float, float]
_NOMINAL = {"corner": "tt", "temperature": 27.0}
_SUPPLY_COLOURS = (BLUE, VERMILLION, ORANGE, PURPLE, GREEN, SKY, BLACK, GREY)
_FINE = 241  # points of a curve
_RATE_STEPS = 200
_LEAST_SHOWN = 1e-3  # of the largest energy: supplies that never reach it are only counted


def plot_table(table: TransferTable) -> Figure:
    """Six views of a table; curves are coloured by v_neg, single maps show the deepest one, at nominal corner and temperature."""
    points = _at_nominal(table)
    deepest = points[-1]
    figure = new_figure(14.2, 7.6)
    axes = figure.subplots(2, 3)
    colours = [colormaps["viridis"](0.9 * k / max(len(points) - 1, 1)) for k in range(len(points))]
    _draw_map(figure, axes[0, 0], deepest)
    _draw_leak(axes[0, 1], points, colours)
    _draw_lowest(axes[0, 2], points, colours)
    _draw_edges(axes[1, 0], points, colours)
    _draw_rate(axes[1, 1], points, colours)
    _draw_energy(axes[1, 2], deepest)
    point = deepest.point
    figure.suptitle(
        f"{table.name}: one step of {1e6 * deepest.step:g} µs, threshold {deepest.figures['threshold']:.3f} V and "
        f"{1e15 * deepest.figures['threshold_charge']:.0f} fC, {point['corner']}, {point['temperature']:g} °C, "
        f"VDD {point['v_dd']:g} V",
        x=0.01,
        ha="left",
        fontsize=12,
    )
    return figure


def residual_map(table: OperatingTable) -> tuple[Array, Array, Array]:
    """What a step does beyond the ideal unbounded neuron.

    Returns:
        Membrane at the start (thresholds, shape (V,)), net charge (thresholds, shape (Q,)) and v_next - (x - spikes), shape (Q, V).
    """
    v = np.linspace(table.figures["v_low"], min(table.figures["v_high"], 1.2), _FINE)
    q = np.linspace(-min(table.figures["net_inh"], 2.0), min(table.figures["net_exc"], 2.0), _FINE)
    start, net = np.meshgrid(v, q)
    answer = lookup.step(table, start, net.clip(min=0), -net.clip(max=0) / table.figures["gain_inh"])
    return v, q, answer.v_mem - (start + net - answer.spikes)


def firing_rate(table: OperatingTable, charge: Array, n_steps: int = _RATE_STEPS) -> tuple[Array, Array]:
    """The answer to a constant excitatory charge (thresholds per step) from rest.

    Returns:
        Spikes per step, and the same with the charge that is left on the membrane counted as the fraction of a spike, which for
        the ideal neuron is the charge itself up to 1; both of the charge's shape.
    """
    v, spikes = np.zeros_like(charge), np.zeros_like(charge)
    for _ in range(n_steps):
        answer = lookup.step(table, v, charge, 0.0)
        v, spikes = answer.v_mem, spikes + answer.spikes
    return spikes / n_steps, (spikes + v) / n_steps


def _at_nominal(table: TransferTable) -> list[OperatingTable]:
    """The operating points along v_neg, from 0 downwards, at nominal conditions or at the first ones measured."""
    points = table.points()
    nominal = [p for p in points if all(p[axis] == value for axis, value in _NOMINAL.items())] or points
    fixed = ("corner", "temperature", "v_dd")
    chosen = [p for p in nominal if all(p[axis] == nominal[0][axis] for axis in fixed)]
    return [table.at(**p) for p in sorted(chosen, key=lambda p: -p["v_neg"])]


def _draw_map(figure: Figure, axes: Axes, table: OperatingTable) -> None:
    v, q, residual = residual_map(table)
    largest = max(100 * float(np.abs(residual).max()), 1.0)
    mesh = axes.pcolormesh(
        v,
        q,
        100 * residual,
        cmap="RdBu_r",
        norm=SymLogNorm(linthresh=0.1, vmin=-largest, vmax=largest),
        rasterized=True,
    )
    axes.plot(v, 1 - v, color=BLACK, linestyle="--", linewidth=1)
    axes.annotate(
        "fires above",
        (v[len(v) // 2], 1 - v[len(v) // 2]),
        xytext=(6, 4),
        textcoords="offset points",
        fontsize=9,
    )
    axes.set_ylim(q[0], q[-1])
    bar = figure.colorbar(mesh, ax=axes)
    bar.set_label("% of threshold")
    axes.set_xlabel("membrane before the step (thresholds)")
    axes.set_ylabel("net charge (thresholds)")
    _title(axes, f"membrane beyond the ideal neuron, VNEG {_label(table)}")


def _draw_leak(axes: Axes, points: Sequence[OperatingTable], colours: Sequence[Colour]) -> None:
    for table, colour in zip(points, colours, strict=True):
        v = np.linspace(table.figures["v_low"], 0.99, _FINE)
        drift = lookup.step(table, v, 0.0, 0.0).v_mem - v
        axes.plot(v, 100 * drift, color=colour, label=_label(table))
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_xlabel("membrane (thresholds)")
    axes.set_ylabel("drift in a step (% of threshold)")
    _title(axes, "leak: a step without input")
    plain(axes)
    _few_labels(axes)


def _draw_lowest(axes: Axes, points: Sequence[OperatingTable], colours: Sequence[Colour]) -> None:
    v_neg = np.array([float(table.point["v_neg"]) for table in points])
    lowest = np.array([table.figures["lowest_membrane"] for table in points])
    span = np.array([min(v_neg.min(), lowest.min()), 0.0])
    axes.plot(span, span, color=GREY, linestyle="--", label="VNEG itself")
    axes.plot(v_neg, lowest, color=BLACK, linewidth=1, zorder=1)
    axes.scatter(v_neg, lowest, c=list(colours), zorder=2, label="lowest membrane")
    axes.invert_xaxis()
    axes.set_xlabel("VNEG (V)")
    axes.set_ylabel("membrane (V)")
    axes.legend(frameon=False, fontsize=9)
    _title(axes, "lowest membrane that inhibition can reach")
    plain(axes)


def _draw_edges(axes: Axes, points: Sequence[OperatingTable], colours: Sequence[Colour]) -> None:
    for table, colour in zip(points, colours, strict=True):
        axes.plot(table.start, 100 * (table.edge[0, :, 0] - 1), color=colour, marker=".", label=_label(table))
        last = len(table.q_common) - 1
        axes.plot(table.start, 100 * (table.edge[0, :, last] - 1), color=colour, linestyle=":", marker=".")
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_xlim(right=min(axes.get_xlim()[1], 2.0))
    axes.set_xlabel("membrane before the step (thresholds)")
    axes.set_ylabel("firing edge − 1 (% of threshold)")
    both = points[-1].q_common[-1]
    _title(axes, f"firing edge; dotted: {both:g} thresholds of both signs at once")
    plain(axes)
    _few_labels(axes)


def _draw_rate(axes: Axes, points: Sequence[OperatingTable], colours: Sequence[Colour]) -> None:
    charge = np.linspace(0.0, 1.2, 61)
    axes.plot(charge, charge.clip(max=1.0), color=GREY, linestyle="--", label="ideal")
    departure = axes.inset_axes((0.6, 0.1, 0.38, 0.3))
    plain(departure)
    below = charge < 1
    for table, colour in zip(points, colours, strict=True):
        rate, absorbed = firing_rate(table, charge)
        axes.plot(charge, rate, color=colour, label=_label(table))
        departure.plot(charge[below], 100 * (absorbed - charge)[below], color=colour)
    departure.set_title("minus ideal (% of full rate)", fontsize=8)
    departure.tick_params(labelsize=8)
    axes.set_xlabel("constant excitation (thresholds per step)")
    axes.set_ylabel("rate (spikes per step)")
    _title(axes, "f–I curve")
    plain(axes)
    _few_labels(axes)


def _draw_energy(axes: Axes, table: OperatingTable) -> None:
    v = np.linspace(table.figures["v_low"], 0.999, _FINE)
    energy = lookup.step(table, v, 0.0, 0.0).energy
    factor, unit = joule_scale(max(float(np.abs(energy).max()), 1e-18))
    seen = [s for s in range(len(energy)) if np.abs(energy[s]).max() > _LEAST_SHOWN * np.abs(energy).max()]
    for colour, s in zip(
        _SUPPLY_COLOURS, sorted(seen, key=lambda s: -float(np.abs(energy[s]).max())), strict=False
    ):
        axes.plot(v, factor * energy[s], color=colour, label=table.supplies[s].name)
    axes.axhline(0, color=GREY, linewidth=0.8)
    hidden = len(energy) - len(axes.get_legend_handles_labels()[1])
    if hidden:
        axes.plot([], [], linestyle="none", label=f"{hidden} smaller")
    axes.set_xlabel("membrane (thresholds)")
    axes.set_ylabel(f"energy of a step without input ({unit})")
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    _title(axes, f"energy from each supply, VNEG {_label(table)}")
    plain(axes)


def _label(table: OperatingTable) -> str:
    return f"{table.point['v_neg']:g} V".replace("-", "−")


def _few_labels(axes: Axes) -> None:
    """A legend of the curves: all of them if they are few, otherwise the first, the last and some between."""
    handles, labels = axes.get_legend_handles_labels()
    stride = -(-len(handles) // 6)
    chosen = [k for k in range(len(handles)) if k % stride == 0 or k == len(handles) - 1]
    axes.legend(
        [handles[k] for k in chosen], [labels[k] for k in chosen], frameon=False, fontsize=9, title="VNEG"
    )


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=10)
