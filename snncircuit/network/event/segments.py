"""Taps as the kernel walks through them: runs of input positions that meet consecutive rows of weights, site by site, in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncircuit.errors import SimulationError
from snncircuit.network.event.memory import Image
from snncircuit.network.event.taps import Taps

ROWS = 32768
"""Rows of weights in a block at most, whose numbers are 16 bits wide."""
BLOCK_BYTES = 2**19
"""Rows of a matrix that are used for all steps of a chunk before the next ones, so that they stay in the cache."""
POSITIONS = 4096
"""Input positions of a strip of a matrix, about; ``MOST_POSITIONS`` at most of any strip."""
MOST_POSITIONS = 65535
UNIT = 64
"""Input positions of a unit of a matrix at most."""

Segments = NDArray[np.int64]
"""Shape (segments, 5): site, strip, first unit, last unit, row of the weights; ascending sites."""
Strips = tuple[int, int, int]
"""Strips, units of a strip, positions of a unit."""


def image_segments(taps: Taps, inputs: Image, groups: int, kernel: int) -> tuple[Strips, Segments]:
    """Runs of taps whose input pixels and kernel rows are both consecutive; ``kernel``: rows of each group.

    Raises:
        SimulationError: more than 65535 channels.
    """
    channels, height, width = inputs
    if channels > MOST_POSITIONS:
        msg = f"{channels} channels; the event engine holds {MOST_POSITIONS} of an image, the dense engine any number"
        raise SimulationError(msg)
    parts = next(p for p in range(1, width + 1) if width % p == 0 and width // p * channels <= MOST_POSITIONS)
    wide, unit = width // parts, channels // groups
    out, pixel, k = taps[np.lexsort((taps[:, 1], taps[:, 2], taps[:, 0]))].T
    strip, column = pixel // wide, pixel % wide
    starts = np.ones(len(out), dtype=bool)
    if groups == 1:
        same = (np.diff(out) == 0) & (np.diff(strip) == 0) & (np.diff(column) == 1) & (np.diff(k) == 1)
        starts[1:] = ~same
    begin = np.flatnonzero(starts)
    length = np.diff(np.append(begin, len(out)))
    g = np.arange(groups)[:, None]
    found = np.stack(
        np.broadcast_arrays(
            out[begin] * groups + g,
            strip[begin],
            column[begin] * groups + g,
            column[begin] * groups + g + length,
            (g * kernel + k[begin]) * unit,
        ),
        axis=-1,
    ).reshape(-1, 5)
    return (height * parts, wide * groups, unit), found[np.argsort(found[:, 0], kind="stable")]


def matrix_segments(rows: int, lanes: int) -> tuple[Strips, Segments]:
    """Of a matrix every input position meets the row of its own number."""
    positions = _divisor(rows, POSITIONS)
    unit = _divisor(positions, UNIT)
    block = max(unit, BLOCK_BYTES // (2 * lanes) // unit * unit)
    first = np.array([r for s in range(0, rows, positions) for r in range(s, s + positions, block)])
    strip = first // positions
    last = np.minimum(first + block, (strip + 1) * positions)
    segments = [0 * first, strip, first % positions // unit, (last - strip * positions) // unit, first]
    return (rows // positions, positions // unit, unit), np.stack(segments, axis=1)


def blocks(segments: Segments, sites: int, unit: int, rows: int) -> dict[str, NDArray[Any]]:
    """Segments of each site in blocks of about so many rows of weights, as ``Plan`` holds them.

    Raises:
        SimulationError: a segment that meets more rows than 16 bits can number.
    """
    site, row = segments[:, 0], segments[:, 4]
    part = row // min(rows, ROWS)
    starts = np.flatnonzero(np.diff(site, prepend=-1) | np.diff(part, prepend=-1))
    base = np.minimum.reduceat(row, starts) if len(starts) else row
    relative = row - np.repeat(base, np.diff(np.append(starts, len(site))))
    if (relative + (segments[:, 3] - segments[:, 2]) * unit).max(initial=0) > 2 * ROWS:
        msg = f"a kernel row of more than {ROWS} weights; the event engine holds less, the dense engine any number"
        raise SimulationError(msg)
    return {
        "site_blocks": np.searchsorted(site[starts], np.arange(sites + 1)).astype(np.int32),
        "block_segments": np.append(starts, len(site)).astype(np.int32),
        "block_row": base.astype(np.int64),
        "segments": np.column_stack([segments[:, 1:4], relative]).astype(np.int32),
    }


def _divisor(number: int, most: int) -> int:
    return max(d for d in range(1, min(number, most) + 1) if number % d == 0)
