"""Which input pixel meets which row of the kernel for which output pixel, through pools, convolutions and transposed ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snncircuit.network.layers import (
    Convolution,
    Dense,
    Flatten,
    Pair,
    Pool,
    Synapses,
    TransposedConvolution,
)

Taps = NDArray[np.int64]
"""Shape (taps, 3): output pixel, input pixel, row of the kernel."""


def taps_of(layer: Synapses, size: Pair) -> tuple[Taps, Pair]:
    """All operators of a layer together, and height and width behind them; ``size``: height and width of the inputs."""
    pixels = np.arange(size[0] * size[1])
    taps = np.stack([pixels, pixels, np.zeros_like(pixels)], axis=1)
    for operator in (*layer.before, layer.operator, *layer.after):
        if isinstance(operator, Flatten):
            continue
        if isinstance(operator, Dense):
            n = np.arange(size[0] * size[1])
            size, step = (1, 1), np.stack([np.zeros_like(n), n, n], axis=1)
        elif isinstance(operator, TransposedConvolution):
            size, step = _transposed(operator, layer.weight_exc.shape[2:], size)
        elif isinstance(operator, Convolution):
            size, step = _convolution(operator, layer.weight_exc.shape[2:], size)
        else:
            assert isinstance(operator, Pool)
            size, step = _pool(operator, size)
        taps = _joined(step, taps)
    return taps, size


def phases(kernel: int, stride: int) -> list[int]:
    """Columns of a transposed kernel in an order in which neighbouring inputs meet neighbouring columns."""
    return sorted(range(kernel), key=lambda k: (k % stride, -k))


def _joined(outer: Taps, inner: Taps) -> Taps:
    """Taps of two operators, one behind the other; only one of them has rows of weights."""
    inner = inner[np.argsort(inner[:, 0], kind="stable")]
    begin = np.searchsorted(inner[:, 0], outer[:, 1], side="left")
    many = np.searchsorted(inner[:, 0], outer[:, 1], side="right") - begin
    which = np.repeat(np.arange(len(outer)), many)
    inside = np.arange(many.sum()) + np.repeat(begin - np.cumsum(many) + many, many)
    return np.stack([outer[which, 0], inner[inside, 1], outer[which, 2] + inner[inside, 2]], axis=1)


def _pool(pool: Pool, size: Pair) -> tuple[Pair, Taps]:
    out, taps = _windows(size, pool.kernel, pool.stride, [(p, p) for p in pool.padding], (1, 1))
    taps[:, 2] = 0
    return out, taps


def _convolution(operator: Convolution, kernel: Sequence[int], size: Pair) -> tuple[Pair, Taps]:
    padding = operator.padding
    if isinstance(padding, str):
        reach = [
            d * (k - 1) if padding == "same" else 0 for d, k in zip(operator.dilation, kernel, strict=True)
        ]
        sides = [(r // 2, r - r // 2) for r in reach]
    else:
        sides = [(p, p) for p in padding]
    return _windows(size, kernel, operator.stride, sides, operator.dilation)


def _windows(
    size: Pair, kernel: Sequence[int], stride: Pair, padding: Sequence[Pair], dilation: Pair
) -> tuple[Pair, Taps]:
    """``padding``: before and behind, of each axis."""
    out, axes = [], []
    for n, k, s, (low, high), d in zip(size, kernel, stride, padding, dilation, strict=True):
        out.append((n + low + high - d * (k - 1) - 1) // s + 1)
        axes.append(_axis(n, out[-1], k, s, low, d))
    return (out[0], out[1]), _grid(axes, size[1], out[1], kernel[1])


def _transposed(operator: TransposedConvolution, kernel: Sequence[int], size: Pair) -> tuple[Pair, Taps]:
    out, axes = [], []
    for axis, (n, k) in enumerate(zip(size, kernel, strict=True)):
        s, p, d = operator.stride[axis], operator.padding[axis], operator.dilation[axis]
        out.append((n - 1) * s - 2 * p + d * (k - 1) + operator.output_padding[axis] + 1)
        # out = in * stride - padding + element * dilation: a convolution's taps with the roles of in and out exchanged.
        axes.append(_axis(out[-1], n, k, s, p, d)[:, [1, 0, 2]])
    place = np.argsort(phases(kernel[1], operator.stride[1]))
    axes[1][:, 2] = place[axes[1][:, 2]]
    return (out[0], out[1]), _grid(axes, size[1], out[1], kernel[1])


def _axis(n_in: int, n_out: int, kernel: int, stride: int, padding: int, dilation: int) -> Taps:
    """Along one axis: output, input, element of the kernel, of ``input = output * stride - padding + element * dilation``."""
    out, k = np.indices((n_out, kernel))
    at = out * stride - padding + k * dilation
    inside = (at >= 0) & (at < n_in)
    return np.stack([out[inside], at[inside], k[inside]], axis=1)


def _grid(axes: Sequence[Taps], width_in: int, width_out: int, kernel_width: int) -> Taps:
    """Taps of an image from those along its two axes."""
    rows, columns = axes
    widths = np.array([width_out, width_in, kernel_width])
    taps: Taps = rows[:, None] * widths + columns
    return taps.reshape(-1, 3)
