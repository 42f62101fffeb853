"""Chips: each is decided by its seed and number alone; what was finished is never lost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snncircuit.errors import SimulationError
from snncircuit.network.simulate import simulate
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.variation import VariedNeuron
from snncircuit.study import yields
from snncircuit.study.chips import chip
from snncircuit.study.specification import Specification
from snncircuit.study.yields import Yield, run_chips
from tests.study.mismatched import SIGMAS, data, network, neuron, unvaried

STEPS = 20
NETWORK, NEURON, DATA = network(), neuron(), data()


def run(path: Path, nominal: CircuitNeuron = NEURON, **changes: object) -> Yield:
    given: dict[str, object] = {
        "draws": 4,
        "steps": STEPS,
        "path": path,
        "settings": {"neuron": "nmp_clocked"},
        "max_out_of_range": None,
        **changes,
    }
    return run_chips(NETWORK, nominal, DATA.images, DATA.labels, **given)  # type: ignore[arg-type]


def test_one_seed_gives_the_same_chips_again_and_another_does_not(tmp_path: Path) -> None:
    one, again, other = (run(tmp_path / name, seed=seed) for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    assert one.to_json() == again.to_json()
    assert one.energy.values != other.energy.values
    assert len(set(one.energy.values)) == 4


def test_a_chip_is_the_same_however_many_there_are_and_in_every_engine(tmp_path: Path) -> None:
    few, many = run(tmp_path / "few", draws=2), run(tmp_path / "many", draws=4, engine="dense")
    assert many.energy.values[:2] == pytest.approx(few.energy.values, rel=1e-6)
    assert many.scores.values[:2] == few.scores.values
    more = run(tmp_path / "few", draws=4)
    assert more.energy.values[:2] == few.energy.values
    assert more.scores.values == many.scores.values


def test_a_yield_is_of_runs_of_its_chips(tmp_path: Path) -> None:
    found = run(tmp_path, seed=5, scale=2.0)
    for number, energy in enumerate(found.energy.values):
        neurons = chip(NETWORK, NEURON, seed=5, number=number, scale=2.0)
        alone = simulate(NETWORK, neurons, DATA.images, DATA.labels, steps=STEPS, max_out_of_range=None)
        assert alone.energy == energy
        assert alone.by_step[-1] == found.scores.values[number]


def test_chips_without_mismatch_are_the_nominal_one(tmp_path: Path) -> None:
    found = run(tmp_path, scale=0.0, draws=2)
    assert found.scores.values == (found.scores.nominal,) * 2
    assert found.energy.values == pytest.approx((found.energy.nominal,) * 2, rel=1e-9)
    plain = simulate(NETWORK, unvaried(), DATA.images, DATA.labels, steps=STEPS, max_out_of_range=None)
    assert found.energy.nominal == plain.energy


def test_the_neurons_of_a_chip_spread_as_measured() -> None:
    neurons = chip(NETWORK, NEURON, seed=0)
    gains = torch.cat([n.gain_exc.flatten() for n in neurons.values() if isinstance(n, VariedNeuron)])
    assert gains.numel() > 250
    assert float(gains.std()) == pytest.approx(SIGMAS[0], rel=0.35)
    assert len(gains.unique()) > 0.99 * gains.numel()


def test_the_yield_counts_the_chips_that_meet_the_specification(tmp_path: Path) -> None:
    free = run(tmp_path)
    assert free.to_json()["yield"] is None
    middle = float(np.median(free.energy.values))
    limit = float(f"{middle:.12g}")
    found = run(tmp_path, specification=Specification(figure="energy", least=False, limit=limit)).to_json()
    assert found["yield"] == 0.5
    assert found["yield_ci"][0] < 0.5 < found["yield_ci"][1]
    everything = Specification(figure="accuracy", least=True, limit=0.0)
    assert run(tmp_path, specification=everything).to_json()["yield"] == 1.0


class Killed(Exception):
    pass


def test_a_killed_command_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "whole")

    def kill(done: int, of: int) -> None:
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path / "killed", progress=kill)
    started = []

    def counted(*args: object, **options: object) -> object:
        started.append(args)
        return simulate(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(yields, "simulate", counted)
    assert run(tmp_path / "killed").to_json() == whole.to_json()
    assert len(started) == 2
    assert run(tmp_path / "killed").to_json() == whole.to_json()
    assert len(started) == 2


def test_a_folder_of_other_chips_is_refused(tmp_path: Path) -> None:
    run(tmp_path, draws=1)
    with pytest.raises(
        SimulationError, match=r"holds a yield with other settings \(seed is 0 there, 1 here\)"
    ):
        run(tmp_path, draws=1, seed=1)
    assert NEURON.table.variation is not None
    other = CircuitNeuron(replace(NEURON.table, variation=NEURON.table.variation[1:]))
    with pytest.raises(SimulationError, match=r"other settings \(variation_sha256 is"):
        run(tmp_path, other, draws=1)


def test_a_table_without_mismatch_names_the_command_that_measures_it(tmp_path: Path) -> None:
    with pytest.raises(
        SimulationError, match=r"'snncircuit mismatch TABLE --vneg -1\.8 --draws 200' measures it"
    ):
        run(tmp_path, unvaried())
    with pytest.raises(SimulationError, match="no mismatch was measured at"):
        chip(NETWORK, unvaried(), seed=0)


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="0 chips: expected 1 or more"):
        run(tmp_path, draws=0)
    with pytest.raises(
        SimulationError, match=r"specification mse<=0\.1: small has accuracy and energy, no mse"
    ):
        run(tmp_path, specification=Specification.parse("mse<=0.1"))
    assert not list(tmp_path.iterdir())
