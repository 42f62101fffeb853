"""The figure of one neuron of an audit: its membrane in SPICE and in the run over each other, spikes above, charges below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from snncircuit.report.style import BLACK, BLUE, GREY, ORANGE, VERMILLION, new_figure, plain

Array = NDArray[np.float64]

ZOOM = 24
"""Steps of the worst stretch; a train that is not much longer is drawn once."""
_WHOLE = 40
_MICRO = 1e6
_SPIKE_APART = 0.2  # thresholds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Portrait:
    """One neuron over T steps.

    Attributes:
        title: which neuron.
        step: s.
        threshold: V above rest.
        rest: V.
        time: shape (n,), s, time points of SPICE.
        membrane: shape (n,), V, of SPICE.
        crossings: s, spikes of SPICE.
        v_mem: shape (T,), thresholds, of the run at the end of each step.
        spikes: shape (T,), of the run.
        error: shape (T,), thresholds, run minus SPICE at the end of each step.
        q_exc: shape (T,), thresholds.
        q_inh: shape (T,), thresholds, >= 0.
    """

    title: str
    step: float
    threshold: float
    rest: float
    time: Array
    membrane: Array
    crossings: Array
    v_mem: Array
    spikes: NDArray[np.int64]
    error: Array
    q_exc: Array
    q_inh: Array


def worst_stretch(error: Array, length: int = ZOOM) -> slice:
    """The ``length`` steps of the largest sum of squares, all steps when there are not more."""
    if error.size <= length:
        return slice(0, error.size)
    sums = np.convolve(error**2, np.ones(length), mode="valid")
    first = int(np.argmax(sums))
    return slice(first, first + length)


def plot_audit(portrait: Portrait) -> Figure:
    """All steps, and beside them the stretch of the largest differences when they are many."""
    n_steps = portrait.v_mem.size
    views = [slice(0, n_steps)]
    if n_steps > _WHOLE:
        views.append(worst_stretch(portrait.error))
    figure = new_figure(9.0 if len(views) == 1 else 16.0, 8.0)
    grid = figure.subplots(
        4, len(views), sharex="col", squeeze=False, gridspec_kw={"height_ratios": (0.7, 4, 1.6, 1.4)}
    )
    for column, view in zip(grid.T, views, strict=True):
        _draw_spikes(column[0], portrait)
        _draw_membrane(column[1], portrait, dense=view.stop - view.start > _WHOLE)
        _draw_charges(column[2], portrait)
        _draw_error(column[3], portrait)
        column[0].set_xlim(
            _MICRO * portrait.step * (view.start - 0.3), _MICRO * portrait.step * (view.stop + 0.3)
        )
        column[3].set_xlabel("time (µs)")
    grid[0, 0].set_title("all steps" if len(views) > 1 else "", loc="left", fontsize=10)
    if len(views) > 1:
        part = views[1]
        grid[0, 1].set_title(
            f"where they differ most: steps {part.start + 1} to {part.stop}", loc="left", fontsize=10
        )
        low, high = (_MICRO * portrait.step * k for k in (part.start, part.stop))
        for axes in grid[1:, 0]:
            axes.axvspan(low, high, color=GREY, alpha=0.12, linewidth=0)
        for axes in grid[:, 1]:
            axes.set_ylabel("")
    figure.align_ylabels(grid[:, 0])
    n_spice, n_run = portrait.crossings.size, int(portrait.spikes.sum())
    figure.suptitle(
        f"{portrait.title}: {n_spice} spikes in SPICE, {n_run} in the run"
        f"{'; ' if len(views) > 1 else chr(10)}largest difference of the membrane "
        f"{_percent(np.abs(portrait.error).max())} of the threshold",
        x=0.01,
        ha="left",
        fontsize=12,
    )
    return figure


def _ends(portrait: Portrait) -> Array:
    return np.asarray(_MICRO * portrait.step * np.arange(1, portrait.v_mem.size + 1))


def _draw_spikes(axes: Axes, portrait: Portrait) -> None:
    # The run knows the step of a spike, not its time: its mark spans the step.
    axes.vlines(_MICRO * portrait.crossings, 1.1, 1.9, color=BLACK, linewidth=1.3)
    ends = _ends(portrait)[portrait.spikes > 0]
    axes.broken_barh(
        [(end - 0.95 * _MICRO * portrait.step, 0.9 * _MICRO * portrait.step) for end in ends.tolist()],
        (0.1, 0.8),
        color=VERMILLION,
        linewidth=0,
    )
    axes.set_yticks([1.5, 0.5], labels=["SPICE", "run"])
    axes.set_ylim(0, 2)
    axes.tick_params(axis="y", length=0)
    axes.set_ylabel("spikes")
    plain(axes, grid="x")


def _draw_membrane(axes: Axes, portrait: Portrait, dense: bool) -> None:
    axes.plot(
        _MICRO * portrait.time, portrait.membrane, color=BLACK, linewidth=0.8 if dense else 1.2, label="SPICE"
    )
    axes.plot(
        _ends(portrait),
        portrait.rest + portrait.threshold * portrait.v_mem,
        linestyle="none",
        marker="o",
        markersize=3 if dense else 6,
        markerfacecolor="none",
        markeredgecolor=VERMILLION,
        markeredgewidth=0.9 if dense else 1.5,
        label="run, at the end of each step",
    )
    axes.axhline(
        portrait.rest + portrait.threshold, color=GREY, linestyle="--", linewidth=0.9, label="threshold"
    )
    axes.set_ylabel("membrane (V)")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.16 * (high - low))
    axes.legend(frameon=False, fontsize=9, ncols=3, loc="upper left")
    plain(axes)


def _draw_charges(axes: Axes, portrait: Portrait) -> None:
    middle = _ends(portrait) - _MICRO * portrait.step / 2
    width = 0.8 * _MICRO * portrait.step
    axes.bar(middle, portrait.q_exc, width, color=ORANGE, label="excitatory")
    axes.bar(middle, -portrait.q_inh, width, color=BLUE, label="inhibitory")
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_ylabel("charge\n(thresholds)")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.45 * (high - low))
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper left")
    plain(axes)


def _draw_error(axes: Axes, portrait: Portrait) -> None:
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.plot(
        _ends(portrait), 100 * portrait.error, color=VERMILLION, marker=".", markersize=4, linewidth=0.8
    )
    if np.abs(portrait.error).max() > _SPIKE_APART:
        # A spike in another step is a difference of 100 %, beside which the drift that moved it would not be seen.
        axes.set_yscale("symlog", linthresh=1.0)
        axes.set_yticks([-100, -10, -1, 0, 1, 10, 100], labels=["−100", "", "−1", "0", "1", "", "100"])
        axes.set_ylim(-200, 200)
    axes.set_ylabel("run − SPICE\n(% of threshold)")
    plain(axes)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"
