"""Readers of TOML values that know their place: each takes a value and gives it as it is kept, or says what was expected."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snncircuit.errors import CellError, UnitError
from snncircuit.units import parse_number

SUPPLY_NAMES = ("v_dd", "v_neg")
Volts = float | str


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file a value stands: the file and the keys that lead to it."""

    file: Path
    keys: tuple[str, ...]

    def at(self, key: str) -> Place:
        """The place of a key below this one."""
        return Place(self.file, (*self.keys, key))

    def error(self, expected: str, found: object) -> CellError:
        """The error to raise for a value here."""
        return CellError(f"{self}: expected {expected}, found {found!r:.80}")

    def __str__(self) -> str:
        return f"{self.file}: {'.'.join(self.keys)}" if self.keys else str(self.file)


Reader = Callable[[Any, Place], Any]


def read_table(
    data: object, place: Place, required: Mapping[str, Reader], optional: Mapping[str, tuple[Reader, Any]]
) -> dict[str, Any]:
    """A table with known keys; unknown ones are refused first, as they are mostly the missing ones misspelt."""
    if not isinstance(data, dict):
        raise place.error("a table", data)
    existing = ", ".join((*required, *optional))
    for key in data:
        if key not in required and key not in optional:
            msg = f"{place}: unknown key {key!r}; the keys here are: {existing}"
            raise CellError(msg)
    values = {}
    for key, reader in required.items():
        if key not in data:
            msg = f"{place}: the key {key!r} is missing; the keys here are: {existing}"
            raise CellError(msg)
        values[key] = reader(data[key], place.at(key))
    for key, (reader, default) in optional.items():
        values[key] = reader(data[key], place.at(key)) if key in data else default
    return values


def table(required: Mapping[str, Reader], optional: Mapping[str, tuple[Reader, Any]] | None = None) -> Reader:
    """A reader of tables with these keys; see :func:`read_table`."""
    return lambda value, place: read_table(value, place, required, optional or {})


def named(reader: Reader) -> Reader:
    """A table whose keys are names that the file chooses."""

    def read(value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise place.error("a table", value)
        return {key: reader(entry, place.at(key)) for key, entry in value.items()}

    return read


def read_text(value: Any, place: Place) -> str:
    """One printable line; raises CellError for anything else, as every reader does."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise place.error("a text in one line", value)
    return value


def read_number(value: Any, place: Place) -> float:
    """A finite float from a TOML number or a SPICE number in quotes."""
    if isinstance(value, str):
        try:
            return parse_number(value)
        except UnitError as error:
            msg = f"{place}: {error}"
            raise CellError(msg) from None
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            number = float(value)
    if not math.isfinite(number):
        raise place.error("a number, or a SPICE number such as '200n'", value)
    return number


def bounded(low: float, *, open_: bool = False) -> Reader:
    """A reader of numbers not below ``low``, or above it."""

    def read(value: Any, place: Place) -> float:
        number = read_number(value, place)
        if number < low or (open_ and number == low):
            raise place.error(f"a number {'above' if open_ else 'of at least'} {low:g}", value)
        return number

    return read


positive, not_negative = bounded(0.0, open_=True), bounded(0.0)


def read_count(value: Any, place: Place) -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise place.error("a whole number of at least 1", value)
    return value


def read_volts(value: Any, place: Place) -> Volts:
    """Volts, or the name of a swept supply."""
    if isinstance(value, str) and value in SUPPLY_NAMES:
        return value
    try:
        return read_number(value, place)
    except CellError:
        raise place.error(f"a voltage as a number, or one of {', '.join(SUPPLY_NAMES)}", value) from None


def read_direction(value: Any, place: Place) -> str:
    """``in`` or ``out``."""
    if value not in ("in", "out"):
        raise place.error(
            "'out' (synapses draw current out of the port) or 'in' (they push current into it)", value
        )
    return str(value)


def read_numbers(value: Any, place: Place) -> tuple[float, ...]:
    """Two or more numbers, ascending."""
    if not isinstance(value, list) or len(value) < 2:
        raise place.error("a list of two or more numbers", value)
    numbers = tuple(read_number(entry, place) for entry in value)
    if any(b <= a for a, b in itertools.pairwise(numbers)):
        raise place.error("ascending numbers", value)
    return numbers


def read_pair(value: Any, place: Place) -> tuple[float, ...]:
    """A lowest and a highest number."""
    if not isinstance(value, list) or len(value) != 2:
        raise place.error("a list [lowest, highest]", value)
    numbers = tuple(read_number(entry, place) for entry in value)
    if numbers[0] > numbers[1]:
        raise place.error("a list [lowest, highest]", value)
    return numbers


def read_charges(value: Any, place: Place) -> tuple[float, ...]:
    """A grid of charges that begins with 0."""
    numbers = read_numbers(value, place)
    if numbers[0] != 0:
        raise place.error("charges that begin with 0", value)
    return numbers


def read_net(value: Any, place: Place) -> tuple[float, ...]:
    """A lowest net charge below 0 and a highest above it."""
    low, high = read_pair(value, place)
    if not low < 0 < high:
        raise place.error("a net charge on either side of 0, such as [-4.0, 4.0]", value)
    return low, high
