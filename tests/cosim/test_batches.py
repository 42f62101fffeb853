"""The interval of a mean covers it as often as it says, also when steps that follow each other err alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from snncircuit.cosim.batches import BATCH, margin


@pytest.mark.parametrize("alike", [1, 10])
def test_nineteen_of_twenty_intervals_hold_the_true_mean(alike: int) -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        trains = [np.repeat(random.normal(0.3, 1.0, 600 // alike), alike) for _ in range(2)]
        held += abs(np.concatenate(trains).mean() - 0.3) <= margin(trains)
    assert held / 400 == pytest.approx(0.95, abs=0.03)


def test_steps_that_err_alike_tell_less() -> None:
    values = np.random.default_rng(6).normal(size=1000)
    assert margin([np.repeat(values[:100], 10)]) > 2 * margin([values])


def test_the_margin_is_in_the_unit_of_the_values_and_knows_no_offset() -> None:
    values = np.random.default_rng(7).normal(size=500)
    assert margin([3.0 * values + 2.0]) == pytest.approx(3.0 * margin([values]))


def test_missing_steps_do_not_count() -> None:
    values = np.random.default_rng(8).normal(size=4 * BATCH)
    gap = values.copy()
    gap[BATCH : 2 * BATCH] = math.nan
    assert margin([gap]) == pytest.approx(margin([values[:BATCH], values[2 * BATCH :]]))


def test_less_than_two_batches_tell_nothing() -> None:
    assert margin([np.zeros(2 * BATCH - 1)]) == math.inf
    assert margin([np.full(5 * BATCH, math.nan)]) == math.inf
