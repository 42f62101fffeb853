"""An error budget as it is printed for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from snncircuit.cli import console
from snncircuit.units import engineering


def show(found: Mapping[str, Any]) -> None:
    """Print the JSON object of a ladder."""
    settings, score = found["settings"], found["score"]
    click.echo(
        f"{found['network']}, {found['neuron']} neurons at VNEG {settings['v_neg']:g} V, {settings['images']} images, "
        f"{settings['steps']} steps; ANN {_score(score, found[f'ann_{score}'])}"
    )
    rows = [
        [
            rung["name"],
            _score(score, rung[score]),
            _change(score, rung["delta"]),
            _change(score, rung["delta_ideal"]),
            engineering(rung["energy"], "J"),
            _joule(rung["energy_delta"]),
            f"{sum(rung['spikes'].values()):.0f}",
            f"{max(rung['clipped_charge'].values()):.3g}",
        ]
        for rung in found["rungs"]
    ]
    console.show(
        "each rung switches one thing more on; per inference, clipped: thresholds a step of the worst layer",
        ["rung", score, "change", "from ideal", "energy", "change", "spikes", "clipped"],
        rows,
    )
    layers = list(found["rungs"][0]["energy_by_layer"])
    console.show(
        "energy of each layer: of the first rung, then the change of each",
        ["rung", *layers],
        [
            [
                rung["name"],
                *(
                    _joule(rung["energy_delta_by_layer"][layer])
                    if place
                    else engineering(rung["energy_by_layer"][layer], "J")
                    for layer in layers
                ),
            ]
            for place, rung in enumerate(found["rungs"])
        ],
    )
    for name, reason in found["not_measured"].items():
        click.echo(f"{name}: {reason}")


def _score(kind: str, value: float) -> str:
    return f"{100 * value:.2f} %" if kind == "accuracy" else f"{value:.4g}"


def _change(kind: str, value: float) -> str:
    return f"{100 * value:+.2f}" if kind == "accuracy" else f"{value:+.2g}"


def _joule(value: float) -> str:
    return f"{'+' if value >= 0 else '-'}{engineering(abs(value), 'J')}"
