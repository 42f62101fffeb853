"""The comparison finds no difference where there is none, and exactly the difference that was put in."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit import lookup
from snncircuit.characterise.drive import Drive, Sample
from snncircuit.cosim.validate import charge_trains, compare, matched
from snncircuit.errors import TableError
from snncircuit.reference import ideal_table
from snncircuit.table import OperatingTable


def run(
    table: OperatingTable, n_neurons: int = 3, n_steps: int = 200, seed: int = 5
) -> tuple[list[Drive], list[Sample]]:
    """Drives and samples of a circuit that is its table."""
    exc, inh = charge_trains(n_neurons, n_steps, seed, (4.0, 4.0))
    drives, samples = [], []
    for e, i in zip(exc, inh, strict=True):
        v, spikes, energy = [0.0], [], []
        for a, b in zip(e, i, strict=True):
            answer = lookup.step(table, v[-1], a, b)
            v.append(float(answer.v_mem))
            spikes.append(int(answer.spikes))
            energy.append(float(answer.energy[0]))
        drives.append(Drive(v_mem=0.0, q_exc=tuple(e), q_inh=tuple(i)))
        samples.append(Sample(v_mem=tuple(v), spikes=tuple(spikes), energy=(tuple(energy),)))
    return drives, samples


def test_a_table_agrees_with_itself() -> None:
    table = ideal_table(-1.0)
    found = compare(table, *run(table))
    assert found.v_mem_rmse < 1e-12
    assert found.spikes_disagreeing == 0
    assert found.spikes_matched == 1
    assert found.spike_count_error == 0
    assert found.energy_error < 1e-12
    assert found.n_spikes > 50
    assert found.failures == ()


def test_a_shifted_membrane_and_a_dearer_step_are_found() -> None:
    table = ideal_table(-1.0)
    drives, samples = run(table)
    other = replace(table, energy=table.energy * 1.1, residual=table.residual + 0.01)
    found = compare(other, drives, samples)
    assert found.v_mem_rmse == pytest.approx(0.01, rel=1e-6)
    assert found.bias == pytest.approx(0.01, rel=1e-6)
    assert found.spike_count_error > 0
    assert found.energy_error_by_supply["vdd"] == pytest.approx(found.energy_error)
    assert found.energy_error > 0.1
    assert found.to_json()["teacher_forced"]["v_mem_rmse"] == found.v_mem_rmse


def test_failed_simulations_are_reported_and_all_failed_is_an_error() -> None:
    table = ideal_table(-1.0)
    drives, samples = run(table)
    assert compare(table, drives, [*samples[:-1], Sample(failure="gone")]).failures == ("gone",)
    with pytest.raises(TableError, match=r"no simulation at .* succeeded.*: gone"):
        compare(table, drives, [Sample(failure="gone")] * 3)


def test_trains_repeat_with_their_seed_and_go_both_ways() -> None:
    exc, inh = charge_trains(4, 500, 7, (4.0, 3.0))
    again, _ = charge_trains(4, 500, 7, (4.0, 3.0))
    np.testing.assert_array_equal(exc, again)
    assert exc.min() >= 0
    assert inh.min() >= 0
    assert inh.max() <= 3.0
    assert ((exc > inh).mean(axis=1) > 0.1).all()
    assert ((exc < inh).mean(axis=1) > 0.01).all()


@given(st.lists(st.integers(0, 2), min_size=3, max_size=30), st.integers(-1, 1))
def test_trains_within_a_step_of_each_other_match(train: list[int], shift: int) -> None:
    padded = np.array([[0, *train, 0]])
    assert matched(padded, np.roll(padded, shift)) == (1.0 if sum(train) else 0.0)


def test_missed_spikes_do_not_match() -> None:
    mine = np.array([[1, 0, 0, 0, 1, 0, 0, 0, 1]])
    theirs = np.array([[1, 0, 0, 0, 0, 0, 0, 0, 1]])
    assert matched(mine, theirs) == pytest.approx(2 / 3)
    assert matched(mine, np.zeros_like(mine)) == 0
