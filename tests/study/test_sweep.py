import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from snncircuit.errors import SimulationError
from snncircuit.network.convert import convert
from snncircuit.network.layers import SpikingNetwork
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.reference import ideal_table
from snncircuit.study.datasets import load
from snncircuit.study.images import Images
from snncircuit.study.sweep import Operation, SweepProgress, sweep
from snncircuit.study.sweep_dataset import load_sweep, points, save_sweep

STEPS = 12
SETTINGS = {"neuron": "ideal as a table", "pump_efficiency": 0.5}


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def data() -> Images:
    return load("mnist", "test", 6)


@pytest.fixture(scope="module")
def network(data: Images) -> SpikingNetwork:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 3, 4, stride=4),
        nn.ReLU(),
        nn.Conv2d(3, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(100, 10),
    )
    return convert(module, data.images, "max", name="small")


def operate(v_neg: float) -> Operation:
    return Operation(
        neuron=CircuitNeuron(ideal_table(2 * v_neg), dtype=torch.float64),
        v_lb=2 * v_neg,
        rails=(2 * v_neg, 3.0),
    )


@dataclass
class Sweeper:
    network: SpikingNetwork
    data: Images
    path: Path

    def __call__(
        self,
        *v_negs: float,
        steps: int = STEPS,
        operate: Callable[[float], Operation] = operate,
        progress: Callable[[SweepProgress], None] | None = None,
    ) -> xr.Dataset:
        return sweep(
            self.network,
            operate,
            v_negs,
            self.data.images,
            self.data.labels,
            steps=steps,
            path=self.path,
            settings=SETTINGS,
            batch=3,
            progress=progress,
        )


@pytest.fixture
def sweeper(network: SpikingNetwork, data: Images, tmp_path: Path) -> Sweeper:
    return Sweeper(network, data, tmp_path / "sweep")


def without_speed(dataset: xr.Dataset) -> xr.Dataset:
    def strip(record: str) -> str:
        return json.dumps({k: v for k, v in json.loads(record).items() if k != "image_steps_per_second"})

    return dataset.assign(
        record=(dataset["record"].dims, np.vectorize(strip, otypes=[object])(dataset["record"].values))
    )


def test_a_table_of_the_ideal_neuron_sweeps_like_the_ideal_neuron(sweeper: Sweeper) -> None:
    found = sweeper(0.0, -0.25, -1.0)
    circuit, ideal = found.sel(neuron="circuit"), found.sel(neuron="ideal")
    for name in ("accuracy", "accuracy_by_step", "spikes", "rate_rmse"):
        xr.testing.assert_equal(circuit[name].drop_vars("neuron"), ideal[name].drop_vars("neuron"))
    assert found["v_lb"].values.tolist() == [0.0, -0.5, -2.0]


def test_the_energies_are_those_of_the_runs_and_add_up(sweeper: Sweeper) -> None:
    found = sweeper(0.0, -1.0)
    runs = points(found)
    for run in runs:
        energy = found["energy"].sel(v_neg=run["v_neg"])
        assert float(energy.sum()) == pytest.approx(run["energy"], rel=1e-9)
        for term, joule in run["energy_terms"].items():
            assert float(energy.sel(term=term).sum()) == pytest.approx(joule, rel=1e-9, abs=1e-12)
        assert run["energy"] == pytest.approx(sum(run["spikes"].values()), rel=1e-6)  # 1 J a spike
        assert run["ideal"]["energy"] is None


def test_a_killed_sweep_goes_on_and_ends_like_one_that_was_not(
    sweeper: Sweeper, network: SpikingNetwork, data: Images
) -> None:
    def kill(progress: SweepProgress) -> None:
        if progress.run == 3:
            raise Killed

    with pytest.raises(Killed):
        sweeper(0.0, -0.5, -1.0, progress=kill)
    seen: list[SweepProgress] = []
    resumed = sweeper(0.0, -0.5, -1.0, progress=seen.append)
    assert {p.reused for p in seen} == {3}
    assert {p.run for p in seen} == {3, 4, 5}
    whole = Sweeper(network, data, sweeper.path.with_name("whole"))(0.0, -0.5, -1.0)
    xr.testing.assert_identical(without_speed(resumed), without_speed(whole))


def test_a_finished_sweep_asks_for_no_neuron(sweeper: Sweeper) -> None:
    def never(v_neg: float) -> Operation:
        raise AssertionError

    first = sweeper(0.0, -0.5)
    xr.testing.assert_identical(sweeper(0.0, -0.5, operate=never), first)


def test_more_supplies_only_run_the_new_ones(sweeper: Sweeper) -> None:
    sweeper(0.0, -1.0)
    asked = []

    def note(v_neg: float) -> Operation:
        asked.append(v_neg)
        return operate(v_neg)

    found = sweeper(-1.0, -0.5, -0.0, operate=note)
    assert set(asked) == {-0.5}
    assert found["v_neg"].values.tolist() == [0.0, -0.5, -1.0]


def test_other_settings_are_refused(sweeper: Sweeper) -> None:
    sweeper(0.0)
    with pytest.raises(
        SimulationError, match=r"holds a sweep with other settings \(steps is 12 there, 13 here\)"
    ):
        sweeper(0.0, steps=13)


def test_other_weights_under_the_same_name_are_refused(sweeper: Sweeper, data: Images) -> None:
    sweeper(0.0)
    torch.manual_seed(5)
    other = convert(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), data.images, "max", name="small")
    with pytest.raises(SimulationError, match=r"network_sha256 is '[0-9a-f]{64}' there"):
        Sweeper(other, data, sweeper.path)(0.0)


def test_progress_names_every_run(sweeper: Sweeper) -> None:
    seen: list[SweepProgress] = []
    sweeper(0.0, -1.0, progress=seen.append)
    assert [(p.run, p.neuron, p.v_neg, p.images) for p in seen if p.images == p.of] == [
        (0, "circuit", 0.0, 6),
        (1, "ideal", 0.0, 6),
        (2, "circuit", -1.0, 6),
        (3, "ideal", -1.0, 6),
    ]
    assert {p.runs for p in seen} == {4}


def test_reconstruction_is_scored_by_its_error(data: Images, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 2, 2, stride=2), nn.ReLU(), nn.ConvTranspose2d(2, 1, 2, stride=2), nn.ReLU()
    )
    for tensor in module.parameters():
        tensor.data.abs_()
    network = convert(module, data.images, "max", name="mirror")
    found = sweep(
        network, operate, [-1.0], data.images, data.images, steps=5, path=tmp_path / "s", settings={}
    )
    assert found.attrs["score"] == "mse"
    assert found["mse"].shape == (2, 1)
    assert found["mse_by_step"].shape == (2, 1, 5)
    assert found.attrs["ann_score"] == pytest.approx(points(found)[0]["ann_mse"])


def test_without_images_to_progress_on_nothing_is_told(sweeper: Sweeper) -> None:
    assert sweeper(-0.5).sizes["v_neg"] == 1


@pytest.mark.parametrize("v_negs", [(), (0.1,), (-0.5, -0.5), (-0.5, -0.5000001)])
def test_supplies_that_make_no_sweep_are_refused(sweeper: Sweeper, v_negs: tuple[float, ...]) -> None:
    with pytest.raises(SimulationError, match=r"expected one or more different voltages <= 0"):
        sweeper(*v_negs)
    assert not sweeper.path.exists()


def test_a_sweep_reads_back_what_it_wrote(sweeper: Sweeper) -> None:
    found = sweeper(0.0, -1.0)
    xr.testing.assert_identical(load_sweep(sweeper.path), found)
    xr.testing.assert_identical(load_sweep(sweeper.path / "sweep.nc"), found)
    assert points(load_sweep(sweeper.path)) == points(found)
    assert math.isclose(points(found)[1]["v_lb"], -2.0)


def test_a_missing_foreign_damaged_or_newer_file_is_refused(sweeper: Sweeper, tmp_path: Path) -> None:
    found = sweeper(0.0)
    with pytest.raises(SimulationError, match=r"none\.nc: no such file; expected a sweep"):
        load_sweep(tmp_path / "none.nc")
    (tmp_path / "cut.nc").write_bytes((sweeper.path / "sweep.nc").read_bytes()[:3000])
    with pytest.raises(SimulationError, match=r"cut\.nc: not a NetCDF file, or a truncated one"):
        load_sweep(tmp_path / "cut.nc")
    save_sweep(found.assign_attrs(kind="poem"), tmp_path / "poem.nc")
    with pytest.raises(SimulationError, match=r"expected kind 'snncircuit sweep', found 'poem'"):
        load_sweep(tmp_path / "poem.nc")
    save_sweep(found.assign_attrs(schema=2), tmp_path / "new.nc")
    with pytest.raises(
        SimulationError, match=r"sweep of schema 2; this version of snncircuit reads schema 1"
    ):
        load_sweep(tmp_path / "new.nc")


def test_a_file_that_cannot_be_written_is_named(sweeper: Sweeper, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"cannot write sweep .*absent"):
        save_sweep(sweeper(0.0), tmp_path / "absent" / "s.nc")
