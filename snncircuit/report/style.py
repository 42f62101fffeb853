"""What all figures share: colours that colour-blind readers can tell apart, sizes, and how a figure becomes a file."""

from __future__ import annotations

import contextlib
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from snncircuit.errors import SnnCircuitError

# Okabe and Ito, "Color Universal Design", 2008.
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, BLACK, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#000000", "#777777"

FORMATS = (".png", ".svg", ".pdf")
_PREFIXES = ((1e-15, "f"), (1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""))


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, drawn without any window."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain(axes: Axes, grid: str = "y") -> None:
    """Take away the frame that says nothing, add a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, axis=grid, color="#dddddd", linewidth=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def joule_scale(largest: float) -> tuple[float, str]:
    """Factor and unit that bring an energy between 1 and 1000: ``(1e9, "nJ")`` for 20 nJ."""
    for factor, prefix in reversed(_PREFIXES):
        if largest >= factor:
            return 1 / factor, f"{prefix}J"
    return 1e15, "fJ"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the suffix; whole or not at all.

    Raises:
        SnnCircuitError: another suffix, or a place that cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        msg = f"cannot draw {path}: expected a name that ends in one of {', '.join(FORMATS)}, found {path.suffix or 'no suffix'}"
        raise SnnCircuitError(msg)
    # Of one name, so that what a killed process left is overwritten by the next.
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(part, dpi=160)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        msg = f"cannot write figure {path}: {error.strerror or error}"
        raise SnnCircuitError(msg) from error
