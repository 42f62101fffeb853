"""The synapses in front of a layer of neurons, and the network that is a chain of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from snncircuit.network.description import Normalisation
from snncircuit.network.operators import (
    Convolution,
    Dense,
    Flatten,
    Pair,
    Pool,
    Shape,
    TransposedConvolution,
    Weighted,
)

__all__ = [
    "Convolution",
    "Dense",
    "Flatten",
    "Pair",
    "Pool",
    "Shape",
    "SpikingNetwork",
    "Synapses",
    "TransposedConvolution",
    "Weighted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synapses:
    """What turns the spikes of one layer into the charges of the next, all in units of the threshold charge.

    Every weight is a pair of devices, ``w = w_exc - w_inh`` with one of them zero, and each neuron has an excitatory and an
    inhibitory line. All weights and biases are multiples of a power of two chosen such that every sum of spikes is exact in
    int16 and float32 (``quantisation.on_grid``): charges depend neither on the order of summation nor on batch, layout,
    thread count or engine. Without a grid they do, by rounding.

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
        grid: weights and biases are multiples of this power of two; 0 for none.
        rounding: root mean square of what rounding changed of the weights, relative to that of the weights.
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
    rounding: float = 0.0

    def charges(
        self, spikes: Float[Tensor, "n ..."]
    ) -> tuple[Float[Tensor, "n ..."], Float[Tensor, "n ..."]]:
        """``(q_exc, q_inh)`` of one step, both >= 0, from the spike counts (whole numbers) of that step; exact."""
        x = self.gather(spikes)
        return (
            self.receive(x, self.weight_exc).add_(self.bias_exc),
            self.receive(x, self.weight_inh).add_(self.bias_inh),
        )

    def current(
        self, values: Float[Tensor, "n ..."]
    ) -> tuple[Float[Tensor, "n ..."], Float[Tensor, "n ..."]]:
        """``(q_exc, q_inh)`` of one step from analog values in [0, 1], rounded to the grid if there is one.

        Summed in double precision, so that after rounding they are the same for every batch and layout.
        """
        q_exc, q_inh = self.to(torch.float64).charges(values.double())
        if self.grid:
            q_exc, q_inh = (q.div_(self.grid).round_().mul_(self.grid) for q in (q_exc, q_inh))
        return q_exc.to(self.weight_exc.dtype), q_inh.to(self.weight_exc.dtype)

    def drive(self, values: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """``q_exc - q_inh`` for analog values of any sign: the normalised input of the ANN's activation function."""
        x = self.receive(self.gather(values), self.weight_exc - self.weight_inh)
        return x.add_(self.bias_exc - self.bias_inh)

    def total(self, spikes: Float[Tensor, "1 ..."], steps: int) -> tuple[float, float]:
        """``(q_exc, q_inh)`` that all neurons together received in so many steps, from how often each input spiked in them.

        Charges are linear in the spikes, so one image with the sum of all spikes, and one output with the sum of all weights, do.
        """
        x = self.gather(spikes.double())
        exc, inh = (
            float(self.receive(x, weight).sum() + steps * bias.sum(dtype=torch.float64))
            for weight, bias in zip(_together(self), (self.bias_exc, self.bias_inh), strict=True)
        )
        return exc, inh

    def to(self, where: torch.dtype | torch.device) -> Synapses:
        """The same synapses in another precision or on another device."""
        names = ("weight_exc", "weight_inh", "bias_exc", "bias_inh")
        return dataclasses.replace(self, **{name: getattr(self, name).to(where) for name in names})

    def gather(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """What the weighted operator sees of a layer's input."""
        for operator in self.before:
            x = operator(x)
        return x

    def receive(
        self, x: Float[Tensor, "n ..."], weight: Float[Tensor, "..."], bias: Float[Tensor, " o"] | None = None
    ) -> Float[Tensor, "n ..."]:
        """What a line with these weights receives of what was gathered."""
        x = self.operator(x, weight, bias)
        for operator in self.after:
            x = operator(x)
        return x


@lru_cache(maxsize=32)
def _together(synapses: Synapses) -> tuple[Tensor, Tensor]:
    """Both lines' weights summed over the outputs; kept, since a run asks for them after every batch."""
    together = synapses.operator.together
    return together(synapses.weight_exc), together(synapses.weight_inh)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikingNetwork:
    """A feed-forward chain of synapses and neurons; which neurons, a run says.

    Attributes:
        name: of the network.
        input_shape: channels, height, width of an image; pixels in [0, 1], a pixel of 1 is one spike in every step.
        layers: in order.
        normalisation: how the layers were scaled.
        levels: how many levels of conductance a synapse's device has; None for as many as the grid holds.
        trained: the same network before its weights went to ``levels``, or None.
    """

    name: str
    input_shape: tuple[int, int, int]
    layers: tuple[Synapses, ...]
    normalisation: Normalisation
    levels: int | None = None
    trained: SpikingNetwork | None = None

    def to(self, where: torch.dtype | torch.device) -> SpikingNetwork:
        """The same network in another precision or on another device."""
        return dataclasses.replace(
            self,
            layers=tuple(layer.to(where) for layer in self.layers),
            trained=None if self.trained is None else self.trained.to(where),
        )

    def activations(self, images: Float[Tensor, "n c h w"]) -> Iterator[Float[Tensor, "n ..."]]:
        """The ANN's activations of each layer divided by its scale; those of the last without ReLU may be negative."""
        x = images.to(self.layers[0].weight_exc.dtype)
        for layer in self.layers:
            x = layer.drive(x)
            if layer.rectified:
                x = x.clamp_(min=0)
            yield x
