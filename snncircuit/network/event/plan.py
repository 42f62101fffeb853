"""Synapses as the kernel reads them: output sites, each a list of runs of input positions that meet consecutive weight rows.

Spikes lie in memory as images do in channels_last (``memory``). An input row is a *strip*, a pixel (or, with groups, a group's
channels of a pixel) a *unit*. A pixel of a convolution's output is a *site*, or several, one for each group; its channels are
*lanes*. A convolution without dilation is then as many runs for each site as its kernel has rows; a transposed convolution is the
same with its kernel sorted by phase; pooling, before or behind the weights, repeats runs; a matrix is one site.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.network.event.memory import SLACK, Image
from snncircuit.network.event.segments import (
    BLOCK_BYTES,
    ROWS,
    blocks,
    image_segments,
    matrix_segments,
)
from snncircuit.network.event.taps import Taps, phases, taps_of
from snncircuit.network.layers import Convolution, Dense, Pool, Synapses, TransposedConvolution

LANES = 32
"""Rows of weights are padded to a multiple of this."""
TILE = 768
"""About as many neurons are updated together."""
LARGEST = 32767
"""Largest sum of a line, in units of the grid."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The arrays of one layer; see ``src/types.hpp``.

    Attributes:
        geometry: strips, units of a strip, positions of a unit, sites, lanes of a site, sites of a tile.
        weights: shape (rows, lanes padded), int16 in units of the grid, or float32; None where currents are given instead.
        site_blocks: shape (sites + 1,), blocks up to each site.
        block_segments: shape (blocks + 1,), segments up to each block.
        block_row: shape (blocks,), row of the weights that a block's rows count from.
        segments: shape (segments, 4): strip, first unit, last unit, row.
        exc: shape (neurons + slack,), excitatory charge of every step, in the units of the weights.
        net: the same less the inhibitory one.
        grid: thresholds per unit of the weights.
        image: channels, height, width of the neurons as they lie in memory.
        per_spike: shape (2, inputs), what one spike of each input brings the excitatory and the inhibitory lines of all neurons
            together, thresholds; exact with a grid, as ``per_step`` is.
        per_step: shape (2,), what the biases bring them in one step.
    """

    geometry: tuple[int, int, int, int, int, int]
    weights: NDArray[Any] | None
    site_blocks: NDArray[np.int32]
    block_segments: NDArray[np.int32]
    block_row: NDArray[np.int64]
    segments: NDArray[np.int32]
    exc: NDArray[Any] | None
    net: NDArray[Any] | None
    grid: float
    image: Image
    per_spike: NDArray[np.float64]
    per_step: NDArray[np.float64]

    def received(self, spikes: NDArray[Any], steps: int) -> NDArray[np.float64]:
        """``q_exc, q_inh`` of all neurons together in so many steps, thresholds, from how often each input spiked in them."""
        found: NDArray[np.float64] = self.per_spike @ spikes + steps * self.per_step
        return found


def plan(layer: Synapses, inputs: Image) -> Plan:
    """The arrays of a layer's synapses; ``inputs`` is how the neurons in front lie in memory.

    Raises:
        SimulationError: weights on a grid whose sums may overflow, or a kernel too large.
    """
    taps, size = None, (1, 1)
    if not isinstance(layer.operator, Dense) or any(isinstance(o, Pool) for o in layer.before):
        taps, size = taps_of(layer, inputs[1:])
    rows = _units(_rows(layer, inputs, taps), layer)
    groups, kernel, channels, lanes = rows.shape
    if taps is None:
        strips, segments = matrix_segments(kernel * channels, lanes)
    else:
        strips, segments = image_segments(taps, inputs, groups, kernel)
    image = (lanes * groups, *size)
    sites = image[1] * image[2] * groups
    exc, inh = (
        _units(bias.reshape(image).movedim(0, -1), layer).ravel() for bias in (layer.bias_exc, layer.bias_inh)
    )
    if layer.grid:
        _check_sums(layer, rows, taps, (exc, inh))
    matrix = np.zeros((groups * kernel * channels, -(-lanes // LANES) * LANES), rows.dtype)
    matrix[:, :lanes] = rows.reshape(-1, lanes)
    unit = layer.grid or 1.0
    return Plan(
        geometry=(*strips, sites, lanes, _tile(lanes)),
        weights=matrix,
        exc=np.pad(exc, (0, SLACK)),
        net=np.pad(exc - inh, (0, SLACK)),
        grid=unit,
        image=image,
        per_spike=unit * _per_spike(rows, taps, inputs),
        per_step=unit * np.array([exc.sum(dtype=np.float64), inh.sum(dtype=np.float64)]),
        **blocks(
            segments, sites, strips[2], ROWS if sites > 1 else max(1, BLOCK_BYTES // (2 * matrix.shape[1]))
        ),
    )


def plan_of_currents(layer: Synapses) -> Plan:
    """Of a first layer whose currents are given: no weights, and no inputs."""
    channels, height, width = (*layer.out_shape, 1, 1)[:3]
    nothing = np.zeros(0, np.int32)
    return Plan(
        geometry=(1, 1, 1, height * width, channels, _tile(channels)),
        weights=None,
        site_blocks=nothing,
        block_segments=nothing,
        block_row=np.zeros(0, np.int64),
        segments=nothing.reshape(0, 4),
        exc=None,
        net=None,
        grid=1.0,
        image=(channels, height, width),
        per_spike=np.zeros((2, 0)),
        per_step=np.zeros(2),
    )


def _tile(lanes: int) -> int:
    """Sites of a tile, such that their spikes fill whole words."""
    whole = LANES // gcd(LANES, lanes)
    return whole * max(1, TILE // (whole * lanes))


def _rows(layer: Synapses, inputs: Image, taps: Taps | None) -> Tensor:
    """Weights as (groups, kernel rows, channels in of a group, lanes); the kernel of a matrix is the image in front of it."""
    weight, operator = layer.weight_exc - layer.weight_inh, layer.operator
    if isinstance(operator, Dense):
        rows = rearrange(weight, "o (c k) -> 1 k c o", c=inputs[0])
    elif isinstance(operator, TransposedConvolution):
        weight = weight[..., phases(weight.shape[3], operator.stride[1])]
        rows = rearrange(weight, "(g i) o h w -> g (h w) i o", g=operator.groups)
    else:
        assert isinstance(operator, Convolution)
        rows = rearrange(weight, "(g o) i h w -> g (h w) i o", g=operator.groups)
    if taps is None:
        return rows
    met = np.bincount(taps[:, 2], minlength=rows.shape[1]) > 0
    return rows * torch.from_numpy(met)[:, None, None]  # what meets padding alone may have any size


def _units(values: Tensor, layer: Synapses) -> NDArray[Any]:
    """Whole numbers of the grid, or single precision where there is none."""
    if not layer.grid:
        return values.float().numpy()
    units = values / layer.grid
    low, high = torch.aminmax(units)
    _refuse_above(max(-float(low), float(high)), layer)
    whole: NDArray[np.int16] = units.round_().to(torch.int16).numpy()
    return whole


def _check_sums(
    layer: Synapses, rows: NDArray[np.int16], taps: Taps | None, biases: tuple[NDArray[np.int16], ...]
) -> None:
    """No line may receive more than the kernel holds when every input spikes once, whatever the order."""
    for sign, bias in zip((1, -1), biases, strict=True):
        found = np.maximum(sign * rows, 0).sum(axis=2, dtype=np.float64)
        if taps is None:
            most = found.sum(axis=1)
        else:
            sites = len(bias) // found[:, 0].size
            met = _meetings(taps[:, 0], taps[:, 2], found.shape[1], sites)
            most = np.einsum("sk,gkl->sgl", met, found, optimize=True)
        _refuse_above(float((most.ravel() + bias).max()), layer)


def _refuse_above(units: float, layer: Synapses) -> None:
    if not units <= LARGEST:
        msg = f"{layer.name}: a sum of charges may reach {units:.0f} units of its grid; the event engine holds {LARGEST}"
        raise SimulationError(msg)


def _per_spike(rows: NDArray[Any], taps: Taps | None, inputs: Image) -> NDArray[np.float64]:
    """``Plan.per_spike`` in units of the weights."""
    net = rows.sum(axis=3, dtype=np.float64)
    exc = np.maximum(rows, 0).sum(axis=3, dtype=np.float64)
    lines = np.stack([exc, exc - net])  # (2, groups, kernel rows, channels)
    if taps is not None:
        met = _meetings(taps[:, 1], taps[:, 2], rows.shape[1], inputs[1] * inputs[2])
        lines = np.einsum("pk,lgkc->lpgc", met, lines, optimize=True)
    return lines.reshape(2, -1)


def _meetings(
    pixel: NDArray[np.int64], row: NDArray[np.int64], rows: int, pixels: int
) -> NDArray[np.float64]:
    """How often each pixel meets each row of the kernel."""
    return np.bincount(pixel * rows + row, minlength=pixels * rows).reshape(pixels, rows).astype(np.float64)
