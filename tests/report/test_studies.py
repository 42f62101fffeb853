"""The figures of yields and ladders show what they are given."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from snncircuit.report.plots import plot_ladder, plot_yield
from snncircuit.study.specification import Distribution

RANDOM = np.random.default_rng(0)
LAYERS = ("conv1", "fc1")


def yielded(spec: str | None, score: str = "accuracy", spread: float = 0.006) -> dict[str, Any]:
    values = np.round((0.98 + spread * RANDOM.standard_normal(100)).clip(0, 1) * 200) / 200
    joules = 2e-7 + 1e-9 * RANDOM.standard_normal(100)
    return {
        "network": "small",
        "neuron": "nmp",
        "draws": 100,
        "images": 200,
        "spec": spec,
        "yield": None if spec is None else 0.5,
        "yield_ci": None if spec is None else [0.4, 0.6],
        "score": score,
        score: asdict(Distribution.of(values.tolist(), 0.985)),
        "energy": asdict(Distribution.of(joules.tolist(), 2e-7)),
    }


def bars(axes: Axes) -> list[tuple[float, float, float]]:
    """Left end, right end and height."""
    found = [bar for container in axes.containers for bar in container]
    return [(bar.get_x(), bar.get_x() + bar.get_width(), bar.get_height()) for bar in found]


@pytest.mark.parametrize("spread", [0.0, 0.006, 0.3])
def test_every_chip_is_in_a_bar(spread: float) -> None:
    for axes in plot_yield(yielded(None, spread=spread)).axes:
        assert sum(height for *_, height in bars(axes)) == 100


@pytest.mark.parametrize(
    ("spec", "met"), [("accuracy>=0.98", np.greater_equal), ("accuracy<=0.98", np.less_equal)]
)
def test_the_specification_lies_between_the_chips_that_meet_it_and_the_others(
    spec: str, met: np.ufunc
) -> None:
    found = yielded(spec)
    left, right = plot_yield(found).axes
    (line,) = [line for line in left.lines if line.get_label() == "specification"]
    limit = float(line.get_xdata()[0])  # type: ignore[index]
    above = sum(height for start, _, height in bars(left) if start >= limit)
    below = sum(height for _, end, height in bars(left) if end <= limit)
    values = np.array(found["accuracy"]["values"])
    assert above + below == 100
    assert (above if ">=" in spec else below) == met(values, 0.98).sum()
    assert not [line for line in right.lines if line.get_label() == "specification"]


def test_a_specification_of_the_energy_is_in_its_unit() -> None:
    figure = plot_yield(yielded("energy<=2e-7", score="mse"))
    (line,) = [line for line in figure.axes[1].lines if line.get_label() == "specification"]
    assert float(line.get_xdata()[0]) == pytest.approx(200)  # type: ignore[index]
    assert "nJ" in figure.axes[1].get_xlabel()
    assert "50.0 % meet energy<=2e-7 (95 %: 40.0 to 60.0 %)" in figure.get_suptitle()


def ladder(score: str, values: list[float], joules: list[list[float]]) -> dict[str, Any]:
    rungs = []
    for place, (value, layers) in enumerate(zip(values, joules, strict=True)):
        before = joules[max(place - 1, 0)]
        rungs.append(
            {
                "name": f"rung {place}",
                score: value,
                "energy": sum(layers),
                "energy_by_layer": dict(zip(LAYERS, layers, strict=True)),
                "energy_delta_by_layer": {
                    name: now - then for name, now, then in zip(LAYERS, layers, before, strict=True)
                },
            }
        )
    return {
        "network": "small",
        "neuron": "nmp",
        "score": score,
        f"ann_{score}": 0.9,
        "rungs": rungs,
        "settings": {"v_neg": -1.8, "images": 5, "steps": 8},
    }


@pytest.mark.parametrize("score", ["accuracy", "mse"])
def test_a_waterfall_goes_from_rung_to_rung(score: str) -> None:
    joules = [[1e-7, 2e-7], [1.1e-7, 1.9e-7], [0.9e-7, 2e-7]]
    found = ladder(score, [0.5, 0.75, 0.7], joules)
    top, middle, bottom = plot_ladder(found).axes
    percent = 100 if score == "accuracy" else 1
    ends = [(bar.get_y(), bar.get_y() + bar.get_height()) for box in top.containers for bar in box]
    assert np.array(ends) == pytest.approx(percent * np.array([(0.5, 0.75), (0.75, 0.7)]))
    tops = [bar.get_y() + bar.get_height() for box in middle.containers for bar in box]
    assert tops == pytest.approx([300, 290])  # nJ
    heights = np.array([[bar.get_height() for bar in box] for box in bottom.containers])
    assert heights.sum(axis=0) == pytest.approx([0, 0, -10])
    low, high = top.get_ylim()
    assert low < 0.5 * percent < 0.9 * percent < high  # the ANN is in the figure


def test_nothing_that_changes_is_a_figure_too() -> None:
    figure = plot_ladder(ladder("accuracy", [0.9, 0.9], [[0.0, 0.0], [0.0, 0.0]]))
    figure.canvas.draw()
    low, high = figure.axes[0].get_ylim()
    assert high - low > 0.09
