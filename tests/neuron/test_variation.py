"""Mismatched neurons: the definition in numpy, the nominal neuron where nothing varies, and populations as measured."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snncircuit import lookup
from snncircuit.errors import SimulationError
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.variation import NOMINAL, VariedNeuron, draw
from snncircuit.reference import ideal_table
from snncircuit.table import OperatingTable
from tests.network.event.drawn import measured, smooth

TABLES = {
    "ideal": ideal_table(-1.0),
    "clocked": measured("nmp_clocked", -1.8),
    "two spikes": measured("nmp", -0.9),
    "smooth": smooth(5, 4, (20, 12)),
}
SHAPE = (4, 3, 2)
SIGMAS = np.array([0.05, 0.03, 0.04, 0.01, 0.02])


def nominal(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(NOMINAL, dtype=torch.float64).reshape(5, *[1] * len(shape)).repeat(1, *shape)


def drive(seed: int, images: int = 6) -> tuple[torch.Tensor, ...]:
    random = np.random.default_rng(seed)
    v = torch.from_numpy(random.uniform(-2.1, 1.9, (images, *SHAPE)))
    exc, inh = (torch.from_numpy(random.gamma(1.0, 0.6, (images, *SHAPE))) for _ in range(2))
    return v, exc, inh


def some(seed: int) -> np.ndarray:
    """Neurons that vary a lot, with correlations."""
    random = np.random.default_rng(seed)
    mix = np.eye(5) + 0.6 * np.eye(5, k=1)
    return np.array(NOMINAL) + random.standard_normal((300, 5)) @ mix * SIGMAS


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("seed", range(5))
def test_a_step_is_that_of_the_definition(name: str, seed: int) -> None:
    table: OperatingTable = TABLES[name]
    variation = draw(some(seed), SHAPE, np.random.default_rng(seed))
    neurons = VariedNeuron.of(CircuitNeuron(table, dtype=torch.float64), variation)
    v, exc, inh = drive(seed)
    found = neurons.step(v, exc, inh)
    each = np.moveaxis(variation.numpy(), 0, -1)
    expected = lookup.varied_step(table, each, v.numpy(), exc.numpy(), inh.numpy())
    assert np.array_equal(found.spikes.numpy(), expected.spikes)
    np.testing.assert_allclose(found.v_mem.numpy(), expected.v_mem, rtol=0, atol=1e-12)
    total = sum(
        sum(joule for term, joule in terms.items() if term != "pump")
        for terms in neurons.energies(found.tally).values()
    )
    assert total == pytest.approx(expected.energy.sum(), rel=1e-9)
    assert (found.tally.v_low, found.tally.v_high) == (float(found.v_mem.min()), float(found.v_mem.max()))


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neurons_that_do_not_vary_are_the_nominal_one_bit_for_bit(name: str, dtype: torch.dtype) -> None:
    plain = CircuitNeuron(TABLES[name], dtype=dtype)
    varied = VariedNeuron.of(plain, nominal(SHAPE))
    v, exc, inh = drive(1)
    for _ in range(10):
        expected, found = plain.step(v, exc, inh), varied.step(v, exc, inh)
        assert torch.equal(expected.spikes, found.spikes)
        assert torch.equal(expected.v_mem, found.v_mem)
        assert expected.tally.occupancy is not None
        assert found.tally.occupancy is not None
        assert torch.equal(expected.tally.occupancy, found.tally.occupancy)
        assert plain.energies(expected.tally) == varied.energies(found.tally)
        v = expected.v_mem


def test_each_parameter_does_what_it_says() -> None:
    """On the ideal neuron, where all is known in closed form; one neuron for each parameter and a nominal one."""
    variation = nominal((6,))
    for parameter, value in enumerate((1.25, 0.5, 1.25, -0.0625, 0.75)):
        variation[parameter, parameter] = value
    neurons = VariedNeuron.of(CircuitNeuron(ideal_table(-4.0), dtype=torch.float64), variation)
    rest = torch.zeros(1, 6, dtype=torch.float64)
    excited = neurons.step(rest, rest + 0.5, rest)
    assert excited.v_mem[0].tolist() == pytest.approx([0.625, 0.5, 0.5, 0.4375, 0.5, 0.5])
    inhibited = neurons.step(rest, rest, rest + 0.5)
    assert inhibited.v_mem[0].tolist() == pytest.approx([-0.5, -0.25, -0.5, -0.5625, -0.5, -0.5])
    fired = neurons.step(rest, rest + 1.125, rest)
    assert fired.spikes[0].tolist() == [1, 1, 0, 1, 1, 1]
    assert fired.v_mem[0].tolist() == pytest.approx([0.40625, 0.125, 1.125, 0.0625, 0.375, 0.125])


def test_neurons_in_another_order_are_the_same_neurons() -> None:
    variation = draw(some(2), SHAPE, np.random.default_rng(2))
    neurons = VariedNeuron.of(CircuitNeuron(TABLES["clocked"]), variation)
    rows = neurons.arranged(lambda x: x.movedim(1, -1).flatten(1))
    assert rows.population == (24,)
    assert neurons.population == SHAPE
    v, exc, inh = drive(2)
    one = neurons.step(v, exc, inh)
    other = rows.step(*(t.movedim(1, -1).flatten(1) for t in (v, exc, inh)))
    assert torch.equal(one.v_mem.movedim(1, -1).flatten(1), other.v_mem)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_drawn_neurons_have_the_mean_and_covariance_of_the_measured_ones(seed: int, scale: float) -> None:
    neurons, count = some(seed), 4000
    found = draw(neurons, (count,), np.random.default_rng(seed), scale=scale).numpy()
    expected = NOMINAL + scale * (neurons.mean(axis=0) - NOMINAL)
    sigma = scale * neurons.std(axis=0, ddof=1)
    assert (np.abs(found.mean(axis=1) - expected) <= 5 * sigma / count**0.5 + 1e-12).all()
    covariance = scale**2 * np.cov(neurons.T)
    unit = np.outer(sigma, sigma) + 1e-30
    assert (np.abs(np.cov(found) - covariance) / unit).max() <= 5 * (2 / count) ** 0.5


def test_a_draw_is_decided_by_its_generator_alone() -> None:
    neurons = some(0)
    one, again, other = (draw(neurons, SHAPE, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    flat = draw(neurons, (24,), np.random.default_rng(3))
    assert torch.equal(one.reshape(5, 24), flat)


def test_what_does_not_vary_is_drawn_as_it_was_measured() -> None:
    neurons = some(0)
    neurons[:, 3] = 0.25
    found = draw(neurons, (50,), np.random.default_rng(0))
    assert (found[3] == 0.25).all()
    assert float(found[0].std()) > 0


@given(arrays(float, (5, 5), elements=st.floats(-3, 3)))
def test_gains_are_never_negative(neurons: np.ndarray) -> None:
    assert float(draw(neurons, (20,), np.random.default_rng(0), scale=10.0)[:2].min()) >= 0


@pytest.mark.parametrize("shape", [(1, 5), (7, 4), (5,)])
def test_too_little_to_draw_from_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        SimulationError, match=r"measured variation of shape .* expected two or more neurons of 5 numbers"
    ):
        draw(np.ones(shape), (2,), np.random.default_rng(0))


@pytest.mark.parametrize(("value", "scale"), [(np.nan, 1.0), (1.0, -1.0), (1.0, np.inf)])
def test_a_draw_of_what_is_not_finite_is_refused(value: float, scale: float) -> None:
    with pytest.raises(SimulationError, match="must be finite, and its scale"):
        draw(np.full((3, 5), value), (2,), np.random.default_rng(0), scale=scale)


def test_variations_that_cannot_be_are_refused() -> None:
    plain = CircuitNeuron(ideal_table(-1.0))
    with pytest.raises(
        SimulationError, match=r"shape \(4, 3\): expected finite gain_exc, gain_inh, threshold, leak"
    ):
        VariedNeuron.of(plain, torch.ones(4, 3))
    with pytest.raises(SimulationError, match=r"expected finite gain_exc"):
        VariedNeuron.of(plain, torch.full((5, 3), torch.nan))
    with pytest.raises(SimulationError, match=r"a gain of -0\.5: charges are never negative"):
        VariedNeuron.of(plain, torch.full((5, 3), -0.5))
