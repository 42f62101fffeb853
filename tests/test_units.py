import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.errors import UnitError
from snncircuit.units import SCALE, engineering, format_number, parse_number
from tests.strategies import finite


@given(finite)
def test_a_float_survives_being_written_and_read(value: float) -> None:
    assert parse_number(format_number(value)) == value


@given(st.decimals(0, 1000, places=3), st.sampled_from([s for s in SCALE if s != "mil"]))
def test_a_scaled_number_is_the_float_nearest_to_the_decimal(mantissa: object, scale: str) -> None:
    power = {
        "t": 12,
        "g": 9,
        "meg": 6,
        "k": 3,
        "": 0,
        "m": -3,
        "u": -6,
        "n": -9,
        "p": -12,
        "f": -15,
        "a": -18,
    }[scale]
    assert parse_number(f"{mantissa}{scale}") == float(f"{mantissa}e{power}")


@given(st.sampled_from(["v", "F", "Hz", "ohm"]))
def test_letters_after_the_scale_are_a_unit(unit: str) -> None:
    assert parse_number(f"2.5u{unit}") == parse_number("2.5U") == 2.5e-6


def test_the_scales_of_spice_are_not_those_of_si() -> None:
    assert parse_number("1M") == 1e-3
    assert parse_number("1MEG") == 1e6
    assert parse_number("1mil") == pytest.approx(25.4e-6)


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_a_unit_error(text: str) -> None:
    try:
        value = parse_number(text)
    except UnitError:
        return
    assert abs(value) < float("inf")


@pytest.mark.parametrize(
    "text", ["5oof", "1farad", "1amp", "2,5u", "1 u", "1e", "0x1", "1K\u212a", "", "u", "1megx", "\u0661"]
)
def test_a_slip_of_the_pen_is_no_number(text: str) -> None:
    with pytest.raises(UnitError, match="is not a number"):
        parse_number(text)


def test_what_is_no_number_is_named() -> None:
    with pytest.raises(
        UnitError, match=r"'ten' is not a number; expected a SPICE number such as 2.5u, scales: t g meg k"
    ):
        parse_number("ten")
    with pytest.raises(UnitError, match="'1e999' is out of the range of a float"):
        parse_number("1e999")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_netlist_holds_finite_numbers_only(value: float) -> None:
    with pytest.raises(UnitError, match="a netlist cannot hold"):
        format_number(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.5e-13, "250 fJ"),
        (0.0, "0 J"),
        (-1.8, "-1.8 J"),
        (9.999e-13, "1 pJ"),
        (1e-30, "1e-12 aJ"),
        (float("inf"), "inf J"),
    ],
)
def test_people_read_prefixes(value: float, text: str) -> None:
    assert engineering(value, "J") == text


@given(st.floats(1e-18, 1e14))
def test_a_prefix_changes_a_value_by_rounding_only(value: float) -> None:
    number, unit = engineering(value, "J", 6).split()
    scale = {
        "a": 1e-18,
        "f": 1e-15,
        "p": 1e-12,
        "n": 1e-9,
        "µ": 1e-6,
        "m": 1e-3,
        "k": 1e3,
        "M": 1e6,
        "G": 1e9,
        "T": 1e12,
    }
    assert float(number) * scale.get(unit[:-1], 1.0) == pytest.approx(value, rel=1e-5)
