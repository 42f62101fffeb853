"""Charge trains repeat with their seed, meet every kind of drive, and each kind does what it is for."""

import numpy as np
import pytest

from snncircuit.characterise.trains import KINDS, Trains, trains
from snncircuit.cosim.train_errors import free_run
from snncircuit.reference import ideal_table

TABLE = ideal_table(-1.0, q_common=4.0)
NAMES = list(KINDS)


def membrane(made: Trains, neuron: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return free_run(TABLE, 0.0, made.q_exc[neuron], made.q_inh[neuron]).v_mem


def test_trains_repeat_with_their_seed() -> None:
    first, again, other = (trains(TABLE, 2, 200, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.q_exc, again.q_exc)
    np.testing.assert_array_equal(first.q_inh, again.q_inh)
    assert not np.array_equal(first.q_exc, other.q_exc)


@pytest.mark.parametrize(("n_neurons", "n_steps"), [(1, 400), (2, 200), (3, 100), (5, 60), (7, 60)])
def test_every_kind_is_met_however_few_the_neurons(n_neurons: int, n_steps: int) -> None:
    made = trains(TABLE, n_neurons, n_steps, 3)
    assert set(made.kind.ravel().tolist()) == set(range(len(KINDS)))
    assert made.q_exc.shape == made.q_inh.shape == made.kind.shape == (n_neurons, n_steps)


def test_a_train_may_be_shorter_than_there_are_kinds() -> None:
    assert trains(TABLE, 1, 2, 0).kind.tolist() == [[0, 1]]


def test_charges_are_never_negative_nor_beyond_the_table() -> None:
    small = ideal_table(-1.0, q_common=0.5)
    made = trains(small, 5, 200, 1)
    for charges in (made.q_exc, made.q_inh):
        assert charges.min() >= 0
        assert charges.max() == 0.5


def test_drives_are_the_trains_in_coulombs_from_rest() -> None:
    made = trains(TABLE, 2, 30, 1)
    drives = made.drives(TABLE)
    assert [d.v_mem for d in drives] == [TABLE.rest] * 2
    np.testing.assert_allclose([d.q_exc for d in drives], made.q_exc * TABLE.figures["threshold_charge"])


def test_random_drives_go_both_ways() -> None:
    made = trains(TABLE, 5, 500, 2)
    exc, inh = (q[made.kind == NAMES.index("random")] for q in (made.q_exc, made.q_inh))
    assert (exc > inh).mean() > 0.1
    assert (exc < inh).mean() > 0.01


def test_a_parked_membrane_stays_just_below_the_edge_and_fires_when_sent_over_it() -> None:
    made = trains(TABLE, 5, 400, 2)
    (neuron,) = np.nonzero((made.kind == NAMES.index("parking")).all(axis=1))[0]
    v = membrane(made, neuron)
    assert ((v > 0.97) & (v <= 0.99 + 1e-9)).mean() > 0.9
    assert free_run(TABLE, 0.0, made.q_exc[neuron], made.q_inh[neuron]).spikes.sum() == 10


def test_silence_lasts_for_most_of_the_steps() -> None:
    made = trains(TABLE, 5, 400, 2)
    (neuron,) = np.nonzero((made.kind == NAMES.index("silence")).all(axis=1))[0]
    quiet = (made.q_exc[neuron] == 0) & (made.q_inh[neuron] == 0)
    assert quiet[50:350].all()
    assert not quiet[:50].any()


def test_the_rail_is_reached_and_left_again() -> None:
    made = trains(TABLE, 5, 400, 2)
    (neuron,) = np.nonzero((made.kind == NAMES.index("rail")).all(axis=1))[0]
    v = membrane(made, neuron)
    assert (np.abs(v[:133] + 1.0) < 1e-9).mean() > 0.3
    assert v[133:].max() > 0.5


def test_bursts_have_silence_between_them() -> None:
    made = trains(TABLE, 5, 400, 2)
    (neuron,) = np.nonzero((made.kind == NAMES.index("bursts")).all(axis=1))[0]
    busy = made.q_exc[neuron] + made.q_inh[neuron] > 0
    assert 0.2 < busy.mean() < 0.7
    assert made.q_exc[neuron].max() > 1.0
    assert made.q_inh[neuron].max() > 0.3
