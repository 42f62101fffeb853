"""A Run reads back as it was written, and its JSON object has the keys that scripts rely on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from snncircuit.errors import SimulationError
from snncircuit.network.figures import LayerFigures
from snncircuit.network.outcome import Trace
from snncircuit.network.run import Run
from snncircuit.network.run_file import load_run, save_run

FIGURES = LayerFigures(
    spikes=12.5,
    clipped_charge=0.01,
    rate_rmse=0.02,
    v_low=-1.25,
    v_high=0.99,
    out_of_range=3,
    out_of_range_fraction=0.001,
    grid=2.0**-9,
    rounding=0.02,
    energy={"vdd": {"spikes": 1e-9, "static": 2e-9}, "vneg": {"static": 4e-9}},
)
RUN = Run(
    engine="dense",
    score="accuracy",
    by_step=(0.25, 0.5, 0.75),
    ann_score=0.99,
    ann_score_quantised=0.97,
    steps_used=(8, 16, 8, 24),
    layers={
        "conv1": FIGURES,
        "fc1": replace(FIGURES, rate_rmse=0.06, out_of_range=1, out_of_range_fraction=0.01),
    },
    image_steps_per_second=1234.5,
    settings={"network": "mnist-cnn", "v_neg": -1.8, "steps": 3, "checked": True, "v_lb": None},
    rails=(-2.0, 2.0),
)
IDEAL = replace(RUN, score="mse", layers={"conv1": replace(FIGURES, energy={})}, rails=None)


@pytest.mark.parametrize("run", [RUN, IDEAL], ids=["circuit", "ideal"])
def test_a_run_reads_back(run: Run, tmp_path: Path) -> None:
    save_run(run, tmp_path / "new" / "run.nc")
    assert load_run(tmp_path / "new" / "run.nc") == run
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run.nc"]


def test_a_run_of_the_first_schema_reads_back_without_what_was_added_since(tmp_path: Path) -> None:
    save_run(RUN, tmp_path / "run.nc")
    with xr.open_dataset(tmp_path / "run.nc", engine="h5netcdf") as dataset:
        old = dataset.load().drop_vars(["grid", "rounding", "steps_used"]).assign_attrs(schema=1)
    del old.attrs["ann_score_quantised"]
    old.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    layers = {name: replace(layer, grid=None, rounding=None) for name, layer in RUN.layers.items()}
    expected = replace(RUN, layers=layers, steps_used=(), ann_score_quantised=None)
    assert load_run(tmp_path / "old.nc") == expected
    assert expected.to_json()["steps_used"] is None


def test_traces_read_back(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    trace = Trace(neurons=(7, 3), q_exc=values, q_inh=values + 1, v_mem=-values, spikes=values % 2)
    save_run(replace(RUN, traces={"fc1": trace}), tmp_path / "run.nc")
    loaded = load_run(tmp_path / "run.nc").traces
    assert list(loaded) == ["fc1"]
    assert loaded["fc1"].neurons == (7, 3)
    for name in ("q_exc", "q_inh", "v_mem", "spikes"):
        assert np.array_equal(getattr(loaded["fc1"], name), getattr(trace, name))


def test_the_json_object_has_its_keys() -> None:
    shown = json.loads(json.dumps(RUN.to_json(), allow_nan=False))
    assert shown == {
        "engine": "dense",
        "accuracy": 0.75,
        "ann_accuracy": 0.99,
        "ann_accuracy_quantised": 0.97,
        "accuracy_by_step": [0.25, 0.5, 0.75],
        "mse": None,
        "ann_mse": None,
        "ann_mse_quantised": None,
        "mse_by_step": None,
        "spikes": {"conv1": 12.5, "fc1": 12.5},
        "clipped_charge": {"conv1": 0.01, "fc1": 0.01},
        "rate_rmse": {"conv1": 0.02, "fc1": 0.06},
        "first_bad_layer": "fc1",
        "energy": pytest.approx(14e-9),
        "energy_terms": {"spikes": pytest.approx(2e-9), "static": pytest.approx(12e-9)},
        "energy_by_layer": {
            name: {"vdd": pytest.approx(3e-9), "vneg": pytest.approx(4e-9)} for name in ("conv1", "fc1")
        },
        "out_of_range": 4,
        "out_of_range_fraction": 0.01,
        "v_low": {"conv1": -1.25, "fc1": -1.25},
        "v_high": {"conv1": 0.99, "fc1": 0.99},
        "headroom": {name: {"low": 0.75, "high": pytest.approx(1.01)} for name in ("conv1", "fc1")},
        "grid": {"conv1": 2.0**-9, "fc1": 2.0**-9},
        "rounding": {"conv1": 0.02, "fc1": 0.02},
        "steps_used": {"mean": 14.0, "min": 8, "max": 24, "images": {"8": 2, "16": 1, "24": 1}},
        "image_steps_per_second": 1234.5,
        "settings": dict(RUN.settings),
    }


def test_an_ideal_run_has_no_energy() -> None:
    shown = IDEAL.to_json()
    assert (shown["energy"], shown["energy_terms"], shown["energy_by_layer"]) == (None, {}, {})
    assert (shown["mse"], shown["accuracy"], shown["headroom"], shown["first_bad_layer"]) == (
        0.75,
        None,
        None,
        None,
    )


def test_a_missing_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SimulationError, match=r"run\.nc: no such file; expected a Run written by snncircuit run -o"
    ):
        load_run(tmp_path / "run.nc")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_run_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "run.nc"
    save_run(RUN, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(SimulationError, match=r"run\.nc: not a NetCDF file, or a truncated one: "):
        load_run(path)


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"schema": 3}, "Run of schema 3; this snncircuit reads 1 to 2"),
        ({"schema": "one"}, "Run of schema one; this snncircuit reads 1 to 2"),
        ({"kind": "snncircuit table"}, "expected kind 'snncircuit run', found 'snncircuit table'"),
        ({"score": "charm"}, "a Run that lacks what schema 2 has: "),
        ({"rails": "{"}, "a Run that lacks what schema 2 has: "),
    ],
)
def test_another_file_is_refused(tmp_path: Path, attributes: dict[str, object], text: str) -> None:
    save_run(RUN, tmp_path / "run.nc")
    with xr.open_dataset(tmp_path / "run.nc", engine="h5netcdf") as dataset:
        dataset.load()
    dataset.assign_attrs(attributes).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(SimulationError, match=f"other.nc: {text}"):
        load_run(tmp_path / "other.nc")
