"""The synapses in front of a layer of neurons, and the network that is a chain of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from snncircuit.network.description import Normalisation

Shape = tuple[int, ...]
Pair = tuple[int, int]


class Weighted(Protocol):
    """A linear operator with weights: images or vectors in, images or vectors out."""

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        """Apply the weights."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """``torch.nn.functional.conv2d``; weight (out, in / groups, height, width)."""

    stride: Pair
    padding: Pair | str
    dilation: Pair
    groups: int

    def __call__(self, x: Float[Tensor, "n c h w"], weight: Float[Tensor, "o i kh kw"]) -> Tensor:
        """Apply the kernels."""
        return F.conv2d(x, weight, None, self.stride, self.padding, self.dilation, self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransposedConvolution:
    """``torch.nn.functional.conv_transpose2d``; weight (in, out / groups, height, width)."""

    stride: Pair
    padding: Pair
    output_padding: Pair
    dilation: Pair
    groups: int

    def __call__(self, x: Float[Tensor, "n c h w"], weight: Float[Tensor, "i o kh kw"]) -> Tensor:
        """Apply the kernels."""
        return F.conv_transpose2d(
            x, weight, None, self.stride, self.padding, self.output_padding, self.groups, self.dilation
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """``torch.nn.functional.linear``; weight (out, in)."""

    def __call__(self, x: Float[Tensor, "n i"], weight: Float[Tensor, "o i"]) -> Tensor:
        """Apply the matrix."""
        return F.linear(x, weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Sums over windows. The average's divisor is in the weights, so that sums of spikes stay whole numbers."""

    kernel: Pair
    stride: Pair
    padding: Pair

    def __call__(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c oh ow"]:
        """Sum each window."""
        return F.avg_pool2d(x, self.kernel, self.stride, self.padding, divisor_override=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten:
    """Images to vectors, channel by channel, as ``torch.nn.Flatten`` does."""

    def __call__(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n chw"]:
        """Make vectors."""
        return x.flatten(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Synapses:
    """What turns the spikes of one layer into the charges of the next, all in units of the threshold charge.

    Every weight is a pair of devices, ``w = w_exc - w_inh`` with one of them zero, and each neuron has an excitatory and an
    inhibitory line. All weights and biases are multiples of a power of two chosen such that every sum of spikes is exact in
    float32: charges depend neither on the order of summation nor on batch, layout or thread count.

    Attributes:
        name: of the layer of neurons behind, ``conv1``, ``convt1``, ``fc1``, ``gap1``.
        path: where in the module it came from.
        operator: the weighted operator.
        before: unweighted operators in front of it.
        after: unweighted operators behind it.
        weight_exc: weights of the excitatory line, >= 0, thresholds per spike.
        weight_inh: weights of the inhibitory line, >= 0, thresholds per spike.
        bias_exc: charge of each step, shape ``out_shape``, >= 0.
        bias_inh: charge of each step, shape ``out_shape``, >= 0.
        in_shape: shape of one image's spikes in.
        out_shape: shape of one image's charges out.
        scale: the activation λ that one spike in every step stands for.
        rectified: whether a ReLU followed in the module; without it (last layer only) its output may be negative.
        grid: weights and biases are multiples of this power of two.
    """

    name: str
    path: str
    operator: Weighted
    before: tuple[Pool | Flatten, ...]
    after: tuple[Pool | Flatten, ...]
    weight_exc: Float[Tensor, "..."]
    weight_inh: Float[Tensor, "..."]
    bias_exc: Float[Tensor, "..."]
    bias_inh: Float[Tensor, "..."]
    in_shape: Shape
    out_shape: Shape
    scale: float
    rectified: bool
    grid: float

    def charges(
        self, spikes: Float[Tensor, "n ..."]
    ) -> tuple[Float[Tensor, "n ..."], Float[Tensor, "n ..."]]:
        """``(q_exc, q_inh)`` of one step, both >= 0, from the spike counts (whole numbers) of that step; exact."""
        x = self._gather(spikes)
        return self._line(x, self.weight_exc, self.bias_exc), self._line(x, self.weight_inh, self.bias_inh)

    def current(
        self, values: Float[Tensor, "n ..."]
    ) -> tuple[Float[Tensor, "n ..."], Float[Tensor, "n ..."]]:
        """``(q_exc, q_inh)`` of one step from analog values in [0, 1], rounded to the grid.

        Summed in double precision, so that after rounding they are the same for every batch and layout.
        """
        exact = self.to(torch.float64)
        q_exc, q_inh = exact.charges(values.double())
        dtype = self.weight_exc.dtype
        return (
            (torch.round(q_exc / self.grid) * self.grid).to(dtype),
            (torch.round(q_inh / self.grid) * self.grid).to(dtype),
        )

    def drive(self, values: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """``q_exc - q_inh`` for analog values of any sign: the normalised input of the ANN's activation function."""
        x = self._gather(values)
        return self._line(x, self.weight_exc - self.weight_inh, self.bias_exc - self.bias_inh)

    def to(self, dtype: torch.dtype) -> Synapses:
        """The same synapses in another precision."""
        names = ("weight_exc", "weight_inh", "bias_exc", "bias_inh")
        return dataclasses.replace(self, **{name: getattr(self, name).to(dtype) for name in names})

    def _gather(self, x: Tensor) -> Tensor:
        for operator in self.before:
            x = operator(x)
        return x

    def _line(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x = self.operator(x, weight)
        for operator in self.after:
            x = operator(x)
        return x.add_(bias)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikingNetwork:
    """A feed-forward chain of synapses and neurons; which neurons, a run says.

    Attributes:
        name: of the network.
        input_shape: channels, height, width of an image; pixels in [0, 1], a pixel of 1 is one spike in every step.
        layers: in order.
        normalisation: how the layers were scaled.
    """

    name: str
    input_shape: tuple[int, int, int]
    layers: tuple[Synapses, ...]
    normalisation: Normalisation

    def to(self, dtype: torch.dtype) -> SpikingNetwork:
        """The same network in another precision."""
        return dataclasses.replace(self, layers=tuple(layer.to(dtype) for layer in self.layers))

    def activations(self, images: Float[Tensor, "n c h w"]) -> Iterator[Float[Tensor, "n ..."]]:
        """The ANN's activations of each layer divided by its scale; those of the last without ReLU may be negative."""
        x = images.to(self.layers[0].weight_exc.dtype)
        for layer in self.layers:
            x = layer.drive(x)
            if layer.rectified:
                x = x.clamp_(min=0)
            yield x
