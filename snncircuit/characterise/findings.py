"""What a look at a neuron's circuit found: each finding with its grade, its device or node and its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "ok"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found, or one check in which nothing was.

    Attributes:
        check: which check, such as ``bulk``.
        level: ``error`` (the circuit is wrong), ``warning`` (look at it) or ``ok``.
        text: what was expected and what was found, in one sentence.
        device: name of the device, empty where it is about none.
        node: name of the node, empty where it is about none.
        place: ``file:line``, empty where it is about none.
        value: what was found, SI; None where it is no number.
        limit: what it was held against, SI; None where there is none.
    """

    check: str
    level: Level
    text: str
    device: str = ""
    node: str = ""
    place: str = ""
    value: float | None = None
    limit: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data, one key for each attribute."""
        return {name: getattr(self, name) for name in self.__slots__}


def passed(check: str, text: str) -> Finding:
    """A check in which nothing was found."""
    return Finding(check=check, level="ok", text=text)


def or_passed(found: list[Finding], check: str, text: str) -> list[Finding]:
    """The findings of a check, or that there were none."""
    return found or [passed(check, text)]
