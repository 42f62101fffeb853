"""What synapses do to spikes, without their weights: convolutions, matrices, sums over windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from einops import reduce
from jaxtyping import Float
from torch import Tensor

Shape = tuple[int, ...]
Pair = tuple[int, int]


class Weighted(Protocol):
    """A linear operator with weights: images or vectors in, images or vectors out."""

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Apply the weights, and add a bias to each output channel."""
        ...

    def together(self, weight: Tensor) -> Tensor:
        """The weights with which one output, of each group, is the sum of all outputs, in double precision."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """``torch.nn.functional.conv2d``; weight (out, in / groups, height, width)."""

    stride: Pair
    padding: Pair | str
    dilation: Pair
    groups: int

    def __call__(
        self,
        x: Float[Tensor, "n c h w"],
        weight: Float[Tensor, "o i kh kw"],
        bias: Float[Tensor, " o"] | None = None,
    ) -> Tensor:
        """Apply the kernels."""
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def together(self, weight: Float[Tensor, "o i kh kw"]) -> Float[Tensor, "groups i kh kw"]:
        """One kernel of each group."""
        return reduce(weight.double(), "(g o) i kh kw -> g i kh kw", "sum", g=self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransposedConvolution:
    """``torch.nn.functional.conv_transpose2d``; weight (in, out / groups, height, width)."""

    stride: Pair
    padding: Pair
    output_padding: Pair
    dilation: Pair
    groups: int

    def __call__(
        self,
        x: Float[Tensor, "n c h w"],
        weight: Float[Tensor, "i o kh kw"],
        bias: Float[Tensor, " go"] | None = None,
    ) -> Tensor:
        """Apply the kernels."""
        return F.conv_transpose2d(
            x, weight, bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation
        )

    def together(self, weight: Float[Tensor, "i o kh kw"]) -> Float[Tensor, "i 1 kh kw"]:
        """One kernel for each input."""
        return weight.sum(dim=1, keepdim=True, dtype=torch.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """``torch.nn.functional.linear``; weight (out, in)."""

    def __call__(
        self, x: Float[Tensor, "n i"], weight: Float[Tensor, "o i"], bias: Float[Tensor, " o"] | None = None
    ) -> Tensor:
        """Apply the matrix."""
        return F.linear(x, weight, bias)

    def together(self, weight: Float[Tensor, "o i"]) -> Float[Tensor, "1 i"]:
        """One row."""
        return weight.sum(dim=0, keepdim=True, dtype=torch.float64)


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
