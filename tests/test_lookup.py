"""Reading a table of the ideal neuron is the ideal neuron."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snncircuit import lookup
from snncircuit.reference import ideal_table

charges = st.floats(0, 8, allow_nan=False)


@given(v=st.floats(-3, 1), exc=charges, inh=charges, v_lb=st.floats(-3, 0))
def test_the_ideal_table_steps_like_the_ideal_neuron(v: float, exc: float, inh: float, v_lb: float) -> None:
    v = max(v, v_lb)
    answer = lookup.step(ideal_table(v_lb), v, exc, inh)
    x = v + (exc - inh)
    spikes = int(x >= 1)
    assert answer.spikes == spikes
    assert abs(answer.v_mem - max(x - spikes, v_lb)) < 1e-8
    assert abs(answer.energy.sum() - spikes) < 1e-12


def test_the_membrane_beyond_the_table_is_that_of_its_end() -> None:
    table = ideal_table(-1.0)
    assert lookup.step(table, 0.0, 100.0, 0.0).v_mem == lookup.step(table, 0.0, 50.0, 0.0).v_mem
    assert lookup.step(table, 0.0, 0.0, 100.0).v_mem == -1.0


def test_a_fraction_between_nodes_is_linear() -> None:
    nodes = np.array([0.0, 1.0, 4.0])
    index, part = lookup.bracket(nodes, np.array([-1.0, 0.0, 0.25, 1.0, 2.5, 4.0, 9.0]))
    np.testing.assert_array_equal(index, [0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(part, [0.0, 0.0, 0.25, 0.0, 0.5, 1.0, 1.0])


numbers = st.tuples(
    st.floats(0.5, 2), st.floats(0.5, 2), st.floats(0.8, 1.2), st.floats(-0.05, 0.05), st.floats(0.8, 1.2)
)


@given(v=st.floats(-2, 1), exc=charges, inh=charges)
def test_the_nominal_numbers_change_no_bit(v: float, exc: float, inh: float) -> None:
    table = ideal_table(-1.0)
    plain, varied = lookup.step(table, v, exc, inh), lookup.varied_step(table, (1, 1, 1, 0, 1), v, exc, inh)
    assert (varied.v_mem, varied.spikes) == (plain.v_mem, plain.spikes)
    np.testing.assert_array_equal(varied.energy, plain.energy)


@given(numbers=numbers, v=st.floats(-1, 0.7), exc=st.floats(0, 3), inh=st.floats(0, 3))
def test_each_number_does_to_the_ideal_neuron_what_it_says(
    numbers: tuple[float, float, float, float, float], v: float, exc: float, inh: float
) -> None:
    gain_exc, gain_inh, threshold, leak, reset = numbers
    answer = lookup.varied_step(ideal_table(-20.0), numbers, v, exc, inh)
    x = v + gain_exc * exc - gain_inh * inh
    if abs(x - threshold) > 1e-9:
        assert answer.spikes == int(x >= threshold)
        assert abs(answer.v_mem - (x - answer.spikes * reset + leak)) < 1e-7


def test_a_population_has_its_numbers_neuron_by_neuron() -> None:
    table, random = ideal_table(-1.0), np.random.default_rng(0)
    each = random.uniform(0.9, 1.1, (7, 5)) - [0, 0, 0, 1, 0]
    v, exc, inh = random.uniform(-1, 1, 7), random.uniform(0, 1, 7), random.uniform(0, 1, 7)
    together = lookup.varied_step(table, each, v, exc, inh)
    for k in range(7):
        alone = lookup.varied_step(table, each[k], v[k], exc[k], inh[k])
        assert (together.v_mem[k], together.spikes[k]) == (alone.v_mem, alone.spikes)
