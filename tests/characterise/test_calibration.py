"""Calibration takes the mean error of a step out of a table, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from snncircuit import lookup
from snncircuit.characterise.calibration import SEED, calibrated, polished
from snncircuit.characterise.drive import Drive, Sample
from snncircuit.characterise.scale import Scale
from snncircuit.characterise.trains import trains
from snncircuit.reference import ideal_table
from snncircuit.table import OperatingTable

SCALE = Scale(rest=0.1, volts=0.9, charge=5e-13)
LEFT = 3e-3  # of a pulse, what reaches the membrane one step late, beyond what a single step shows of it


@pytest.fixture(scope="module")
def table() -> OperatingTable:
    """An ideal neuron with nodes in between."""
    ideal = ideal_table(-2.0)
    return replace(
        ideal,
        rest=SCALE.rest,
        figures={**ideal.figures, "threshold_charge": SCALE.charge, "threshold": SCALE.volts},
    )


def answer(
    table: OperatingTable, drive: Drive, *, left: float = 0.0, offset: float = 0.0, leak: float = 0.0
) -> Sample:
    """The neuron of a table, but for a membrane ``offset`` in each step, a part of each pulse that comes late, a leak without input."""
    exc, inh = (np.array(q) / SCALE.charge for q in (drive.q_exc, drive.q_inh))
    v, late = [(drive.v_mem - SCALE.rest) / SCALE.volts], 0.0
    spikes, energy = [], []
    for e, i in zip(exc, inh, strict=True):
        step = lookup.step(table, v[-1] + late, e, i)
        late = left * e
        v.append(float(step.v_mem) + offset + (leak if e == i == 0 else 0.0))
        spikes.append(int(step.spikes))
        energy.append(step.energy + offset)
    return Sample(
        v_mem=tuple(SCALE.rest + SCALE.volts * np.array(v)),
        spikes=tuple(spikes),
        energy=tuple(map(tuple, np.array(energy).T.tolist())),
    )


def drives(table: OperatingTable, seed: int = 1) -> list[Drive]:
    return trains(table, 5, 200, seed).drives(table)


def errors(table: OperatingTable, drive: Drive, sample: Sample) -> np.ndarray:
    v = (np.array(sample.v_mem) - SCALE.rest) / SCALE.volts
    exc, inh = (np.array(q) / SCALE.charge for q in (drive.q_exc, drive.q_inh))
    step = lookup.step(table, v[:-1], exc, inh)
    return (step.v_mem - v[1:])[step.spikes == np.array(sample.spikes)]


def test_a_table_that_is_right_stays_as_it_is(table: OperatingTable) -> None:
    asked = drives(table)
    moved = polished(table, SCALE, asked, [answer(table, d) for d in asked])
    np.testing.assert_allclose(moved.residual, table.residual, atol=1e-12)
    np.testing.assert_allclose(moved.energy, table.energy, atol=1e-12)


def test_an_error_that_is_the_same_everywhere_is_taken_out_everywhere(table: OperatingTable) -> None:
    asked = drives(table)
    moved = polished(table, SCALE, asked, [answer(table, d, offset=4e-3) for d in asked])
    np.testing.assert_allclose(moved.residual - table.residual, 4e-3, atol=1e-9)
    np.testing.assert_allclose(moved.energy - table.energy, 4e-3, atol=1e-9)


def test_no_node_moves_by_more_than_a_hundredth_of_a_threshold(table: OperatingTable) -> None:
    asked = drives(table)
    moved = polished(table, SCALE, asked, [answer(table, d, offset=3e-2) for d in asked])
    np.testing.assert_allclose(moved.residual - table.residual, 1e-2, atol=1e-9)


def test_charge_that_comes_late_leaves_little_bias_on_trains_of_another_seed(table: OperatingTable) -> None:
    run = calibrated(table, SCALE)
    asked = next(run)
    with pytest.raises(StopIteration) as end:
        run.send([answer(table, d, left=LEFT) for d in asked])
    moved = end.value.value
    unseen = drives(table, SEED + 1)
    samples = [answer(table, d, left=LEFT) for d in unseen]
    before, after = (
        np.concatenate([errors(t, d, s) for d, s in zip(unseen, samples, strict=True)])
        for t in (table, moved)
    )
    assert before.mean() < -3e-4
    # What is left is the share of steps without input, which are held against a membrane that no late charge reaches.
    assert abs(after.mean()) < 0.25 * abs(before.mean())


def test_a_membrane_without_input_is_told_better_than_trains_alone_would(table: OperatingTable) -> None:
    run = calibrated(table, SCALE)
    asked = next(run)
    samples = [answer(table, d, leak=1e-3) for d in asked]
    with pytest.raises(StopIteration) as end:
        run.send(samples)
    moving = [(d, s) for d, s in zip(asked, samples, strict=True) if any(d.q_exc + d.q_inh)]
    alone = polished(table, SCALE, [d for d, _ in moving], [s for _, s in moving])
    v = np.linspace(0.0, 0.97, 91)
    by_both, by_trains = (
        np.abs(lookup.step(t, v, 0.0, 0.0).v_mem - v - 1e-3).mean() for t in (end.value.value, alone)
    )
    assert by_both < 0.95 * by_trains


def test_what_a_membrane_does_in_its_first_step_without_input_alone_does_not_count(
    table: OperatingTable,
) -> None:
    run = calibrated(table, SCALE)
    asked = next(run)
    samples = [answer(table, d) for d in asked]

    def startled(drive: Drive, sample: Sample) -> Sample:
        if any(drive.q_exc + drive.q_inh):
            return sample
        v_mem = (sample.v_mem[0] - 5e-3 * SCALE.volts, *sample.v_mem[1:])
        return replace(sample, v_mem=v_mem, energy=tuple((e[0] + 1.0, *e[1:]) for e in sample.energy))

    with pytest.raises(StopIteration) as end:
        run.send([startled(d, s) for d, s in zip(asked, samples, strict=True)])
    np.testing.assert_allclose(end.value.value.residual, table.residual, atol=1e-12)
    np.testing.assert_allclose(end.value.value.energy, table.energy, atol=1e-12)


def test_failed_samples_and_steps_that_spike_otherwise_do_not_count(table: OperatingTable) -> None:
    asked = drives(table)
    samples = [answer(table, d, offset=4e-3) for d in asked]
    misread = replace(samples[0], spikes=tuple(1 - n for n in samples[0].spikes))
    with_bad = [misread, replace(samples[1], failure="no convergence"), *samples[2:]]
    moved, expected = (
        polished(table, SCALE, asked, with_bad),
        polished(table, SCALE, asked[2:], samples[2:]),
    )
    np.testing.assert_allclose(moved.residual, expected.residual, atol=1e-12)
    nothing = polished(table, SCALE, asked[:1], [replace(samples[0], failure="no convergence")])
    assert nothing is table


def test_a_sheet_that_no_step_visited_is_not_moved(table: OperatingTable) -> None:
    silent = [Drive(v_mem=SCALE.rest, q_exc=(0.0,) * 20, q_inh=(0.0,) * 20)]
    moved = polished(table, SCALE, silent, [answer(table, d, offset=1e-3) for d in silent])
    np.testing.assert_array_equal(
        moved.residual[:, :, table.count == 1], table.residual[:, :, table.count == 1]
    )
    assert np.all(moved.residual[:, :, table.count == 0] > table.residual[:, :, table.count == 0])
