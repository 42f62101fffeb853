"""The figure of an audited neuron shows every spike of both, the membranes where they are, and the stretch that differs most."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from snncircuit.report.audit_figure import ZOOM, Portrait, plot_audit, worst_stretch
from snncircuit.report.plots import save


def portrait(n_steps: int, shifted: int | None = None) -> Portrait:
    """An integrate-and-fire neuron drawn as SPICE would: a ramp a step and a reset; one spike of the run a step late."""
    random = np.random.default_rng(2)
    exc, inh = random.gamma(2.0, 0.3, n_steps), random.gamma(2.0, 0.12, n_steps)
    time, membrane, crossings, v_mem = [0.0], [0.0], [], [0.0]
    spikes = np.zeros(n_steps, dtype=np.int64)
    for k in range(n_steps):
        x = v_mem[-1] + exc[k] - inh[k]
        time += [(k + 0.02) * 1e-6, (k + 0.22) * 1e-6, (k + 0.5) * 1e-6]
        membrane += [0.9 * v_mem[-1], 0.9 * x, 0.9 * x]
        if x >= 1:
            spikes[k] = 1
            crossings.append((k + 0.51) * 1e-6)
        v_mem.append(x - spikes[k])
        time += [(k + 0.6) * 1e-6, (k + 1) * 1e-6]
        membrane += [0.9 * v_mem[-1]] * 2
    end, own = np.array(v_mem[1:]), spikes.copy()
    error = np.linspace(0.0, -0.02, n_steps)
    if shifted is not None:
        late = int(np.flatnonzero(spikes)[shifted])
        own[late], own[late + 1] = 0, own[late + 1] + 1
        error[late] += 1.0
    return Portrait(
        title="fc1:3 at image 7, middle",
        step=1e-6,
        threshold=0.9,
        rest=0.0,
        time=np.array(time),
        membrane=np.array(membrane),
        crossings=np.array(crossings),
        v_mem=end + error,
        spikes=own,
        error=error,
        q_exc=exc,
        q_inh=inh,
    )


def drawn(figure: Figure) -> Figure:
    figure.canvas.draw()
    return figure


@pytest.mark.parametrize(("n_steps", "columns"), [(1, 1), (20, 1), (100, 2)])
def test_a_long_train_has_its_worst_stretch_beside_it(n_steps: int, columns: int) -> None:
    figure = drawn(plot_audit(portrait(n_steps)))
    assert len(figure.axes) == 4 * columns
    labels = [axes.get_ylabel() for axes in figure.axes]
    for label in ("spikes", "membrane (V)", "charge\n(thresholds)", "run − SPICE\n(% of threshold)"):
        assert labels.count(label) == 1
    assert [axes.get_xlabel() for axes in figure.axes].count("time (µs)") == columns


def test_every_spike_and_every_step_is_drawn_where_it_was() -> None:
    seen = portrait(100, shifted=10)
    figure = plot_audit(seen)
    spikes, membrane, charges = figure.axes[0], figure.axes[2], figure.axes[4]
    marks = next(c for c in spikes.collections if hasattr(c, "get_segments"))
    np.testing.assert_allclose([s[0, 0] for s in marks.get_segments()], 1e6 * seen.crossings)
    boxes = next(c for c in spikes.collections if c is not marks)
    assert len(boxes.get_paths()) == np.count_nonzero(seen.spikes)
    spice, run = membrane.lines[:2]
    np.testing.assert_allclose(spice.get_ydata(), seen.membrane)
    np.testing.assert_allclose(run.get_ydata(), 0.9 * seen.v_mem)
    np.testing.assert_allclose(run.get_xdata(), np.arange(1, 101))
    drawn_charges = [[bar.get_height() for bar in bars] for bars in charges.containers]
    np.testing.assert_allclose(drawn_charges, [seen.q_exc, -seen.q_inh])
    assert f"{seen.crossings.size} spikes in SPICE, {seen.spikes.sum()} in the run" in figure.get_suptitle()


def test_the_worst_stretch_holds_the_largest_differences() -> None:
    error = np.zeros(100)
    error[61] = 1.0
    part = worst_stretch(error)
    assert part.stop - part.start == ZOOM
    assert part.start <= 61 < part.stop
    assert worst_stretch(error[:10]) == slice(0, 10)
    seen = portrait(100, shifted=10)
    figure = plot_audit(seen)
    low, high = figure.axes[1].get_xlim()
    assert low < 1 + int(np.argmax(np.abs(seen.error))) < high
    assert high - low < ZOOM + 1


def test_it_is_written_even_when_nothing_differs_and_nothing_spikes(tmp_path: Path) -> None:
    quiet = portrait(30)
    quiet = replace(
        quiet,
        error=np.zeros(30),
        crossings=np.empty(0),
        spikes=np.zeros(30, dtype=np.int64),
        q_exc=np.zeros(30),
    )
    save(plot_audit(quiet), tmp_path / "quiet.png")
    assert (tmp_path / "quiet.png").read_bytes().startswith(b"\x89PNG")
