"""What ``validate`` reports: plain data whose keys scripts rely on, and a table for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from snncircuit.cli import console

POINT = ("corner", "temperature", "v_dd", "v_neg")
_LEAST = {"spikes_matched", "spikes_same_step"}  # of which the least is the worst
_NAMES = {
    "v_mem_rmse": "one-step rmse",
    "bias": "bias per step",
    "spikes_matched": "spikes matched",
    "spike_count_error": "count error",
    "energy_error": "energy error",
    "energy_error_by_supply": "worst supply",
}


def agreement(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How well a table tells what its circuit does: per operating point under ``points``, the worst at the top."""
    worst = {
        part: {
            key: _worst(key, [p[part][key] for p in points])
            for key, value in points[0][part].items()
            if not isinstance(value, Mapping) and key != "n_spikes"
        }
        for part in ("teacher_forced", "free_running")
    }
    bars = {
        name: {
            "limit": bar["limit"],
            "found": _worst(name, [p["bars"][name]["found"] for p in points]),
            "met": all(p["bars"][name]["met"] for p in points),
        }
        for name, bar in points[0]["bars"].items()
    }
    return {
        **worst,
        "energy_error": max(p["energy_error"] for p in points),
        "energy_error_by_supply": {
            name: max(p["energy_error_by_supply"].get(name, 0.0) for p in points)
            for name in _union(p["energy_error_by_supply"] for p in points)
        },
        "bars": bars,
        "within_bars": all(bar["met"] for bar in bars.values()),
        "failures": sum(len(p["failures"]) for p in points),
        "points": list(points),
    }


def _worst(key: str, values: Sequence[float]) -> float:
    unknown = [v for v in values if math.isnan(v)]
    return float(unknown[0] if unknown else min(values) if key in _LEAST else max(values, key=abs))


def _union(names: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for some in names for name in some))


def show_agreement(name: str, found: Mapping[str, Any]) -> None:
    """Print an `agreement`."""
    points = found["points"]
    several = [axis for axis in POINT if len({p[axis] for p in points}) > 1] or ["v_neg"]
    columns = [
        *several,
        "one-step\nrmse, %",
        "bias a step\n%",
        "95 % of it\n±%",
        "spikes\n",
        "matched\n%",
        "missed\n%",
        "extra\n%",
        "count\nerror, %",
        "energy\nerror, %",
        "worst\nsupply, %",
        "bars\nnot met",
    ]
    rows = [
        [
            *(p[axis] if axis == "corner" else f"{p[axis]:g}" for axis in several),
            f"{100 * p['teacher_forced']['v_mem_rmse']:.3f}",
            f"{100 * p['teacher_forced']['bias']:+.4f}",
            f"{100 * p['teacher_forced']['bias_margin']:.4f}",
            str(p["free_running"]["n_spikes"]),
            f"{100 * p['free_running']['spikes_matched']:.2f}",
            f"{100 * p['free_running']['missed']:.2f}",
            f"{100 * p['free_running']['extra']:.2f}",
            f"{100 * p['free_running']['spike_count_error']:.3f}",
            f"{100 * p['energy_error']:.3f}",
            f"{100 * p['bars']['energy_error_by_supply']['found']:.3f}",
            ", ".join(_NAMES[bar] for bar, judged in p["bars"].items() if not judged["met"]) or "none",
        ]
        for p in points
    ]
    console.show(f"{name} against live ngspice, membrane in % of the threshold", columns, rows)
    for p in points:
        for failure in p["failures"]:
            click.echo(f"failed at v_neg {p['v_neg']:g} V: {failure}")
    click.echo("within the bars" if found["within_bars"] else missed(name, found))
    if found.get("stored"):
        click.echo(f"kept in {found['stored']}")


def missed(name: str, found: Mapping[str, Any]) -> str:
    """Which bars an `agreement` misses, and by how much at worst, in one sentence."""
    told = [
        f"{_NAMES[bar]} {100 * judged['found']:.4g} %, expected {'at least' if bar in _LEAST else 'at most'} "
        f"{100 * judged['limit']:g} %"
        for bar, judged in found["bars"].items()
        if not judged["met"]
    ]
    return f"{name} is not within the bars: {'; '.join(told)}"
