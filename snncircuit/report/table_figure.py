"""The figure of a transfer table: what a step does to the membrane, when it fires, what it leaks and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, SymLogNorm
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
_SUPPLY_COLOURS = (BLUE, VERMILLION, ORANGE, PURPLE, GREEN, SKY, BLACK, GREY)
_FINE = 241  # points of a curve
_RATE_STEPS = 200
_LEAST_SHOWN = 1e-3  # of the largest energy: supplies that never reach it are only counted


def plot_table(table: TransferTable) -> Figure:
    """Eight views of a table at nominal corner and temperature; curves are coloured by v_neg, single ones show the deepest."""
    points = _at_nominal(table)
    deepest = points[-1]
    figure = new_figure(17.5, 7.6)
    axes = figure.subplots(2, 4)
    colours = [colormaps["viridis"](0.9 * k / max(len(points) - 1, 1)) for k in range(len(points))]
    _draw_map(figure, axes[0, 0], deepest)
    _draw_edges(axes[0, 1], points, colours)
    _draw_leak(axes[0, 2], points, colours)
    _draw_lowest(axes[0, 3], points, colours)
    _draw_rate(axes[1, 0], axes[1, 1], points, colours)
    _draw_energies(axes[1, 2], points, colours)
    _draw_energy(axes[1, 3], deepest)
    _draw_key(figure, axes[0, 3], points, colours)
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
    nominal = table.nominal_points()
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
    bar.set_label("membrane after the step − ideal (% of threshold)")
    axes.set_xlabel("membrane before the step (thresholds)")
    axes.set_ylabel("net charge (thresholds)")
    _title(axes, f"beyond the ideal neuron, VNEG {_label(table)}")


def _draw_leak(axes: Axes, points: Sequence[OperatingTable], colours: Sequence[Colour]) -> None:
    for table, colour in zip(points, colours, strict=True):
        v = np.linspace(table.figures["v_low"], 0.99, _FINE)
        drift = lookup.step(table, v, 0.0, 0.0).v_mem - v
        axes.plot(v, 100 * drift, color=colour)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_xlabel("membrane (thresholds)")
    axes.set_ylabel("drift in a step (% of threshold)")
    _title(axes, "leak: a step without input")
    plain(axes)


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
        axes.plot(table.start, 100 * (table.edge[0, :, 0] - 1), color=colour, marker=".")
        last = len(table.q_common) - 1
        axes.plot(table.start, 100 * (table.edge[0, :, last] - 1), color=colour, linestyle=":", marker=".")
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_xlim(right=min(axes.get_xlim()[1], 2.0))
    axes.set_xlabel("membrane before the step (thresholds)")
    axes.set_ylabel("firing edge − 1 (% of threshold)")
    both = points[-1].q_common[-1]
    _title(axes, f"firing edge; dotted: with {both:g} of both signs")
    plain(axes)


def _draw_rate(
    axes: Axes, departure: Axes, points: Sequence[OperatingTable], colours: Sequence[Colour]
) -> None:
    charge = np.linspace(0.0, 1.2, 61)
    axes.plot(charge, charge.clip(max=1.0), color=GREY, linestyle="--", label="ideal")
    departure.axhline(0, color=GREY, linestyle="--")
    below = charge < 1
    for table, colour in zip(points, colours, strict=True):
        rate, absorbed = firing_rate(table, charge)
        axes.plot(charge, rate, color=colour)
        departure.plot(charge[below], 100 * (absorbed - charge)[below], color=colour)
    for view in (axes, departure):
        view.set_xlabel("constant excitation (thresholds per step)")
        plain(view)
    axes.set_ylabel("rate (spikes per step)")
    departure.set_ylabel("rate − ideal rate (% of full rate)")
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    _title(axes, "f–I curve")
    _title(departure, "f–I curve beside the ideal one")


def _draw_energies(axes: Axes, points: Sequence[OperatingTable], colours: Sequence[Colour]) -> None:
    curves = []
    for table in points:
        v = np.linspace(table.figures["v_low"], 0.999, _FINE)
        curves.append((v, lookup.step(table, v, 0.0, 0.0).energy.sum(axis=0)))
    factor, unit = joule_scale(max(float(np.abs(joules).max()) for _, joules in curves))
    for (v, joules), colour in zip(curves, colours, strict=True):
        axes.plot(v, factor * joules, color=colour)
    axes.set_xlabel("membrane (thresholds)")
    axes.set_ylabel(f"energy of a step without input ({unit})")
    _title(axes, "energy from all supplies")
    plain(axes)


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
    _title(axes, f"from each supply, VNEG {_label(table)}")
    plain(axes)


def _label(table: OperatingTable) -> str:
    return f"{table.point['v_neg']:g} V".replace("-", "−")


def _draw_key(
    figure: Figure, axes: Axes, points: Sequence[OperatingTable], colours: Sequence[Colour]
) -> None:
    """Which colour is which v_neg, beside the views."""
    bounds = np.arange(len(points) + 1) - 0.5
    colour_of = ScalarMappable(BoundaryNorm(bounds, len(points)), ListedColormap(list(colours)))
    bar = figure.colorbar(colour_of, ax=axes)
    stride = -(-len(points) // 12)
    shown = range(0, len(points), stride)
    bar.set_ticks([float(k) for k in shown], labels=[_label(points[k]) for k in shown])
    bar.ax.invert_yaxis()
    bar.minorticks_off()
    bar.set_label("VNEG")


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=10)
