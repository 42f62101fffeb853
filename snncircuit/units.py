"""SPICE numbers to and from floats in SI base units."""

import math
import re

from snncircuit.errors import UnitError

SCALE = {
    "t": 1e12,
    "g": 1e9,
    "meg": 1e6,
    "k": 1e3,
    "": 1.0,
    "mil": 25.4e-6,
    "m": 1e-3,
    "u": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
    "a": 1e-18,
}
# The scale is possessive: ngspice takes the first letter for one, so that 1farad is a femto and an unknown unit.
_NUMBER = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
    r"((?:meg|mil|[tgkmunpfa])?+)"
    r"(v|volts?|a|amps?|s|secs?|hz|f|farads?|h|ohms?|w|j|c|m|meters?)?",
    re.IGNORECASE | re.ASCII,
)
_PREFIX = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def parse_number(text: str) -> float:
    """The float of a SPICE number: ``2.5u`` is 2.5e-6, ``1meg`` 1e6, and a unit after the scale is ignored.

    Raises:
        UnitError: when the text is no number, with the scale letters that exist.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        msg = f"{text!r} is not a number; expected a SPICE number such as 2.5u, scales: {' '.join(k for k in SCALE if k)}"
        raise UnitError(msg)
    mantissa, scale, _unit = match.groups()
    # One decimal-to-binary rounding, so that "2.5u" equals 2.5e-6 exactly.
    exponent = SCALE[scale.lower()]
    value = float(mantissa) * exponent
    power = math.log10(exponent)
    if "e" not in mantissa.lower() and power == round(power):
        value = float(f"{mantissa}e{round(power)}")
    if not math.isfinite(value):
        msg = f"{text!r} is out of the range of a float"
        raise UnitError(msg)
    return value


def format_number(value: float) -> str:
    """The shortest text that SPICE and Python both read back as exactly this float.

    Raises:
        UnitError: when the value is infinite or not a number.
    """
    if not math.isfinite(value):
        msg = f"a netlist cannot hold {value!r}"
        raise UnitError(msg)
    return repr(float(value))


def engineering(value: float, unit: str, digits: int = 3) -> str:
    """A value for people, with an SI prefix: ``engineering(2.5e-13, "J")`` is ``250 fJ``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    # Rounded first, so that 999.9 fJ becomes 1 pJ and not 1e+03 fJ.
    rounded = float(f"{value:.{digits - 1}e}")
    power = min(12, max(-18, 3 * math.floor(math.log10(abs(rounded)) / 3 + 1e-12)))
    return f"{rounded / 10.0**power:.{digits}g} {_PREFIX[power]}{unit}"
