"""Runs and sweeps of whole networks, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from snncircuit.cli import console
from snncircuit.units import engineering


def score(found: Mapping[str, Any]) -> str:
    """Accuracy or error of a run and of the network it came from, in words."""
    kind = "mse" if found["accuracy"] is None else "accuracy"
    own, ann, quantised = (
        _score(kind, found.get(key)) for key in (kind, f"ann_{kind}", f"ann_{kind}_quantised")
    )
    levels = found["settings"].get("synapse_levels")
    return f"{kind} {own} (ANN {ann}{f', with {levels} levels {quantised}' if quantised else ''})"


def _score(kind: str, value: float | None) -> str | None:
    if value is None:
        return None
    return f"{100 * value:.2f} %" if kind == "accuracy" else f"{value:.3g}"


def _joule(by_supply: Mapping[str, float] | None) -> str:
    return "" if by_supply is None else engineering(sum(by_supply.values()), "J")


def show_run(found: Mapping[str, Any]) -> None:
    """Print the JSON object of a Run for people."""
    settings = found["settings"]
    place = "" if settings.get("v_neg") is None else f" at VNEG {settings['v_neg']:g} V"
    click.echo(
        f"{settings['network']}, {settings['neuron']} neurons{place}, {settings['images']} images, "
        f"{settings['steps']} steps, {found['engine']} engine: {score(found)}"
    )
    layers = list(found["spikes"])
    rows = [
        [
            layer,
            f"{found['spikes'][layer]:.1f}",
            f"{found['clipped_charge'][layer]:.4g}",
            f"{found['rate_rmse'][layer]:.4f}",
            f"{found['v_low'][layer]:.3f}",
            f"{found['v_high'][layer]:.3f}",
            f"{100 * found['rounding'][layer]:.2g} %",
            _joule(found["energy_by_layer"].get(layer)),
        ]
        for layer in layers
    ]
    console.show(
        "per inference; membranes and charges in thresholds, rounding of the weights relative to them (rms)",
        ["layer", "spikes", "clipped/step", "rate rmse", "lowest", "highest", "rounding", "energy"],
        rows,
    )
    used = found["steps_used"]
    if settings.get("exit_margin") is not None:
        click.echo(f"early exit after {used['mean']:.1f} steps on average, {used['min']} to {used['max']}")
    if found["energy"] is not None:
        terms = ", ".join(
            f"{term} {engineering(joule, 'J')}" for term, joule in found["energy_terms"].items()
        )
        click.echo(f"energy {engineering(found['energy'], 'J')} per inference: {terms}")
    click.echo(
        f"outside the measured range: {found['out_of_range']} neuron-steps; first bad layer: {found['first_bad_layer']}"
    )
    click.echo(f"{found['image_steps_per_second']:.0f} image·steps/s")
    if "live" in found:
        show_live(found)


def show_live(found: Mapping[str, Any]) -> None:
    """Print what the JSON object of a Run with live neurons says of them."""
    rows = [
        [
            f"{live['layer']}:{live['index']}",
            f"{live['image']}",
            f"{live['spikes']}",
            f"{live['spikes_surrogate']}",
            f"{100 * live['spikes_matched']:.1f} %",
            f"{100 * live['v_mem_rmse']:.3f} %",
            engineering(live["energy"], "J"),
            engineering(live["energy_surrogate"], "J"),
            f"{100 * live['energy_error']:.2f} %",
        ]
        for live in found["live"]
    ]
    console.show(
        "live in ngspice, and the table beside it on the same charges; the error of the membrane is that of a step",
        ["neuron", "image", "spikes", "table", "matched", "v_mem rmse", "energy", "table", "error"],
        rows,
    )
    differing = found["output_spikes_differing"]
    if found["output_identical"]:
        told = f"the {found['output_spikes']} output spikes are those of the run without live neurons"
    else:
        told = (
            f"{differing} of {found['output_spikes']} output spikes differ from the run without live neurons"
        )
    classes = found["classes_differing"]
    click.echo(told + ("" if classes is None else f"; {classes} images go to another class"))


def show_sweep(points: Sequence[Mapping[str, Any]]) -> None:
    """Print the points of a sweep for people."""
    score = "mse" if points[0]["accuracy"] is None else "accuracy"
    terms = list(dict.fromkeys(term for point in points for term in point["energy_terms"]))
    rows = [
        [
            f"{point['v_neg']:g}",
            f"{point[score]:.4g}",
            f"{point['ideal'][score]:.4g}",
            f"{sum(point['spikes'].values()):.0f}",
            engineering(point["energy"], "J"),
            *(engineering(point["energy_terms"].get(term, 0.0), "J") for term in terms),
        ]
        for point in points
    ]
    settings = points[0]["settings"]
    console.show(
        f"{settings['network']} with {settings['neuron']} neurons, {settings['images']} images, {settings['steps']} steps, "
        f"per inference; ANN {score} {points[0][f'ann_{score}']:.4g}",
        [
            "v_neg\nV",
            f"{score}\ncircuit",
            f"{score}\nideal",
            "spikes\n",
            "energy\n",
            *(f"{term}\n" for term in terms),
        ],
        rows,
    )


def show_comparison(runs: Sequence[Mapping[str, Any]]) -> None:
    """Print the JSON objects of several Runs, one a line."""
    rows = [
        [
            run["settings"]["network"],
            run["settings"]["neuron"],
            "" if run["settings"].get("v_neg") is None else f"{run['settings']['v_neg']:g} V",
            score(run),
            f"{sum(run['spikes'].values()):.0f}",
            "" if run["energy"] is None else engineering(run["energy"], "J"),
        ]
        for run in runs
    ]
    settings = runs[0]["settings"]
    console.show(
        f"{settings['images']} images, {settings['steps']} steps, per inference",
        ["network", "neuron", "v_neg", "score", "spikes", "energy"],
        rows,
    )
