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
