import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snncircuit.errors import SnnCircuitError
from snncircuit.reference import ideal_table
from snncircuit.report.plots import plot_sweep, plot_table, save
from snncircuit.report.style import joule_scale
from snncircuit.report.sweep_figure import shares
from snncircuit.report.table_figure import firing_rate, residual_map
from snncircuit.study.sweep_dataset import assemble
from snncircuit.table import Supply, TransferTable

SETTINGS = {"network": "small", "neuron": "nmp", "images": 5, "encoder": "constant"}
V_NEGS = (0.0, -0.9, -1.8)
ENERGY = {
    "vdd": {"static": 3e-9, "synaptic": 2e-9, "spikes": 1e-9, "crowbar": 2e-9},
    "vneg": {"static": 1e-10, "synaptic": 1e-9, "spikes": 1e-11, "crowbar": -3e-10, "pump": 4e-10},
    "ev": {"reset_drive": 8e-10},
    "pcas": {"static": 2e-11, "crowbar": 0.0},
}


def dataset(
    values: Sequence[float] = (0.03, 0.004, 0.003),
    score: str = "mse",
    energy: dict[str, dict[str, float]] = ENERGY,
    v_negs: Sequence[float] = V_NEGS,
    **settings: Any,
) -> xr.Dataset:
    points = {}
    for v_neg, value in zip(v_negs, values, strict=True):
        for neuron in ("circuit", "ideal"):
            own = {f"{s}{by}": None for s in ("accuracy", "mse") for by in ("", "_by_step")}
            own |= {score: value, f"{score}_by_step": [value, value], f"ann_{score}": values[-1]}
            layers = {"conv1": 1.0, "fc1": 2.0}
            own |= {"spikes": layers, "clipped_charge": layers, "rate_rmse": layers}
            own |= {"out_of_range_fraction": 0.0, "v_lb": v_neg / 0.9}
            own |= {"energy_by_supply": energy if neuron == "circuit" else {}}
            points[neuron, v_neg] = own
    return assemble(points, SETTINGS | settings)


def texts(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def drawn(figure: Figure) -> Figure:
    figure.canvas.draw()
    return figure


def test_the_shares_add_up_to_the_energy() -> None:
    data = dataset()
    total = np.sum([share.joules for share in shares(data)], axis=0)
    np.testing.assert_allclose(total, data["energy"].sum(("supply", "term")).values, rtol=1e-12)


def test_every_share_has_its_own_label_and_colour_whatever_the_number_of_supplies() -> None:
    energy = {f"rail{k}": {"static": 1e-9 + k * 1e-11, "crowbar": 1e-10} for k in range(12)} | ENERGY
    data = dataset(energy=energy)
    found = shares(data, 0.7)
    assert len({share.label for share in found}) == len(found)
    assert len({share.colour for share in found}) == len(found)
    total = np.sum([share.joules for share in found], axis=0)
    np.testing.assert_allclose(total, data["energy"].sum(("supply", "term")).values, rtol=1e-12)


def test_a_term_that_has_no_name_here_is_not_lost() -> None:
    data = dataset(energy={"vdd": {"spikes": 1e-9, "radiation": 5e-9}})
    assert [(share.label, float(share.joules[0])) for share in shares(data)] == [
        ("spikes", 1e-9),
        ("other", 5e-9),
    ]


def test_small_supplies_stand_together_and_a_single_one_keeps_its_name() -> None:
    large = {"vdd": {"static": 9e-9}, "vneg": {"static": 1e-9}}
    one, two = (
        large | {"pcas": {"static": 2e-11}},
        large | {"pcas": {"static": 2e-11}, "ncas": {"crowbar": 1e-11}},
    )
    named = ["static, crowbar: vdd", "static, crowbar: vneg"]
    assert [share.label for share in shares(dataset(energy=one))] == [*named, "static, crowbar: pcas"]
    assert [share.label for share in shares(dataset(energy=two))] == [*named, "static, crowbar: 2 others"]


def test_the_bars_of_a_sweep_reach_from_the_negative_parts_to_the_positive_ones() -> None:
    energy = {"vdd": {"spikes": 2e-9, "crowbar": -5e-10}, "ev": {"reset_drive": 1e-9}}
    _, bottom = plot_sweep(dataset(energy=energy)).axes
    tops = [patch.get_y() + patch.get_height() for patch in bottom.patches]
    ends = [patch.get_y() + min(patch.get_height(), 0) for patch in bottom.patches]
    assert max(tops) == pytest.approx(3.0)
    assert min(ends) == pytest.approx(-0.5)
    assert "total" in texts(bottom)
    assert bottom.get_ylabel() == "energy per inference (nJ)"


def test_the_figure_of_a_sweep_names_what_it_shows() -> None:
    figure = drawn(plot_sweep(dataset(pump_efficiency=0.7, corner="ss", temperature=85.0)))
    top, bottom = figure.axes
    assert figure.get_suptitle() == "small with nmp neurons: 5 images, 2 steps, constant input, ss, 85 °C"
    assert texts(top) == ["ANN", "ideal neuron, bound at VNEG", "nmp (circuit)"]
    assert "pump losses (η = 0.7)" in texts(bottom)
    assert bottom.get_xlabel() == "negative supply VNEG (V)"
    left, right = bottom.get_xlim()
    assert left > 0 > right


def test_errors_of_very_different_size_are_drawn_on_a_log_axis() -> None:
    assert plot_sweep(dataset((0.03, 0.004, 0.003))).axes[0].get_yscale() == "log"
    assert plot_sweep(dataset((0.0031, 0.003, 0.0029))).axes[0].get_yscale() == "linear"
    assert plot_sweep(dataset((0.9, 0.1, 0.2), "accuracy")).axes[0].get_yscale() == "linear"


def test_a_tenth_of_a_percent_of_accuracy_does_not_fill_the_axis() -> None:
    top = plot_sweep(dataset((0.99, 0.9901, 0.9902), "accuracy")).axes[0]
    line = next(line for line in top.lines if line.get_label() == "nmp (circuit)")
    np.testing.assert_allclose(line.get_ydata(), [99.0, 99.01, 99.02])
    low, high = drawn(plot_sweep(dataset((0.99, 0.9901, 0.9902), "accuracy"))).axes[0].get_ylim()
    assert high - low > 0.5


def test_one_supply_and_no_energy_can_be_drawn() -> None:
    figure = drawn(plot_sweep(dataset((0.1,), energy={}, v_negs=(0.0,))))
    assert [text.get_text() for text in figure.axes[1].texts] == ["this neuron has no energies"]


def test_many_supplies_get_few_ticks() -> None:
    v_negs = [round(-0.05 * k, 3) for k in range(37)]
    figure = drawn(plot_sweep(dataset([0.1] * 37, v_negs=v_negs)))
    assert len(figure.axes[1].get_xticks()) <= 13


@pytest.fixture(scope="module")
def table() -> TransferTable:
    return TransferTable.from_points("ideal", [ideal_table(v) for v in (0.0, -0.5, -2.0)], {})


def test_the_ideal_neuron_departs_from_itself_only_at_its_bound() -> None:
    v, q, residual = residual_map(ideal_table(-1.0))
    x = v[None, :] + q[:, None]
    np.testing.assert_allclose(residual, (-1.0 - x).clip(min=0), atol=1e-9)


def test_the_ideal_neuron_fires_in_proportion_to_its_input() -> None:
    charge = np.linspace(0, 1, 11)
    rate, absorbed = firing_rate(ideal_table(-1.0), charge, 100)
    np.testing.assert_allclose(rate, charge, atol=0.011)
    np.testing.assert_allclose(absorbed, charge, atol=1e-9)


def test_the_figure_of_a_table_has_eight_views_with_units(table: TransferTable) -> None:
    figure = drawn(plot_table(table))
    views = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert len(views) == 8
    for axes in views:
        for label in (axes.get_xlabel(), axes.get_ylabel()):
            assert "(" in label, label
            assert ")" in label, label
    assert figure.get_suptitle().startswith("ideal: one step of 1 µs, threshold 1.000 V")


def test_only_points_at_nominal_conditions_are_drawn_together() -> None:
    tables = [ideal_table(v) for v in (0.0, -1.0)]
    hot = [dataclasses.replace(t, point={**t.point, "temperature": 85.0}) for t in tables]
    figure = plot_table(TransferTable.from_points("ideal", [*tables, *hot], {}))
    lowest = figure.axes[3]
    assert len(lowest.collections[0].get_offsets()) == 2
    assert "27 °C" in figure.get_suptitle()
    only_hot = plot_table(TransferTable.from_points("ideal", hot, {}))
    assert "85 °C" in only_hot.get_suptitle()


def test_supplies_that_give_next_to_nothing_are_only_counted() -> None:
    table = ideal_table(-1.0)
    energy = np.concatenate([np.full_like(table.energy, 1e-13), np.full_like(table.energy, 1e-18)])
    names = tuple(Supply(name=n, kind="rail", voltage=1.0) for n in ("vdd", "tiny"))
    two = dataclasses.replace(
        table, energy=energy, supplies=names, energy_exc=np.zeros(2), energy_inh=np.zeros(2)
    )
    figure = plot_table(TransferTable.from_points("two", [two], {}))
    assert texts(next(a for a in figure.axes if a.get_title(loc="left").startswith("from each"))) == [
        "vdd",
        "1 smaller",
    ]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_figure_is_written_whole(table: TransferTable, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"figure{suffix}"
    save(plot_sweep(dataset()), path)
    assert path.stat().st_size > 5000
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_place_or_format_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    figure = plot_sweep(dataset())
    with pytest.raises(
        SnnCircuitError, match=r"expected a name that ends in one of \.png, \.svg, \.pdf, found \.gif"
    ):
        save(figure, tmp_path / "a.gif")
    (tmp_path / "file").touch()
    with pytest.raises(SnnCircuitError, match=r"cannot write figure .*file.a\.png"):
        save(figure, tmp_path / "file" / "a.png")


def test_figures_leave_no_global_state() -> None:
    plot_sweep(dataset())
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("joule", "factor", "unit"),
    [(2.5e-8, 1e9, "nJ"), (3.0, 1.0, "J"), (4e-6, 1e6, "µJ"), (2e-19, 1e15, "fJ")],
)
def test_energies_get_a_readable_unit(joule: float, factor: float, unit: str) -> None:
    found = joule_scale(joule)
    assert found[1] == unit
    assert found[0] == pytest.approx(factor)
