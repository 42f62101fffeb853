"""Weights that an array of devices can hold: on a grid where every sum is exact and, if asked, on few levels of conductance."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor

from snncircuit.errors import ConversionError
from snncircuit.network.layers import Synapses

MOST = 2**15 - 1
"""Most steps of the grid that one line can receive when every input spikes once: the largest int16."""
_CLIPS = 64


def on_grid(synapses: Synapses, levels: int | None = None) -> Synapses:
    """The same synapses with weights and biases on the finest grid, a power of two, on which no sum exceeds ``MOST`` steps.

    So every sum of one spike per input is exact in int16, and of up to 512 in float32, in whatever order it is made.

    Args:
        synapses: with weights as trained.
        levels: what a device can hold, 0 included: its weight is one of ``0, Δ, …, (levels - 1) Δ``. Δ is a whole number of
            steps of the grid, the same in the whole layer; weights beyond the last level are clipped to it, where that makes the
            squared error smaller. Biases are no devices of the array: they are rounded to the grid alone. None for the grid alone.

    Raises:
        ConversionError: fewer than two levels.
    """
    if levels is not None and levels < 2:
        msg = f"{levels} synapse levels: expected 2 or more, 0 being one of them"
        raise ConversionError(msg)
    grid = 2.0 ** math.ceil(math.log2(max(_largest_sum(synapses), 2.0**-100) / MOST))
    while True:
        held = _held(synapses, grid, levels)
        if _largest_sum(held) <= MOST * grid:
            return held
        grid *= 2  # rounding lifted a sum


def _largest_sum(synapses: Synapses) -> float:
    """Charge of the line that receives most when every input spikes once."""
    weight = synapses.weight_exc
    every = torch.ones((1, *synapses.in_shape), dtype=torch.float64, device=weight.device)
    return max(float(charge.max()) for charge in synapses.to(torch.float64).charges(every))


def _held(synapses: Synapses, grid: float, levels: int | None) -> Synapses:
    weight = (synapses.weight_exc - synapses.weight_inh).double()
    step = grid if levels is None else _best_step(weight, grid, levels)
    near = _nearest(weight, step, levels or MOST + 1)
    bias = torch.round((synapses.bias_exc - synapses.bias_inh).double() / grid) * grid
    size = float(weight.square().mean().sqrt())
    dtype = synapses.weight_exc.dtype
    return dataclasses.replace(
        synapses,
        weight_exc=near.clamp(min=0).to(dtype),
        weight_inh=(-near).clamp(min=0).to(dtype),
        bias_exc=bias.clamp(min=0).to(dtype),
        bias_inh=(-bias).clamp(min=0).to(dtype),
        grid=grid,
        rounding=float((near - weight).square().mean().sqrt()) / size if size else 0.0,
    )


def _nearest(weight: Tensor, step: float, levels: int) -> Tensor:
    return torch.round(weight / step).clamp(1 - levels, levels - 1) * step


def _best_step(weight: Tensor, grid: float, levels: int) -> float:
    """Of evenly spaced clips up to the largest weight, the distance of levels with the least squared error."""
    size = weight.abs()
    finest = float(size.max()) / (levels - 1) / grid
    # The last two: no clip at all, and the weights' own levels, so that what is quantised stays as it is.
    steps = {math.floor(finest * clip / _CLIPS) for clip in range(1, _CLIPS + 1)}
    steps |= {math.ceil(finest), int(np.gcd.reduce(torch.round(size / grid).long().unique().cpu().numpy()))}
    return min(
        (max(1, step) * grid for step in sorted(steps)),
        key=lambda step: float((_nearest(weight, step, levels) - weight).square().sum()),
    )
