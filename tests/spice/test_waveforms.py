import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.errors import SimulationError
from snncircuit.spice.waveforms import Array, Waveforms

levels = st.lists(st.floats(-2, 2).filter(lambda v: abs(v) > 1e-6), min_size=2, max_size=30)


def waves(values: list[float] | Array) -> Waveforms:
    signal = np.asarray(values, dtype=np.float64)
    return Waveforms(time=np.linspace(0.0, 1.0, signal.size), signals={"v(a)": signal})


@given(levels, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_an_integral_is_the_sum_of_its_parts(values: list[float], a: float, b: float, c: float) -> None:
    w = waves(values)
    parts = w.integral("v(a)", a, b) + w.integral("v(a)", b, c)
    assert w.integral("v(a)", a, c) == pytest.approx(parts, abs=1e-12)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0, 1), st.floats(0, 1))
def test_the_integral_of_a_line_is_exact(slope: float, offset: float, a: float, b: float) -> None:
    w = waves(offset + slope * np.linspace(0, 1, 7))
    assert w.integral("v(a)", a, b) == pytest.approx(offset * (b - a) + slope * (b**2 - a**2) / 2, abs=1e-12)


@given(levels)
def test_the_signal_passes_through_its_points(values: list[float]) -> None:
    w = waves(values)
    assert w.at("v(a)", w.time).tolist() == values
    assert [w.at("v(a)", float(t)) for t in w.time] == values


def test_outside_the_analysis_the_end_values_hold() -> None:
    w = waves([1.0, 3.0])
    assert (w.at("v(a)", -5.0), w.at("v(a)", 5.0)) == (1.0, 3.0)


@given(levels)
def test_what_rises_through_a_level_and_ends_below_it_falls(values: list[float]) -> None:
    w = waves(values)
    up, down = w.crossings("v(a)", 0.0), w.crossings("v(a)", 0.0, rising=False)
    assert len(up) - len(down) == (values[-1] > 0) - (values[0] > 0)
    for t in (*up, *down):
        assert w.at("v(a)", float(t)) == pytest.approx(0.0, abs=1e-9)
    assert np.all(np.diff(up) > 0)


def test_an_unknown_signal_is_named_with_those_that_were_saved() -> None:
    with pytest.raises(SimulationError, match=r"no signal 'v\(b\)' among the waveforms; saved were: v\(a\)"):
        waves([0.0, 1.0]).at("v(b)", 0.5)
