"""Leaves out of a set of cards the bins that a netlist cannot use: a process design kit has hundreds, and every deck would carry them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from snncircuit.errors import UnitError
from snncircuit.spice.cards import ModelCards, model_name
from snncircuit.spice.netlist import Netlist
from snncircuit.units import parse_number

_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\s*=\s*(\{[^{}]*\}|'[^']*'|[^\s=]+)")
_BOUNDS = ("lmin", "lmax", "wmin", "wmax")
_SLACK = 1e-6  # relative; sizes nearer than that to a bound count as on it


def needed_bins(cards: ModelCards, netlist: Netlist) -> ModelCards:
    """The cards without the bins that no transistor of the netlist falls into; a simulation of the netlist gives the same answer.

    Where that cannot be told from the text, the cards come back as they are: a size is an expression or left to a default, a device has
    several fingers, or a wrapper does not hand its width and length on. ``names``, ``subckts`` and ``sha256`` stay those of all cards.
    """
    lines = cards.text.splitlines()
    sizes = _sizes(lines, netlist)
    if sizes is None:
        return cards
    bins: dict[str, dict[str, tuple[float, ...]]] = {}
    for line in lines:
        bounds = _numbers(line) if line.lower().startswith(".model") else {}
        if all(name in bounds for name in _BOUNDS):
            bins.setdefault(model_name(line.split()[1]), {})[line] = tuple(bounds[name] for name in _BOUNDS)
    useless = {line for model, lying in bins.items() for line in _useless(lying, sizes.get(model, set()))}
    return replace(cards, text="\n".join(line for line in lines if line not in useless))


def _sizes(lines: list[str], netlist: Netlist) -> dict[str, set[tuple[float, float]]] | None:
    """Model -> widths and lengths in m of the netlist's transistors that use it, or None when one of them is not plain."""
    scale, wrapper, wrapped = 1.0, "", dict[str, set[str]]()
    for line in lines:
        words = line.lower().split()
        if words[0] in (".option", ".options"):
            scale = _numbers(line).get("scale", scale)
        elif words[0] == ".subckt":
            wrapper = words[1]
        elif words[0][0] == "m":
            if not _hands_on(line):
                return None
            wrapped.setdefault(wrapper, set()).add(words[5])
    sizes: dict[str, set[tuple[float, float]]] = {}
    for line in netlist.text.splitlines():
        words = line.lower().split()
        used = words[5] if len(words) > 5 else ""
        models = {"m": {used}, "x": wrapped.get(used, set())}.get(words[0][0], set())
        given = _numbers(line)
        for model in models:
            if not {"w", "l"} <= given.keys() or "nf" in given:
                return None
            sizes.setdefault(model, set()).add((given["w"] * scale, given["l"] * scale))
    return sizes


def _numbers(line: str) -> dict[str, float]:
    """The plain numbers among the ``key=value`` pairs of a line."""
    numbers = {}
    for key, value in _ASSIGNED.findall(line):
        try:
            numbers[key.lower()] = parse_number(value)
        except UnitError:
            continue
    return numbers


def _hands_on(line: str) -> bool:
    """Whether the transistor inside a wrapper has the wrapper's own width and length, and one finger unless told otherwise."""
    given = {key.lower(): value.strip("{}' ").lower() for key, value in _ASSIGNED.findall(line)}
    return all(given.get(key, key) == key for key in ("w", "l", "nf"))


def _useless(bins: Mapping[str, tuple[float, ...]], sizes: set[tuple[float, float]]) -> set[str]:
    """Those bins (line -> bounds) of one model that no size falls into; none of them when some size falls into no bin."""
    used: set[str] = set()
    for width, length in sizes:
        # A size on a common bound keeps the bins on both sides: which one is taken is a matter of rounding, inside ngspice.
        holding = {
            line
            for line, (l_min, l_max, w_min, w_max) in bins.items()
            if l_min * (1 - _SLACK) <= length <= l_max * (1 + _SLACK)
            and w_min * (1 - _SLACK) <= width <= w_max * (1 + _SLACK)
        }
        if not holding:
            return set()
        used |= holding
    return set(bins) - used if used else set()
