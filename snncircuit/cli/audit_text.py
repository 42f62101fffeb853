"""An audit as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from snncircuit.cli import console
from snncircuit.units import engineering


def show_audit(found: Mapping[str, Any]) -> None:
    """Print the object of ``snncircuit audit --json`` for people."""
    settings, of_run = found["settings"], found["settings"]["of_run"]
    columns = [
        "layer\n",
        "neurons\n",
        "spikes\n",
        "one-step rmse\n% of threshold",
        "bias\n% of threshold",
        "matched\n%",
        "count error\n%",
        "energy error\n%",
        "worst supply\n%",
        "energy\n",
    ]
    rows = [_row(name, layer) for name, layer in found["layers"].items()]
    rows.append(_row("all", found))
    console.show(
        f"{of_run['network']}, {of_run['neuron']} neurons at VNEG {settings['v_neg']:g} V, {of_run['steps']} steps, against live "
        f"ngspice at {settings['corner']}, {settings['temperature']:g} degC; in brackets 95 % confidence",
        columns,
        rows,
    )
    click.echo("\n".join(_bar(name, bar) for name, bar in found["bars"].items()))
    worst = found["worst"]
    click.echo(
        f"worst by {worst['criterion']}: {worst['layer']}:{worst['index']} at image {worst['image']} ({worst['stratum']}), "
        f"{100 * worst['distance']:.3g} % of the threshold"
    )
    repeated = found["repetition"]
    click.echo(
        f"the run repeated: within {repeated['largest_rounding']:.2g} thresholds of the table's definition, "
        f"{repeated['steps_with_other_spikes']} steps with other spikes"
    )
    if found["figure"] is not None:
        click.echo(found["figure"])


def _row(name: str, part: Mapping[str, Any]) -> list[str]:
    return [
        name,
        str(part["n_neurons"]),
        str(part["n_spikes"]),
        _figure(part, "v_mem_rmse", "{:.3f}"),
        _figure(part, "bias", "{:+.4f}"),
        _figure(part, "spikes_matched", "{:.2f}"),
        _figure(part, "spike_count_error", "{:.2f}"),
        _figure(part, "energy_error", "{:.2f}"),
        f"{100 * max(part['judged_energy_error_by_supply'].values()):.2f}",
        engineering(part["energy"], "J"),
    ]


def _figure(part: Mapping[str, Any], name: str, form: str) -> str:
    own = form.format(100 * part[name])
    if part["confidence"] is None:
        return own
    low, high = (form.format(100 * value) for value in part["confidence"][name])
    return f"{own}\n[{low}, {high}]"


def _bar(name: str, bar: Mapping[str, Any]) -> str:
    sense = "at least" if name == "spikes_matched" else "at most"
    if not bar["met"]:
        judged = "missed"
    elif name == "bias" and bar["found"] > bar["limit"]:
        judged = "not to be told from it with so few neurons"
    else:
        judged = "met"
    return f"{name.replace('_', ' ')} {100 * bar['found']:.3g} %, {sense} {100 * bar['limit']:g} %: {judged}"
