"""What the commands of the SPICE half report: plain data whose keys scripts rely on, and tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from snncircuit.cli import console

if TYPE_CHECKING:
    from snncircuit.table import TransferTable

POINT = ("corner", "temperature", "v_dd", "v_neg")


def inspection(table: TransferTable) -> dict[str, Any]:
    """What a table holds, SI units, membranes in V and errors in thresholds.

    Every figure stands per operating point under ``points``. At the top are those of the deepest ``v_neg`` at
    nominal conditions, but the sum of the holes, and the worst ``one_step_memory`` and ``form_error`` of all points.
    """
    from snncircuit.characterise.figures import firing_curve
    from snncircuit.neuron.form import choose
    from snncircuit.table.validation import validated, validation

    remembered = validation(table)
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
                "draws": 0 if measured.variation is None else len(measured.variation),
                "validation": validated(table, point),
                "form": form.name,
                "form_error": form.error,
                "linearity_error": firing_curve(measured).linearity_error,
            }
        )
    where = min(table.nominal_points(), key=lambda p: p["v_neg"])
    deepest = next(p for p in points if all(p[axis] == value for axis, value in where.items()))
    return {
        "name": table.name,
        "validation": dict(remembered) or None,
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
    _show_validation(found)
    made = found["provenance"]
    click.echo(f"measured with {made['ngspice']}, snncircuit {made['snncircuit']}; {made['title']}")
    click.echo(_calibration(made.get("calibration")))


def _calibration(made: Mapping[str, int] | None) -> str:
    if made is None:
        return "no calibration on record: nodes are as single steps from rest gave them, or the version that measured them did not say"
    return (
        f"calibrated at each operating point on {made['trains']} trains of {made['steps']} steps and {made['idle']} steps without input, "
        f"seed {made['seed']}"
    )


def _show_validation(found: Mapping[str, Any]) -> None:
    held = [(p, p["validation"]) for p in found["points"] if p["validation"] is not None]
    if not held:
        click.echo("never validated: snncircuit validate holds it against live ngspice")
        return
    never = len(found["points"]) - len(held)
    outside = [p for p, v in held if not v["within_bars"]]
    worst = {key: max((v[key] for _, v in held), key=_size) for key in ("v_mem_rmse", "bias", "energy_error")}
    matched = min(v["spikes_matched"] for _, v in held)
    click.echo(
        f"validated: {len(held)} operating points against {held[0][1]['ngspice']}, {len(held) - len(outside)} within the bars"
        + (f", {never} never" if never else "")
        + f"; at worst one-step rmse {_percent(worst['v_mem_rmse'])}, bias {_percent(worst['bias'])}, "
        f"spikes matched {_percent(matched)}, energy error {_percent(worst['energy_error'])}"
    )
    for p in outside:
        click.echo(
            f"outside the bars at {p['corner']}, {p['temperature']:g} degC, v_dd {p['v_dd']:g} V, v_neg {p['v_neg']:g} V"
        )


def _size(value: float | None) -> float:
    return float("inf") if value is None else abs(value)


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.4g} %"
