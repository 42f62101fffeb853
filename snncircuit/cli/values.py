"""Numbers as they are typed: one, a comma list, or ranges such as ``0:-1.8:-0.2``."""

from decimal import Decimal, InvalidOperation

import click

MOST_VALUES = 10_000


def parse_values(text: str) -> tuple[float, ...]:
    """The floats of ``START:STOP:STEP`` (both ends inclusive) and comma lists of such ranges and numbers.

    Ranges are counted in decimal, so ``0:-1.8:-0.2`` is exactly 0, -0.2, … -1.8. The stop is included when a
    whole number of steps reaches it. Order is kept and repeated values are dropped.

    Raises:
        ValueError: when the text is no such list, with what is wrong with which part.
    """
    values = [value for part in text.split(",") for value in _expand(part.strip(), text)]
    return tuple(dict.fromkeys(values))


def _expand(part: str, text: str) -> list[float]:
    try:
        numbers = [Decimal(word.strip()) for word in part.split(":")]
    except InvalidOperation:
        numbers = []
    if len(numbers) not in (1, 3) or not all(number.is_finite() for number in numbers):
        msg = (
            f"{part!r} in {text!r} is neither a number nor a range START:STOP:STEP; "
            "expected e.g. 0:-1.8:-0.2 or 0,-0.9,-1.8"
        )
        raise ValueError(msg)
    if len(numbers) == 1:
        return [_float(numbers[0])]
    start, stop, step = numbers
    if step == 0 or (stop - start) / step < 0:
        sign = "negative" if stop < start else "positive"
        msg = f"the range {part!r} never reaches its stop: from {start} to {stop} the step must be {sign}, it is {step}"
        raise ValueError(msg)
    count = int((stop - start) / step) + 1
    if count > MOST_VALUES:
        msg = f"the range {part!r} has {count} values; at most {MOST_VALUES} make sense"
        raise ValueError(msg)
    return [_float(start + index * step) for index in range(count)]


def _float(number: Decimal) -> float:
    return float(number) + 0.0  # "-0" is 0: the two must not become two operating points


def values_option(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[float, ...]:
    """A click callback: the values of an option that has a default.

    Raises:
        click.BadParameter: with the text of `parse_values`.
    """
    try:
        return parse_values(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def bound(text: str) -> float | None:
    """A lower bound of the membrane, thresholds, or None for ``none``."""
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        msg = f"{text!r} is neither a number of thresholds nor none"
        raise click.BadParameter(msg, param_hint="--v-lb") from None
