"""The ideal neuron is its equation, keeps its charge, and fires at the rate of the closed form."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import EMPTY

charge = st.floats(0, 4)
membrane = st.floats(-3, 1)
bound = st.one_of(st.none(), st.floats(-2, 0))


def single(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


@given(membrane, charge, charge, bound, st.sampled_from(["subtract", "zero"]))
def test_a_step_is_its_equation(
    v_mem: float, q_exc: float, q_inh: float, v_lb: float | None, reset: str
) -> None:
    step = IdealNeuron(v_lb=v_lb, reset=reset).step(single(v_mem), single(q_exc), single(q_inh))
    x = v_mem + (q_exc - q_inh)
    fires = x >= 1
    v = (x - 1 if reset == "subtract" else 0.0) if fires else x
    floor = -math.inf if v_lb is None else v_lb
    assert step.spikes.item() == fires
    assert step.v_mem.item() == max(v, floor)
    assert step.tally.spikes == fires
    assert step.tally.clipped_charge == max(0.0, floor - v)
    assert (step.tally.q_exc, step.tally.q_inh) == (q_exc, q_inh)
    assert step.tally.v_low == step.tally.v_high == max(v, floor)
    assert step.tally.out_of_range == 0


def test_a_membrane_exactly_at_the_threshold_fires() -> None:
    assert IdealNeuron().step(single(0.5), single(0.75), single(0.25)).spikes.item() == 1


@pytest.mark.parametrize("v_lb", [None, 0.0, -0.5])
def test_charge_in_is_charge_on_the_membrane_plus_charge_spiked_minus_charge_the_bound_gave(
    v_lb: float | None,
) -> None:
    generator = torch.Generator().manual_seed(1)
    neuron = IdealNeuron(v_lb=v_lb)
    v, tally, charge_in = torch.zeros(50, dtype=torch.float64), EMPTY, 0.0
    for _ in range(200):
        q = torch.rand(2, 50, dtype=torch.float64, generator=generator)
        step = neuron.step(v, q[0], q[1])
        v, tally = step.v_mem, tally + step.tally
        charge_in += float((q[0] - q[1]).sum())
    assert charge_in == pytest.approx(float(v.sum()) + tally.spikes - tally.clipped_charge, abs=1e-9)
    assert (tally.clipped_charge > 0) == (v_lb is not None)


@pytest.mark.parametrize(
    ("mean", "sigma", "v_lb"),
    [
        (0.0, 0.3, 0.0),
        (0.0, 0.3, -1.0),
        (0.05, 0.2, -0.5),
        (0.2, 0.4, -2.0),
        (-0.05, 0.3, 0.0),
        (-0.03, 0.25, -0.3),
    ],
)
def test_gaussian_input_gives_the_closed_form_rate(mean: float, sigma: float, v_lb: float) -> None:
    generator = torch.Generator().manual_seed(2)
    neuron = IdealNeuron(v_lb=v_lb)
    v, spikes, warm, steps = torch.zeros(4000, dtype=torch.float64), 0.0, 300, 1500
    for index in range(steps):
        z = mean + sigma * torch.randn(4000, dtype=torch.float64, generator=generator)
        step = neuron.step(v, z.clamp(min=0), (-z).clamp(min=0))
        v = step.v_mem
        spikes += step.tally.spikes if index >= warm else 0.0
    rate = spikes / (4000 * (steps - warm))
    assert rate == pytest.approx(closed_form(mean, sigma, v_lb), rel=0.03)


def closed_form(mean: float, sigma: float, v_lb: float) -> float:
    """Random walk between a reflecting bound and an absorbing threshold, both moved by 0.5826 sigma for the step size."""
    over = 0.5826 * sigma
    if mean == 0:
        return sigma**2 / (1 + 2 * abs(v_lb) + 4 * over)
    upper, start, lower, k = 1 + over, over, v_lb - over, 2 * mean / sigma**2
    period = (upper - start) / mean - (math.exp(-k * (start - lower)) - math.exp(-k * (upper - lower))) / (
        mean * k
    )
    return 1 / period


def test_an_empty_population_adds_nothing() -> None:
    step = IdealNeuron(v_lb=-1.0).step(torch.zeros(0), torch.zeros(0), torch.zeros(0))
    assert step.tally == EMPTY


def test_it_burns_no_energy() -> None:
    assert IdealNeuron().energies(EMPTY) == {}


def test_a_bound_above_rest_is_refused() -> None:
    with pytest.raises(
        SimulationError, match=r"lower bound 0\.1 of the ideal neuron: expected a number <= 0 in thresholds"
    ):
        IdealNeuron(v_lb=0.1)


def test_an_unknown_reset_is_refused() -> None:
    with pytest.raises(
        SimulationError, match="reset 'half' of the ideal neuron: expected one of subtract, zero"
    ):
        IdealNeuron(reset="half")
