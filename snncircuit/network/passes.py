"""One layer in the dense engine, from one pass of many steps to the next.

Synapses run in channels_last; the neurons see one flat row for each image in the order of memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.network.layers import Shape, Synapses
from snncircuit.network.net import NetSynapses
from snncircuit.network.reference import Sample
from snncircuit.network.scan import scan, scan_ideal
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import EMPTY, Neuron, Tally
from snncircuit.neuron.variation import VariedNeuron

Charges = tuple[Float[Tensor, "t n k"], ...]
"""Both lines, or the net charge alone."""


@dataclass(slots=True, kw_only=True)
class Population:
    """The neurons of one layer between two passes; ``net`` makes net charges where they need no others."""

    layer: Synapses
    neuron: Neuron
    v_mem: Float[Tensor, "n k"]
    counts: Float[Tensor, "all k"]
    net: NetSynapses | None
    chosen: list[int]
    tally: Tally = EMPTY
    samples: list[Sample] = field(default_factory=list)

    @classmethod
    def at_rest(
        cls, layer: Synapses, neuron: Neuron, images: int, recorded: tuple[int, ...] | None
    ) -> Population:
        """The neurons of a layer before the first step; ``recorded``: those of which every step is kept."""
        v_mem = layer.weight_exc.new_zeros((images, size_of(layer.out_shape)))
        return cls(
            layer=layer,
            neuron=neuron.arranged(_rows) if isinstance(neuron, VariedNeuron) else neuron,
            v_mem=v_mem,
            counts=torch.zeros_like(v_mem),
            net=_net_of(layer) if isinstance(neuron, IdealNeuron) and recorded is None else None,
            chosen=_places(layer.out_shape, recorded or ()),
        )

    def charges(self, spikes: Float[Tensor, "tn ..."], steps: int) -> Charges:
        """Of so many steps, from the spikes of all of them."""
        lines = self.layer.charges(spikes) if self.net is None else (self.net.charges(spikes),)
        return tuple(rearrange(_rows(q), "(t n) k -> t n k", t=steps) for q in lines)

    def currents(self, current: tuple[Tensor, Tensor], steps: int) -> Charges:
        """Of so many steps, from the charges that every one of them brings."""
        lines = current if self.net is None else (current[0] - current[1],)
        return tuple(_rows(q).expand(steps, -1, -1) for q in lines)

    def advance(
        self,
        charges: Charges,
        spikes: Float[Tensor, "t n k"],
        running: Int[Tensor, " n"],
        *,
        keep_membranes: bool,
    ) -> Float[Tensor, "kept n k"]:
        """Through all steps of the charges, those of the images ``running``: writes their spikes, gives their membranes."""
        if isinstance(self.neuron, IdealNeuron) and self.net is not None:
            scanned = scan_ideal(self.neuron, self.v_mem, charges[0], spikes, keep_membranes=keep_membranes)
        else:
            keep = keep_membranes or bool(self.chosen)
            scanned = scan(self.neuron, self.v_mem, charges[0], charges[1], spikes, keep_membranes=keep)
            if self.chosen:
                kept = (signal[:, :, self.chosen] for signal in (*charges, scanned.membranes, spikes))
                self.samples += zip(*(signal.unbind() for signal in kept), strict=True)
        self.v_mem = scanned.v_mem
        self.tally += scanned.tally
        self.counts.index_add_(0, running, scanned.counts)
        return scanned.membranes

    def tallied(self, q_exc: float, q_inh: float) -> Tally:
        """The tally, with these charges received where the scan saw the net charge alone."""
        if self.net is None:
            return self.tally
        spikes = float(self.counts.sum(dtype=torch.float64))
        return replace(self.tally, spikes=spikes, q_exc=q_exc, q_inh=q_inh)


@lru_cache(maxsize=32)
def _net_of(layer: Synapses) -> NetSynapses:
    """Kept, since a run comes in batches."""
    return NetSynapses.of(layer)


def size_of(shape: Shape) -> int:
    """Neurons of a layer of this shape."""
    return torch.Size(shape).numel()


def _places(shape: Shape, neurons: tuple[int, ...]) -> list[int]:
    """Where these neurons lie in a row."""
    if not neurons:
        return []
    numbers = _rows(torch.arange(size_of(shape), device="cpu").reshape(1, *shape))[0]
    return [int(torch.nonzero(numbers == neuron)) for neuron in neurons]


def _rows(x: Tensor) -> Tensor:
    """One row of memory for each image: no copy for channels_last images and for vectors."""
    return rearrange(x, "n c h w -> n (h w c)") if x.ndim == 4 else x


def images_of(rows: Tensor, shape: Shape) -> Tensor:
    """Rows as images in channels_last, or as the vectors that they are, without a copy."""
    return rearrange(rows, "n (h w c) -> n c h w", c=shape[0], h=shape[1]) if len(shape) == 3 else rows
