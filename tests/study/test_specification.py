import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.errors import SimulationError
from snncircuit.study.specification import Distribution, Specification, wilson

specifications = st.builds(
    Specification,
    figure=st.sampled_from(["accuracy", "mse", "energy"]),
    least=st.booleans(),
    limit=st.floats(-1e6, 1e6).map(lambda x: float(f"{x:g}")),
)


@given(specifications)
def test_a_specification_is_read_as_it_is_written(specification: Specification) -> None:
    assert Specification.parse(str(specification)) == specification


@given(specifications, st.floats(-1e6, 1e6))
def test_a_specification_is_met_at_its_limit_and_on_one_side_of_it(
    specification: Specification, value: float
) -> None:
    assert specification.met({specification.figure: specification.limit})
    met = specification.met({specification.figure: value})
    assert met == (value >= specification.limit if specification.least else value <= specification.limit)
    assert not specification.met({specification.figure: None})
    assert not specification.met({})


@pytest.mark.parametrize(
    "text", ["", "accuracy", "accuracy>0.9", "speed>=3", "accuracy>=", "accuracy>=a", "mse<=1.2.3", "mse<=."]
)
def test_what_is_no_specification_is_refused(text: str) -> None:
    with pytest.raises(SimulationError, match=r"^specification '"):
        Specification.parse(text)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_fractions_that_are_two_sigma_from_what_was_seen(
    counts: tuple[int, int],
) -> None:
    """Wilson's bounds p solve |p - share| = z sqrt(p (1 - p) / n)."""
    met, of = counts
    low, high = wilson(met, of)
    assert 0 <= low <= met / of <= high <= 1
    for bound in (low, high):
        if 0 < bound < 1:
            distance = 1.959963984540054 * math.sqrt(bound * (1 - bound) / of)
            assert abs(bound - met / of) == pytest.approx(distance, rel=1e-6, abs=1e-9)
    assert wilson(of - met, of) == pytest.approx((1 - high, 1 - low))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=50))
def test_a_distribution_is_of_its_values(values: list[float]) -> None:
    found = Distribution.of(values, 0.5)
    assert found.values == tuple(values)
    assert found.nominal == 0.5
    assert found.mean == pytest.approx(np.mean(values))
    assert found.sigma == pytest.approx(np.std(values, ddof=1))
    assert min(values) <= found.p5 <= found.p50 <= found.p95 <= max(values)


def test_one_chip_has_no_sigma() -> None:
    assert math.isnan(Distribution.of([0.9], 0.8).sigma)
