"""The checker of types and shapes that every test runs under."""

from typing import Any

from beartype import beartype
from beartype.roar import BeartypeDecorHintPep3119Exception


def checked(item: Any) -> Any:
    """The function or class with its hints checked at each call; one that names a mere Protocol stays as it is."""
    try:
        return beartype(item)
    except BeartypeDecorHintPep3119Exception:
        return item
