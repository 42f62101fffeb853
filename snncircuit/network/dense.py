"""The engine for whole layers: the synapses of many steps in one convolution, the neurons in a scan over time.

It gives the spikes of ``reference`` exactly, because sums of charges are exact (see ``layers.Synapses``) and a neuron's step is the
same code. Synapses run in channels_last; the neurons see one flat row for each image in the order of memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from snncircuit.network.encode import Encoder
from snncircuit.network.layers import Shape, SpikingNetwork, Synapses
from snncircuit.network.outcome import Outcome, Record
from snncircuit.network.reference import Sample, make_traces
from snncircuit.neuron.step import EMPTY, Neuron, Tally

MAX_BATCH = 64
CHUNK_BYTES = 64 * 2**20
"""What the largest layer's charges and spikes of one pass may take: more steps at once are no faster."""


def run_dense(
    network: SpikingNetwork,
    neuron: Neuron,
    encoder: Encoder,
    images: Float[Tensor, "n c h w"],
    *,
    first_image: int,
    steps: int,
    record: Record,
) -> Outcome:
    """Run ``steps`` steps, as many in one pass as memory allows (see ``outcome.Engine``)."""
    dtype = network.layers[0].weight_exc.dtype
    populations = [_Population.at_rest(layer, len(images), dtype, record) for layer in network.layers]
    current = network.layers[0].current(images) if encoder.analog else None
    output, v_output = [], []
    chunk = max(1, CHUNK_BYTES // (len(images) * bytes_per_image_step(network)))
    for start in range(0, steps, chunk):
        now = min(chunk, steps - start)
        x = torch.empty(0)
        if current is None:
            values = encoder.values(images, first_image, start, now).to(dtype)
            x = rearrange(values, "t n c h w -> (t n) c h w").contiguous(memory_format=torch.channels_last)
        for population in populations:
            layer = population.layer
            if current is not None and layer is network.layers[0]:
                charges = [_rows(q).expand(now, -1, -1) for q in current]
            else:
                charges = [rearrange(_rows(q), "(t n) k -> t n k", t=now) for q in layer.charges(x)]
            last = population is populations[-1]
            rows, v_rows = population.scan(neuron, charges[0], charges[1], keep_membrane=last)
            x = _images(rearrange(rows, "t n k -> (t n) k"), layer.out_shape)
            if last:
                output.append(rearrange(x, "(t n) ... -> t n (...)", t=now))
                membranes = _images(rearrange(v_rows, "t n k -> (t n) k"), layer.out_shape)
                v_output.append(rearrange(membranes, "(t n) ... -> t n (...)", t=now))
    return Outcome(
        tallies={population.layer.name: population.tally for population in populations},
        counts={p.layer.name: _images(p.counts, p.layer.out_shape).contiguous() for p in populations},
        output=torch.cat(output),
        v_output=torch.cat(v_output),
        traces=make_traces(record, {p.layer.name: p.samples for p in populations}),
    )


def fitting_batch(network: SpikingNetwork, steps: int) -> int:
    """Images at a time that keep a run of so many steps within memory."""
    # The last layer is kept for all steps: spikes, membrane and what the readout makes of them.
    kept = (
        5
        * steps
        * torch.Size(network.layers[-1].out_shape).numel()
        * network.layers[0].weight_exc.element_size()
    )
    return max(1, min(MAX_BATCH, CHUNK_BYTES // bytes_per_image_step(network), 4 * CHUNK_BYTES // kept))


def bytes_per_image_step(network: SpikingNetwork) -> int:
    """Memory of one image in one step: spikes in, both charges and spikes out of the largest layer."""
    item = network.layers[0].weight_exc.element_size()
    return item * max(_size(layer.in_shape) + 3 * _size(layer.out_shape) for layer in network.layers)


@dataclass(slots=True, kw_only=True)
class _Population:
    """The neurons of one layer between two passes."""

    layer: Synapses
    v_mem: Float[Tensor, "n k"]
    counts: Float[Tensor, "n k"]
    chosen: list[int] | None
    tally: Tally = EMPTY
    samples: list[Sample] = field(default_factory=list)

    @classmethod
    def at_rest(cls, layer: Synapses, images: int, dtype: torch.dtype, record: Record) -> _Population:
        v_mem = torch.zeros((images, _size(layer.out_shape)), dtype=dtype)
        numbers = torch.arange(v_mem.shape[1]).reshape(layer.out_shape)
        place = torch.argsort(_rows(numbers[None])[0])  # where a neuron lies in a row
        chosen = [int(place[neuron]) for neuron in record[layer.name]] if layer.name in record else None
        return cls(layer=layer, v_mem=v_mem, counts=torch.zeros_like(v_mem), chosen=chosen)

    def scan(
        self,
        neuron: Neuron,
        q_exc: Float[Tensor, "t n k"],
        q_inh: Float[Tensor, "t n k"],
        *,
        keep_membrane: bool,
    ) -> tuple[Float[Tensor, "t n k"], Float[Tensor, "t n k"]]:
        """Spikes of each step, and membranes if they are to be kept; the population is then at the last step."""
        spikes = torch.empty(q_exc.shape, dtype=self.v_mem.dtype)
        membranes = torch.empty(
            q_exc.shape if keep_membrane else (0, *q_exc.shape[1:]), dtype=self.v_mem.dtype
        )
        for step in range(len(q_exc)):
            outcome = neuron.step(self.v_mem, q_exc[step], q_inh[step])
            self.v_mem = outcome.v_mem
            self.tally += outcome.tally
            spikes[step] = outcome.spikes
            if keep_membrane:
                membranes[step] = outcome.v_mem
            if self.chosen is not None:
                kept = (q_exc[step], q_inh[step], outcome.v_mem, outcome.spikes)
                self.samples.append(tuple(t[:, self.chosen] for t in kept))
        self.counts += spikes.sum(dim=0)
        return spikes, membranes


def _size(shape: Shape) -> int:
    return torch.Size(shape).numel()


def _rows(x: Tensor) -> Tensor:
    """One row of memory for each image: no copy for channels_last images and for vectors."""
    return rearrange(x, "n c h w -> n (h w c)") if x.ndim == 4 else x


def _images(rows: Tensor, shape: Shape) -> Tensor:
    """Rows as images in channels_last, or as the vectors that they are, without a copy."""
    return rearrange(rows, "n (h w c) -> n c h w", c=shape[0], h=shape[1]) if len(shape) == 3 else rows
