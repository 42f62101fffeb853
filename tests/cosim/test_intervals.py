"""Resampled figures are the figures of the resample, and intervals are as wide as theory has them."""

from dataclasses import replace

import numpy as np
import pytest

from snncircuit.characterise.drive import Drive, Sample
from snncircuit.cosim.agreement import TrainErrors, errors_of, pool
from snncircuit.cosim.intervals import FIGURES, Sums, bootstrap
from snncircuit.reference import ideal_table
from snncircuit.table import OperatingTable, Supply


def table() -> OperatingTable:
    """The ideal neuron with a second supply that costs what is on the first."""
    ideal = ideal_table(-1.0)
    return replace(
        ideal,
        energy=np.concatenate([ideal.energy + 0.5, 0.01 + 0.3 * ideal.energy]),
        energy_exc=np.array([0.2, 0.0]),
        energy_inh=np.array([0.0, 0.1]),
        supplies=(*ideal.supplies, Supply(name="vneg", kind="rail", voltage=-1.0)),
    )


def trains(n: int, n_steps: int = 60, seed: int = 3) -> list[TrainErrors]:
    """Errors of a circuit that is its table but for noise on membrane and energy, and a spike lost now and then."""
    random, at = np.random.default_rng(seed), table()
    found = []
    for _ in range(n):
        exc, inh = random.gamma(2.0, 0.25, n_steps), random.gamma(2.0, 0.1, n_steps)
        spikes = random.integers(0, 2, n_steps)
        sample = Sample(
            v_mem=tuple(random.normal(0.3, 0.3, n_steps + 1)),
            spikes=tuple(spikes.tolist()),
            energy=(tuple(random.uniform(1, 2, n_steps)), tuple(random.uniform(0, 0.01, n_steps))),
        )
        found.append(errors_of(at, Drive(v_mem=0.0, q_exc=tuple(exc), q_inh=tuple(inh)), sample))
    return found


def test_sums_make_the_figures_that_pooling_makes() -> None:
    some = trains(7)
    figures = Sums.of(some).weighted(np.ones(7))
    expected = pool(some)
    assert set(figures.figures()) == set(FIGURES)
    for name, value in figures.figures().items():
        assert value == pytest.approx(getattr(expected, name), rel=1e-9, abs=1e-15), name
    judged = list(expected.judged_energy_error_by_supply.values())
    np.testing.assert_allclose(figures.by_supply(), judged, rtol=1e-9)
    twice = pool([*some, some[2]])
    weighted = Sums.of(some).weighted(np.array([1.0, 1, 2, 1, 1, 1, 1])).figures()
    assert weighted["bias"] == pytest.approx(twice.bias)
    assert weighted["energy_error"] == pytest.approx(twice.energy_error)


def test_neurons_that_never_spike_or_never_agree_have_figures_too() -> None:
    (one,) = trains(1)
    silent = replace(one, forced_error=np.full_like(one.forced_error, np.nan), energy=one.energy * 0)
    figures = Sums.of([silent]).figures()
    assert figures["spikes_disagreeing"] == 1
    assert figures["v_mem_rmse"] == 0
    assert figures["energy_error"] == np.inf


def test_an_interval_is_as_wide_as_the_standard_error_says() -> None:
    some = trains(60)
    found = bootstrap(some, ["fc1"] * 60, seed=1)
    assert found is not None
    low, high = found.figures["bias"]
    means = np.array([np.nanmean(t.forced_error) for t in some])
    assert high - low == pytest.approx(2 * 1.96 * means.std(ddof=1) / np.sqrt(60), rel=0.2)
    for name, (low, high) in found.figures.items():
        if name not in {
            "spike_count_error",
            "energy_error",
        }:  # sizes: where the error is about 0 they lie above it
            assert low <= getattr(pool(some), name) <= high
    assert set(found.by_supply) == {"vdd", "vneg"}
    assert found == bootstrap(some, ["fc1"] * 60, seed=1)
    assert found != bootstrap(some, ["fc1"] * 60, seed=2)
    assert found.to_json()["bias"] == list(found.figures["bias"])


def test_neurons_that_are_alike_leave_no_doubt_and_groups_keep_their_size() -> None:
    one, other = trains(2)
    same = bootstrap([one, one, one], ["fc1"] * 3, seed=0)
    assert same is not None
    for low, high in same.figures.values():
        assert high - low == pytest.approx(0, abs=1e-12)
    # Each group is made of equal neurons, so that no resample differs from the sample.
    groups = bootstrap([one, one, other, other], ["fc1", "fc1", "fc2", "fc2"], seed=0)
    assert groups is not None
    low, high = groups.figures["v_mem_rmse"]
    assert low == pytest.approx(high)
    assert bootstrap([one, other], ["fc1", "fc2"], seed=0) is None
