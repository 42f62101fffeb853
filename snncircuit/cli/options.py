"""Options that several commands share."""

import re
from collections.abc import Callable

import click
from click.decorators import FC

_MARGIN = re.compile(r"margin=([1-9][0-9]*)")


def _together(*options: Callable[[FC], FC]) -> Callable[[FC], FC]:
    def add(command: FC) -> FC:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _margin(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    found = _MARGIN.fullmatch(text)
    if found is None:
        msg = f"{text!r} is not margin=K with K 1 or more spikes"
        raise click.BadParameter(msg)
    return int(found[1])


circuit_options = _together(
    click.option("--vdd", type=float, help="Positive supply of circuit neurons, V."),
    click.option("--corner", default="tt", show_default=True, help="Of circuit neurons."),
    click.option(
        "--temperature", type=float, default=27.0, show_default=True, help="Of circuit neurons, degC."
    ),
    click.option(
        "--pump-efficiency",
        type=click.FloatRange(0, 1, min_open=True),
        default=0.7,
        show_default=True,
        help="Of the converter that makes the negative rail.",
    ),
)
_material = _together(
    click.option("--steps", type=click.IntRange(1), default=100, show_default=True, help="Network steps."),
    click.option("--images", type=click.IntRange(1), default=100, show_default=True, help="Test images."),
    click.option(
        "--encoder", type=click.Choice(["constant", "if", "poisson"]), default="constant", show_default=True
    ),
    click.option(
        "--engine",
        type=click.Choice(["auto", "reference", "dense", "event"]),
        default="auto",
        show_default=True,
        help="All give the same spikes; auto takes the fastest that can run.",
    ),
)
_checks = _together(
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Of the Poisson encoder, and of mismatch where neurons are drawn.",
    ),
    click.option(
        "--max-out-of-range",
        type=click.FloatRange(0, 1),
        default=0.02,
        show_default=True,
        help="Refuse a run in which a layer left the measured range more often.",
    ),
)
plain_options = _together(_material, _checks)
"""Steps, images, encoder, engine, seed and range."""
simulation_options = _together(
    _material,
    click.option(
        "--synapse-levels",
        type=click.IntRange(2),
        metavar="N",
        help="Levels of conductance of a synapse's device, 0 included; as many as exact sums allow by default.",
    ),
    click.option(
        "--float-weights",
        is_flag=True,
        help="Leave weights as trained; sums, and so rarely a spike, then depend on their order.",
    ),
    click.option(
        "--early-exit",
        callback=_margin,
        metavar="margin=K",
        help="Stop an image once its class is K spikes ahead of the second (classifiers).",
    ),
    _checks,
)
normalisation_options = _together(
    click.option(
        "--normalisation", type=click.Choice(["percentile", "max"]), default="percentile", show_default=True
    ),
    click.option(
        "--percentile", type=click.FloatRange(0, 100, min_open=True), default=99.9, show_default=True
    ),
    click.option(
        "--calibration",
        type=click.IntRange(1),
        default=1000,
        show_default=True,
        help="Images whose activations set the scale of each layer.",
    ),
)
