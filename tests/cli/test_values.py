"""Numbers as they are typed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.cli.values import parse_values

steps = st.decimals(min_value=Decimal("0.001"), max_value=10, places=3)
starts = st.decimals(min_value=-10, max_value=10, places=3)


def test_a_range_holds_both_ends_and_exact_decimals() -> None:
    assert parse_values("0:-1.8:-0.2") == (0.0, -0.2, -0.4, -0.6, -0.8, -1.0, -1.2, -1.4, -1.6, -1.8)


def test_lists_and_ranges_mix_and_repeated_values_count_once() -> None:
    assert parse_values("0:-1.8:-0.9, -0.5,-0.9") == (0.0, -0.9, -1.8, -0.5)


def test_minus_zero_is_zero() -> None:
    assert [str(value) for value in parse_values("-0.0,0")] == ["0.0"]


@given(start=starts, step=steps, count=st.integers(0, 50))
def test_a_range_of_n_steps_is_n_plus_one_values_that_print_as_typed(
    start: Decimal, step: Decimal, count: int
) -> None:
    values = parse_values(f"{start}:{start + count * step}:{step}")
    assert [Decimal(repr(value)) for value in values] == [start + index * step for index in range(count + 1)]


@given(start=starts, step=steps, count=st.integers(1, 50))
def test_a_range_runs_down_as_it_runs_up(start: Decimal, step: Decimal, count: int) -> None:
    stop = start + count * step
    assert parse_values(f"{stop}:{start}:{-step}") == tuple(reversed(parse_values(f"{start}:{stop}:{step}")))


@pytest.mark.parametrize("text", ["", "a", "1:2", "1:2:3:4", "0:inf:1", "nan", "1,,2", "1e999:2:1"])
def test_what_is_no_list_of_numbers_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected e\.g\. 0:-1\.8:-0\.2|never reaches"):
        parse_values(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0:-1.8:0.2", "the step must be negative, it is 0.2"),
        ("0:1.8:-0.2", "the step must be positive, it is -0.2"),
        ("0:1:0", "the step must be positive, it is 0"),
        ("0:1e6:1", "1000001 values; at most 10000"),
    ],
)
def test_a_range_that_never_ends_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_values(text)
