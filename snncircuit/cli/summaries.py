"""What the commands of the SPICE half report: plain data whose keys scripts rely on, and tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from snncircuit.cli import console

if TYPE_CHECKING:
    from snncircuit.table import TransferTable

NOMINAL = {"corner": "tt", "temperature": 27.0}
POINT = ("corner", "temperature", "v_dd", "v_neg")


def inspection(table: TransferTable) -> dict[str, Any]:
    """What a table holds, SI units, membranes in V and errors in thresholds.

    Every figure stands per operating point under ``points``. At the top are those of the deepest ``v_neg`` at
    nominal conditions, but the sum of the holes, and the worst ``one_step_memory`` and ``form_error`` of all points.
    """
    from snncircuit.characterise.figures import firing_curve
    from snncircuit.neuron.form import choose

    points = []
    for point in table.points():
        measured = table.at(**point)
        form = choose(measured)
        points.append(
            {
                **point,
                **measured.figures,
                "holes": measured.holes,
                "filled": measured.filled,
                "nodes": measured.state.size,
                "reasons": list(measured.reasons),
                "form": form.name,
                "form_error": form.error,
                "linearity_error": firing_curve(measured).linearity_error,
            }
        )
    nominal = [p for p in points if all(p[axis] == value for axis, value in NOMINAL.items())] or points
    deepest = min(nominal, key=lambda p: p["v_neg"])
    return {
        "name": table.name,
        **{key: deepest[key] for key in ("threshold", "threshold_charge", "lowest_membrane", "form")},
        "holes": sum(p["holes"] for p in points),
        "one_step_memory": max(p["one_step_memory"] for p in points),
        "form_error": max(p["form_error"] for p in points),
        "points": points,
        "provenance": table.provenance,
    }


def show_inspection(name: str, found: Mapping[str, Any]) -> None:
    """Print an `inspection`."""
    several = [axis for axis in POINT if len({p[axis] for p in found["points"]}) > 1] or ["v_neg"]
    columns = [
        *several,
        "threshold\nmV",
        "charge\nfC",
        "lowest\nmV",
        "reset\nthreshold",
        "leak\n%/step",
        "memory\n%",
        "f-I\n%",
        "held out\n%",
        "form\n",
        "holes\n",
        "filled\n%",
    ]
    rows = [
        [
            *(p[axis] if axis == "corner" else f"{p[axis]:g}" for axis in several),
            f"{1e3 * p['threshold']:.1f}",
            f"{1e15 * p['threshold_charge']:.1f}",
            f"{1e3 * p['lowest_membrane']:.1f}",
            f"{p['reset_charge']:.4f}",
            f"{100 * p['leak']:.3f}",
            f"{100 * p['one_step_memory']:.3f}",
            f"{100 * p['linearity_error']:.2f}",
            f"{100 * p['held_out_error']:.3f}",
            p["form"],
            str(p["holes"]),
            f"{100 * p['filled'] / p['nodes']:.0f}",
        ]
        for p in found["points"]
    ]
    console.show(f"{name}; percentages are of the threshold, f-I error of the highest rate", columns, rows)
    for p in found["points"]:
        for reason in p["reasons"]:
            click.echo(f"hole at v_neg {p['v_neg']:g} V: {reason}")
    made = found["provenance"]
    click.echo(f"measured with {made['ngspice']}, snncircuit {made['snncircuit']}; {made['title']}")


def agreement(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How well a table tells what its circuit does: per operating point under ``points``, the worst at the top."""
    worst = {
        "teacher_forced": {
            key: _worst(p["teacher_forced"][key] for p in points) for key in points[0]["teacher_forced"]
        },
        "free_running": {
            "spikes_matched": min(p["free_running"]["spikes_matched"] for p in points),
            "spike_count_error": max(p["free_running"]["spike_count_error"] for p in points),
        },
        "energy_error": max(p["energy_error"] for p in points),
        "energy_error_by_supply": {
            name: max(p["energy_error_by_supply"].get(name, 0.0) for p in points)
            for name in dict.fromkeys(name for p in points for name in p["energy_error_by_supply"])
        },
        "failures": sum(len(p["failures"]) for p in points),
    }
    return {**worst, "points": list(points)}


def _worst(values: Any) -> float:
    return float(max(values, key=abs))


def show_agreement(name: str, found: Mapping[str, Any]) -> None:
    """Print an `agreement`."""
    columns = ["v_neg", "one-step rmse", "bias", "spikes", "matched", "count error", "energy error"]
    rows = [
        [
            f"{p['v_neg']:g} V",
            f"{100 * p['teacher_forced']['v_mem_rmse']:.3f} %",
            f"{100 * p['teacher_forced']['bias']:+.4f} %",
            str(p["free_running"]["n_spikes"]),
            f"{100 * p['free_running']['spikes_matched']:.2f} %",
            f"{100 * p['free_running']['spike_count_error']:.3f} %",
            f"{100 * p['energy_error']:.3f} %",
        ]
        for p in found["points"]
    ]
    console.show(f"{name} against live ngspice, membrane in % of the threshold", columns, rows)
    for p in found["points"]:
        for failure in p["failures"]:
            click.echo(f"failed at v_neg {p['v_neg']:g} V: {failure}")
