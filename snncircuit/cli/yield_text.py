"""A yield as it is printed for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from snncircuit.cli import console
from snncircuit.units import engineering


def show(found: Mapping[str, Any]) -> None:
    """Print the JSON object of a yield."""
    score = found["score"]
    click.echo(
        f"{found['network']}, {found['neuron']} neurons at VNEG {found['v_neg']:g} V, {found['draws']} chips, "
        f"seed {found['seed']}, {found['images']} images, {found['steps']} steps"
        + ("" if found["scale"] == 1 else f", mismatch times {found['scale']:g}")
    )
    if found["spec"] is not None:
        low, high = found["yield_ci"]
        click.echo(
            f"yield {100 * found['yield']:.1f} % meet {found['spec']} (95 % confidence {100 * low:.1f} to {100 * high:.1f} %)"
        )
    names = ("nominal", "mean", "sigma", "p5", "p50", "p95")
    rows = [
        [score, *(_score(score, found[score][name]) for name in names)],
        ["energy", *(engineering(found["energy"][name], "J", 5) for name in names)],
    ]
    console.show("over the chips, per inference", ["", *names], rows)
    spread = ", ".join(f"{name} {sigma:.3g}" for name, sigma in found["sigma"].items())
    click.echo(f"sigma of one neuron: {spread} (thresholds; gains as factors)")


def _score(kind: str, value: float) -> str:
    return f"{100 * value:.2f} %" if kind == "accuracy" else f"{value:.4g}"
