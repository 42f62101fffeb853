"""What ``mismatch`` reports: plain data whose keys scripts rely on, and tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from snncircuit.cli import console

if TYPE_CHECKING:
    from snncircuit.characterise.closed_form import Pair, Sensitivity
    from snncircuit.characterise.mismatch import Draws

_ERRORS = 3.0  # sampling errors within which a deviation counts as that of the closed form
_MOST_SHARES = 4


def spread(drawn: Draws) -> dict[str, Any]:
    """Mean, deviation with its sampling error, and correlations of the five numbers of some mismatched neurons."""
    import numpy as np

    from snncircuit.table import VARIATION

    n = len(drawn.values)
    sigma = drawn.values.std(axis=0, ddof=1) if n > 1 else np.full(len(VARIATION), np.nan)
    correlation = np.cov(drawn.values.T) / np.outer(sigma, sigma) if n > 1 else np.full((5, 5), np.nan)
    return {
        "measured": n,
        "failed": len(drawn.failures),
        "failures": list(drawn.failures),
        "mean": dict(zip(VARIATION, drawn.values.mean(axis=0).tolist(), strict=True)),
        "sigma": dict(zip(VARIATION, sigma.tolist(), strict=True)),
        "sigma_sampling_error": dict(
            zip(VARIATION, (sigma / (2 * max(n - 1, 1)) ** 0.5).tolist(), strict=True)
        ),
        "gain_correlation": float(correlation[0, 1]),
        "correlation": correlation.tolist(),
    }


def comparison(drawn: Draws, theory: Sensitivity, pairs: Mapping[str, Pair]) -> dict[str, Any]:
    """For each number what theory expects, whether the draws agree, and what the pair of transistors alone would give."""
    from snncircuit.table import VARIATION

    n = len(drawn.values)
    measured = drawn.values.std(axis=0, ddof=1)
    found = {}
    for k, number in enumerate(VARIATION):
        expected = float(theory.sigma[k])
        pair = pairs.get(number)
        found[number] = {
            "sigma": expected,
            "sampling_error": expected / (2 * (n - 1)) ** 0.5,
            "agrees": _agree(float(measured[k]), expected, n),
            "shares": [
                {"device": device, "share": share} for device, share in theory.shares(number)[:_MOST_SHARES]
            ],
            "pair": None
            if pair is None
            else {**asdict(pair), "agrees": _agree(float(measured[k]), pair.sigma, n)},
        }
    return found


def _agree(measured: float, expected: float, n: int) -> bool:
    return bool(abs(measured - expected) <= _ERRORS * expected / (2 * (n - 1)) ** 0.5)


def show(summary: Mapping[str, Any]) -> None:
    """Print what `mismatch` found."""
    for point in summary["points"]:
        theory = point.get("closed_form", {})
        rows = []
        for number, sigma in point["sigma"].items():
            expected = theory.get(number)
            pair = expected["pair"] if expected else None
            rows.append(
                [
                    number,
                    f"{point['mean'][number]:.4f}",
                    f"{100 * sigma:.3f} ± {100 * point['sigma_sampling_error'][number]:.3f}",
                    f"{100 * expected['sigma']:.3f}" if expected else "",
                    ("yes" if expected["agrees"] else "no") if expected else "",
                    f"{100 * pair['sigma']:.3f} ({' '.join(pair['devices'])})" if pair else "",
                    ", ".join(f"{s['device']} {100 * s['share']:.0f} %" for s in expected["shares"])
                    if expected
                    else "",
                ]
            )
        title = (
            f"{summary['name']} at {point['corner']}, {point['temperature']:g} degC, v_dd {point['v_dd']:g} V, v_neg "
            f"{point['v_neg']:g} V: {point['measured']} neurons of seed {summary['seed']}, deviations in %"
        )
        columns = ["", "mean", "sigma", "expected", "agrees", "the pair alone", "shares of the variance"]
        console.show(title, columns, rows)
        click.echo(f"correlation of the gains {point['gain_correlation']:+.3f}")
        for failure in point["failures"]:
            click.echo(f"no neuron: {failure}")
        for held in point.get("held", []):
            click.echo(
                f"draw {held['draw']} along {held['steps']} steps: one-step rmse {100 * held['v_mem_rmse']:.2f} % "
                f"(the nominal step: {100 * held['nominal_v_mem_rmse']:.2f} %), spikes {held['n_spikes']} in ngspice, "
                f"{held['own_spikes']} of the numbers, {held['nominal_spikes']} of the nominal step"
            )
    click.echo(f"{summary['table']}: keeps the draws")
