"""No way of pairing two trains within one step finds more partners, and every spike is counted once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from snncircuit.cosim.pairs import Pairs, pair

counts = st.lists(st.integers(0, 3), min_size=1, max_size=14)
both = st.integers(1, 14).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 3), min_size=n, max_size=n)] * 2)
)


def paired(spikes: list[int], own: list[int]) -> Pairs:
    return pair(np.array(spikes), np.array(own))


def best(spikes: list[int], own: list[int]) -> tuple[int, int]:
    """Most pairs, and most of the same step among them, by weighing every pair against every other."""
    mine, theirs = (np.repeat(np.arange(len(t)), t) for t in (spikes, own))
    apart = np.abs(mine[:, None] - theirs[None, :])
    worth = np.where(apart <= 1, 1000 + (apart == 0), 0)
    total = int(worth[linear_sum_assignment(worth, maximize=True)].sum())
    return total // 1000, total % 1000


@given(both)
def test_as_many_partners_as_any_pairing_and_as_many_in_the_same_step(
    trains: tuple[list[int], list[int]],
) -> None:
    found = paired(*trains)
    pairs = int((found.early + found.same + found.late).sum())
    assert (pairs, int(found.same.sum())) == best(*trains)


@given(both)
def test_every_spike_has_one_partner_or_none(trains: tuple[list[int], list[int]]) -> None:
    found = paired(*trains)
    for part in (found.early, found.same, found.late, found.missed, found.extra):
        assert part.min() >= 0
    np.testing.assert_array_equal(found.early + found.same + found.late + found.missed, trains[0])
    partners = found.same.copy()
    partners[:-1] += found.early[1:]
    partners[1:] += found.late[:-1]
    np.testing.assert_array_equal(partners + found.extra, trains[1])


@given(counts)
def test_a_train_is_its_own_partner_step_by_step(train: list[int]) -> None:
    np.testing.assert_array_equal(paired(train, train).same, train)


def test_a_shifted_train_is_all_early_or_all_late() -> None:
    train = [0, 0, 2, 0, 1, 0, 3, 0, 0]
    late = paired(train, np.roll(train, 1).tolist())
    early = paired(train, np.roll(train, -1).tolist())
    np.testing.assert_array_equal(late.late, train)
    np.testing.assert_array_equal(early.early, train)


def test_partners_two_steps_apart_are_a_missed_and_an_extra_spike() -> None:
    found = paired([0, 1, 0, 0, 0], [0, 0, 0, 1, 0])
    assert found.missed.tolist() == [0, 1, 0, 0, 0]
    assert found.extra.tolist() == [0, 0, 0, 1, 0]
