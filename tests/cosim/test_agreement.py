"""The comparison finds no difference where there is none, and exactly the difference that was put in."""

import json
from dataclasses import replace

import numpy as np
import pytest

from snncircuit import lookup
from snncircuit.characterise.drive import Drive, Sample
from snncircuit.characterise.trains import trains
from snncircuit.cosim.agreement import SUPPLY_FLOOR, FreeRun, errors_of, free_run, judge, pool
from snncircuit.cosim.bars import BARS
from snncircuit.errors import TableError
from snncircuit.reference import ideal_table
from snncircuit.table import OperatingTable, Supply

TABLE = ideal_table(-1.0)


def circuit(
    table: OperatingTable, n_neurons: int = 3, n_steps: int = 200, seed: int = 5
) -> list[tuple[Drive, Sample]]:
    """Drives, and the samples of a circuit that is its table; a spike comes 0.4 us after the start of its step."""
    pairs = []
    for drive in trains(table, n_neurons, n_steps, seed).drives(table):
        v, spikes, energy = [0.0], [], []
        for a, b in zip(drive.q_exc, drive.q_inh, strict=True):
            answer = lookup.step(table, v[-1], a, b)
            v.append(float(answer.v_mem))
            spikes.append(int(answer.spikes))
            energy.append(answer.energy.tolist())
        latency = tuple(4e-7 if n else None for n in spikes)
        joules = tuple(tuple(e) for e in np.array(energy).T.tolist())
        pairs.append((drive, Sample(v_mem=tuple(v), spikes=tuple(spikes), energy=joules, latency=latency)))
    return pairs


def supplied(*shares: float) -> OperatingTable:
    """The ideal neuron with several supplies that share the joule of a spike."""
    return replace(
        TABLE,
        energy=np.concatenate([TABLE.energy * share for share in shares]),
        energy_exc=np.zeros(len(shares)),
        energy_inh=np.zeros(len(shares)),
        supplies=tuple(Supply(name=f"s{k}", kind="rail", voltage=1.0) for k in range(len(shares))),
    )


def test_a_table_agrees_with_itself() -> None:
    found = pool([errors_of(TABLE, *pair) for pair in circuit(TABLE)])
    assert found.v_mem_rmse < 1e-12
    assert found.free_v_mem_rmse < 1e-12
    assert found.spikes_disagreeing == found.missed == found.extra == found.shifted == 0
    assert found.spikes_matched == found.spikes_same_step == 1
    assert found.spike_count_error == found.energy_error == found.timing_error.max == 0
    assert found.energy_error_per_step.max == 0
    assert found.latency.p50 == found.latency.max == 4e-7
    assert found.energy == found.n_spikes > 50
    assert found.n_steps == 600
    assert all(bar.met for bar in found.bars().values())


def test_a_shifted_membrane_and_a_dearer_step_are_found() -> None:
    other = replace(TABLE, energy=TABLE.energy * 1.1, residual=TABLE.residual + 0.01)
    found = pool([errors_of(other, *pair) for pair in circuit(TABLE)])
    assert found.v_mem_rmse == pytest.approx(0.01, rel=1e-6)
    assert found.bias == pytest.approx(0.01, rel=1e-6)
    assert (found.v_mem_error.p50, found.v_mem_error.max) == pytest.approx((0.01, 0.01), rel=1e-6)
    assert found.spike_count_error > 0
    assert found.extra > found.missed
    assert found.energy_error_by_supply["vdd"] == pytest.approx(found.energy_error)
    assert found.energy_error > 0.1
    # A teacher-forced spike costs 0.1 J too much, beside a mean of one joule a spike.
    per_step = found.energy / found.n_steps
    assert found.energy_error_per_step.max == pytest.approx(0.1 / per_step)
    missed = {name for name, bar in found.bars().items() if not bar.met}
    assert missed >= {"v_mem_rmse", "bias", "spike_count_error", "energy_error", "energy_error_by_supply"}


def test_a_free_run_may_be_given_and_is_then_what_counts() -> None:
    drive, sample = circuit(TABLE, 1, 201)[0]
    spikes = np.array(sample.spikes)
    late = FreeRun(
        v_mem=np.array(sample.v_mem[1:]), spikes=np.roll(spikes, 1), energy=np.array(sample.energy)
    )
    found = errors_of(TABLE, drive, sample, late)
    assert spikes[-1] == 0
    figures = pool([found])
    assert figures.spikes_matched == 1
    assert figures.spike_count_error == 0
    assert figures.free_v_mem_rmse == 0
    assert figures.shifted == pytest.approx(1 - figures.spikes_same_step)
    assert figures.shifted > 0.3
    assert figures.timing_error.max == TABLE.step


def test_spikes_matched_missed_and_shifted_add_up() -> None:
    other = replace(TABLE, residual=TABLE.residual - 0.02)
    found = pool([errors_of(other, *pair) for pair in circuit(TABLE)])
    assert found.missed > 0
    assert found.spikes_matched + found.missed == pytest.approx(1)
    assert found.spikes_same_step + found.shifted == pytest.approx(found.spikes_matched)
    assert found.spike_count_error == pytest.approx(abs(found.extra - found.missed))


def test_the_parts_of_a_train_add_up_to_it() -> None:
    other = replace(TABLE, residual=TABLE.residual - 0.02)
    whole = errors_of(other, *circuit(TABLE, 1)[0])
    first = np.arange(200) < 77
    parts = [whole.part(first), whole.part(~first)]
    together, alone = pool(parts).to_json(), pool([whole]).to_json()
    assert together.pop("n_trains") == 2
    assert alone.pop("n_trains") == 1
    for told in (together, alone):
        told["teacher_forced"].pop("bias_margin")  # knows which steps follow each other
    assert together == alone


def test_a_supply_that_delivers_next_to_nothing_is_judged_against_the_floor() -> None:
    table = supplied(0.9999, 1e-4, 0.0)
    dearer = replace(table, energy=table.energy * np.array([1, 2, 1])[:, None, None, None])
    found = pool([errors_of(dearer, *pair) for pair in circuit(table)])
    assert found.energy_error_by_supply == pytest.approx({"s0": 0, "s1": 1}, abs=1e-12)
    assert found.judged_energy_error_by_supply["s1"] == pytest.approx(1e-4 / SUPPLY_FLOOR)
    assert found.judged_energy_error_by_supply["s2"] == 0
    assert found.bars()["energy_error_by_supply"].met


def test_a_silent_circuit_agrees_with_a_silent_table_and_not_with_one_that_fires() -> None:
    silence = Drive(v_mem=0.0, q_exc=(0.5, 0.0), q_inh=(0.0, 0.2))
    sample = Sample(v_mem=(0.0, 0.5, 0.3), spikes=(0, 0), energy=((0.0, 0.0),))
    found = pool([errors_of(TABLE, silence, sample)])
    assert (found.spikes_matched, found.extra, found.spike_count_error, found.energy_error) == (1, 0, 0, 0)
    assert np.isnan(found.latency.p50)
    eager = replace(TABLE, edge=TABLE.edge * 0.4)
    found = pool([errors_of(eager, silence, sample)])
    assert (found.extra, found.spike_count_error, found.energy_error) == (1, 1, np.inf)


def test_nothing_that_could_not_be_found_meets_a_bar() -> None:
    apart = Sample(v_mem=(0.0, 0.0), spikes=(3,), energy=((3.0,),))
    found = pool([errors_of(TABLE, Drive(v_mem=0.0, q_exc=(0.1,), q_inh=(0.0,)), apart)])
    assert np.isnan(found.v_mem_rmse)
    assert found.spikes_disagreeing == 1
    assert not found.bars()["v_mem_rmse"].met
    assert not found.bars()["bias"].met


def test_a_bias_of_either_sign_misses_the_bar() -> None:
    found = judge({"bias": -2 * BARS["bias"], "spikes_matched": 1.0, "unknown": 3.0})
    assert found.keys() == {"bias", "spikes_matched"}
    assert (found["bias"].found, found["bias"].met) == (2 * BARS["bias"], False)
    assert found["spikes_matched"].met


def test_what_failed_is_reported_and_nothing_but_failures_is_an_error() -> None:
    drive, sample = circuit(TABLE, 1)[0]
    with pytest.raises(TableError, match=r"the simulation at .* failed, so there is nothing .*: gone"):
        errors_of(TABLE, drive, Sample(failure="gone"))
    assert pool([errors_of(TABLE, drive, sample)], ["gone"]).to_json()["failures"] == ["gone"]
    with pytest.raises(TableError, match=r"no simulation succeeded, so there is nothing .*: gone"):
        pool([], ["gone"])


def test_a_free_run_is_the_step_iterated() -> None:
    exc, inh = np.array([0.6, 0.6, 0.0]), np.array([0.0, 0.0, 2.0])
    run = free_run(TABLE, 0.0, exc, inh)
    assert run.spikes.tolist() == [0, 1, 0]
    np.testing.assert_allclose(run.v_mem, [0.6, 0.2, -1.0], atol=1e-12)
    np.testing.assert_allclose(run.energy, [[0, 1, 0]])


def test_figures_are_plain_data() -> None:
    found = pool([errors_of(TABLE, *pair) for pair in circuit(TABLE)]).to_json()
    assert json.loads(json.dumps(found)) == found
    assert found["bars"].keys() == BARS.keys()
    assert found["v_neg"] == -1.0
