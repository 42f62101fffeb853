"""The engine for whole layers: the synapses of many steps in one convolution, the neurons in a scan over time.

It gives the spikes of ``reference`` exactly, because sums of charges are exact (see ``layers.Synapses``). Ideal neurons only see the
net charge, so one convolution of ``w_exc - w_inh`` serves them, and the two sums of charges follow from how often each input spiked.
Synapses run in channels_last; the neurons see one flat row for each image in the order of memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import cycle

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.network.encode import Encoder
from snncircuit.network.layers import Shape, SpikingNetwork, Synapses
from snncircuit.network.net import NetSynapses
from snncircuit.network.outcome import EXIT_INTERVAL, Outcome, Record, decided
from snncircuit.network.populations import Neurons, by_layer
from snncircuit.network.reference import Sample, make_traces
from snncircuit.network.scan import scan, scan_ideal
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import EMPTY, Neuron, Tally
from snncircuit.neuron.variation import VariedNeuron

MAX_BATCH = 64
LEAST_STEPS = 8
"""Steps of one pass for which a batch leaves room, so that membranes stay in the cache from step to step."""
CHUNK_BYTES = 64 * 2**20
"""What the largest layer's charges and spikes of one pass may take: more steps at once are no faster."""


def run_dense(
    network: SpikingNetwork,
    neuron: Neurons,
    encoder: Encoder,
    images: Float[Tensor, "n c h w"],
    *,
    first_image: int,
    steps: int,
    record: Record,
    exit_margin: int | None,
) -> Outcome:
    """Run ``steps`` steps, as many in one pass as memory allows (see ``outcome.Engine``)."""
    weight, count = network.layers[0].weight_exc, len(images)
    neurons = by_layer(network, neuron)
    populations = [
        _Population.at_rest(layer, neurons[layer.name], count, record.get(layer.name))
        for layer in network.layers
    ]
    last = populations[-1]
    current = network.layers[0].current(images) if encoder.analog else None
    pixels = torch.zeros((1, *images.shape[1:]), dtype=torch.float64, device=images.device)
    output = weight.new_zeros((steps, count, torch.Size(last.layer.out_shape).numel()))
    v_output = torch.zeros_like(output)
    steps_used = torch.full((count,), steps, device=weight.device)
    running = torch.arange(count, device=weight.device)
    chunk = max(1, CHUNK_BYTES // (count * bytes_per_image_step(network)))
    # Spikes of one layer and of the next one, in memory that is taken once.
    widest = max(_size(layer.out_shape) for layer in network.layers)
    rooms = cycle(weight.new_empty((2, min(chunk, steps) * count * widest)))
    start = 0
    while start < steps and running.numel():
        now = min(chunk, steps - start)
        if exit_margin is not None:
            now = min(now, EXIT_INTERVAL - start % EXIT_INTERVAL)
        x = None
        if current is None:
            values = encoder.values(images, first_image, start, now)[:, running].to(weight.dtype)
            pixels += values.sum(dim=(0, 1), dtype=torch.float64)
            x = rearrange(values, "t n c h w -> (t n) c h w").contiguous(memory_format=torch.channels_last)
        for population in populations:
            if x is None:
                assert current is not None
                charges = population.currents((current[0][running], current[1][running]), now)
            else:
                charges = population.charges(x, now)
            spikes = next(rooms)[: charges[0].numel()].view(charges[0].shape)
            membranes = population.advance(charges, spikes, running, keep_membranes=population is last)
            x = _images(rearrange(spikes, "t n k -> (t n) k"), population.layer.out_shape)
            if population is last:
                membranes = _images(rearrange(membranes, "t n k -> (t n) k"), last.layer.out_shape)
                span = slice(start, start + now)
                output[span, running] = rearrange(x, "(t n) ... -> t n (...)", t=now)
                v_output[span, running] = rearrange(membranes, "(t n) ... -> t n (...)", t=now)
        start += now
        if exit_margin is not None and start % EXIT_INTERVAL == 0:
            stops = decided(last.counts[running], exit_margin)
            steps_used[running[stops]] = start
            v_output[start:, running[stops]] = v_output[start - 1, running[stops]]
            running = running[~stops]
            for population in populations:
                population.v_mem = population.v_mem[~stops]
    received = _received(populations, pixels, current, steps_used)
    return Outcome(
        tallies={p.layer.name: p.tallied(*q) for p, q in zip(populations, received, strict=True)},
        counts={p.layer.name: _images(p.counts, p.layer.out_shape).contiguous() for p in populations},
        output=output,
        v_output=v_output,
        traces=make_traces(record, {p.layer.name: p.samples for p in populations}),
        steps_used=steps_used,
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
    pass_ = LEAST_STEPS * bytes_per_image_step(network)
    return max(1, min(MAX_BATCH, CHUNK_BYTES // pass_, 4 * CHUNK_BYTES // kept))


def bytes_per_image_step(network: SpikingNetwork) -> int:
    """Memory of one image in one step: spikes in, both charges and spikes out of the largest layer."""
    item = network.layers[0].weight_exc.element_size()
    return item * max(_size(layer.in_shape) + 3 * _size(layer.out_shape) for layer in network.layers)


Charges = tuple[Float[Tensor, "t n k"], ...]
"""Both lines, or the net charge alone."""


@dataclass(slots=True, kw_only=True)
class _Population:
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
    ) -> _Population:
        v_mem = layer.weight_exc.new_zeros((images, _size(layer.out_shape)))
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


def _received(
    populations: list[_Population],
    pixels: Float[Tensor, "1 c h w"],
    current: tuple[Tensor, Tensor] | None,
    steps_used: Int[Tensor, " n"],
) -> Iterator[tuple[float, float]]:
    """``(q_exc, q_inh)`` that each layer received in all: sums are linear in how often each of its inputs spiked."""
    steps = int(steps_used.sum())
    inputs = pixels
    for population in populations:
        layer = population.layer
        if current is not None and population is populations[0]:
            exc, inh = (
                float(q.flatten(1).sum(dim=1, dtype=torch.float64) @ steps_used.double()) for q in current
            )
            yield exc, inh
        else:
            yield layer.total(inputs, steps)
        spikes = population.counts.sum(dim=0, keepdim=True, dtype=torch.float64)
        inputs = _images(spikes, layer.out_shape)


def _size(shape: Shape) -> int:
    return torch.Size(shape).numel()


def _places(shape: Shape, neurons: tuple[int, ...]) -> list[int]:
    """Where these neurons lie in a row."""
    if not neurons:
        return []
    numbers = _rows(torch.arange(_size(shape), device="cpu").reshape(1, *shape))[0]
    return [int(torch.nonzero(numbers == neuron)) for neuron in neurons]


def _rows(x: Tensor) -> Tensor:
    """One row of memory for each image: no copy for channels_last images and for vectors."""
    return rearrange(x, "n c h w -> n (h w c)") if x.ndim == 4 else x


def _images(rows: Tensor, shape: Shape) -> Tensor:
    """Rows as images in channels_last, or as the vectors that they are, without a copy."""
    return rearrange(rows, "n (h w c) -> n c h w", c=shape[0], h=shape[1]) if len(shape) == 3 else rows
