"""The neuron layers of a module while it is being read: what is complete and what is being gathered."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snncircuit.errors import ConversionError
from snncircuit.network.layers import Convolution, Flatten, Pair, Pool, Shape, TransposedConvolution, Weighted


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One neuron layer of a module, in double precision, not yet normalised.

    Attributes:
        name: of the layer.
        path: of the weighted layer in the module.
        modules: the chain of torch layers up to the ReLU, for running it as it is.
        operator: the weighted operator.
        before: unweighted operators in front of it.
        after: unweighted operators behind it.
        weight: its weights with batch normalisation and the divisors of averages folded in.
        bias: output for a zero input, shape ``out_shape``.
        in_shape: shape of one image in.
        out_shape: shape of one image out.
        rectified: whether a ReLU follows.
    """

    name: str
    path: str
    modules: tuple[nn.Module, ...]
    operator: Weighted
    before: tuple[Pool | Flatten, ...]
    after: tuple[Pool | Flatten, ...]
    weight: Float[Tensor, "..."]
    bias: Float[Tensor, "..."]
    in_shape: Shape
    out_shape: Shape
    rectified: bool


def at(layer: nn.Module, path: str) -> str:
    """A layer for messages: its type and its path in the module."""
    return f"{type(layer).__name__} at {path!r}" if path else f"{type(layer).__name__}, the module itself"


@dataclass(slots=True, kw_only=True)
class Reader:
    """What is known half-way: the layers that are complete and the one being gathered."""

    shape: Shape
    in_shape: Shape
    stages: list[Stage] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    modules: list[nn.Module] = field(default_factory=list)
    before: list[Pool | Flatten] = field(default_factory=list)
    after: list[Pool | Flatten] = field(default_factory=list)
    gain: Tensor | None = None  # per channel, of what stands between the last neurons and the next weights
    normalised: str = ""  # the batch normalisation that waits for weights
    kind: str = ""
    where: str = ""
    operator: Weighted | None = None
    weight: Tensor | None = None
    spread: bool = False  # whether a Flatten behind the weights made features of pixels

    @property
    def averages_spikes(self) -> bool:
        """Whether an average here is one of spikes alone, so that it may be a layer of neurons."""
        return bool(self.stages) and self.weight is None and not self.normalised

    def run(self, layer: nn.Module, path: str) -> None:
        """Note a layer and the shape behind it."""
        try:
            with torch.no_grad():
                shape = layer(torch.zeros((1, *self.shape), dtype=torch.float64)).shape
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            msg = f"{at(layer, path)} cannot take an input of shape {self.shape}: {reason}"
            raise ConversionError(msg) from error
        self.modules.append(layer)
        self.shape = tuple(shape[1:])

    def weigh(self, kind: str, layer: nn.Module, path: str, operator: Weighted, weight: Tensor) -> None:
        """Note the weighted operator of the layer being gathered."""
        if self.weight is not None:
            msg = f"{at(layer, path)} follows {self.where} without a ReLU between them; synapses need neurons in front"
            raise ConversionError(msg)
        self.kind, self.where, self.operator, self.weight = kind, at(layer, path), operator, weight
        self.normalised = ""

    def scale(self, factor: Tensor) -> None:
        """Multiply each channel, before the weights or behind them."""
        if self.weight is None:
            self.gain = factor if self.gain is None else self.gain * factor
        elif isinstance(self.operator, TransposedConvolution):
            groups = self.operator.groups
            per_input = factor.reshape(groups, 1, -1).expand(-1, self.weight.shape[0] // groups, -1)
            self.weight = self.weight * per_input.reshape(*self.weight.shape[:2], 1, 1)
        else:
            self.weight = self.weight * factor.reshape(-1, *[1] * (self.weight.ndim - 1))

    def arrange(self, operator: Pool | Flatten) -> None:
        """Note an unweighted operator."""
        (self.before if self.weight is None else self.after).append(operator)

    def close(self, *, rectified: bool) -> None:
        """The layer being gathered is complete."""
        assert self.operator is not None
        assert self.weight is not None
        self.names[self.kind] = self.names.get(self.kind, 0) + 1
        silence = torch.zeros((1, *self.in_shape), dtype=torch.float64)
        modules = tuple(self.modules)
        with torch.no_grad():
            for layer in modules:
                silence = layer(silence)
        self.stages.append(
            Stage(
                name=f"{self.kind}{self.names[self.kind]}",
                path=self.where,
                modules=modules,
                operator=self.operator,
                before=tuple(self.before),
                after=tuple(self.after),
                weight=self.weight,
                bias=silence[0],
                in_shape=self.in_shape,
                out_shape=self.shape,
                rectified=rectified,
            )
        )
        self.in_shape = self.shape
        self.modules, self.before, self.after = [], [], []
        self.gain, self.operator, self.weight, self.spread = None, None, None, False

    def finish(self) -> tuple[Stage, ...]:
        """All layers, when nothing follows."""
        if self.weight is not None:
            self.close(rectified=False)
        elif self.normalised:
            msg = f"{self.normalised} has no convolution or linear layer to be folded into"
            raise ConversionError(msg)
        elif any(isinstance(operator, Pool) for operator in self.before):
            msg = "the last AvgPool2d has no convolution or linear layer behind it; convertible there: AdaptiveAvgPool2d(1)"
            raise ConversionError(msg)
        if not self.stages:
            msg = "nothing to convert: the module has no Conv2d, ConvTranspose2d, Linear or global average pooling"
            raise ConversionError(msg)
        return tuple(self.stages)

    def average(self, kernel: Pair, layer: nn.Module, path: str) -> None:
        """A layer of neurons with fixed weights: the average of the spikes of each channel."""
        channels = self.shape[0]
        gain = torch.ones(channels, dtype=torch.float64) if self.gain is None else self.gain
        weight = gain.reshape(-1, 1, 1, 1).expand(-1, 1, *kernel) / (kernel[0] * kernel[1])
        operator = Convolution(stride=kernel, padding=(0, 0), dilation=(1, 1), groups=channels)
        self.weigh("gap", layer, path, operator, weight)
        self.close(rectified=True)
