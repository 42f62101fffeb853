"""The engine for whole layers: the synapses of many steps in one convolution, the neurons in a scan over time.

It gives the spikes of ``reference`` exactly, because sums of charges are exact (see ``layers.Synapses``). Ideal neurons only see the
net charge, so one convolution of ``w_exc - w_inh`` serves them, and the two sums of charges follow from how often each input spiked.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, cycle
from threading import Event

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.network.encode import Encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import EXIT_INTERVAL, Outcome, Record, decided
from snncircuit.network.passes import Population, images_of, size_of
from snncircuit.network.populations import Neurons, by_layer, strange
from snncircuit.network.reference import make_traces
from snncircuit.network.torch_threads import torch_on_one_thread, torch_threads

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
    """Run ``steps`` steps, as many in one pass as memory allows (see ``outcome.Engine``).

    On a processor each thread takes images of its own and torch one thread for them: the threads of an operation that is spread over
    all would wait for each other at the end of each of the many small ones.
    """
    by_images = images.device.type == "cpu" and torch.is_inference_mode_enabled() and not strange(neuron)
    threads = min(torch_threads(), len(images)) if by_images else 1
    chunk = max(1, CHUNK_BYTES // (len(images) * bytes_per_image_step(network)))
    stop = Event()

    def run(some: Float[Tensor, "n c h w"], first: int) -> Outcome:
        with torch.inference_mode(by_images):
            return _run(network, neuron, encoder, some, first, steps, record, exit_margin, chunk, stop)

    if threads == 1:
        return run(images, first_image)
    parts = images.tensor_split(threads)
    firsts = accumulate(map(len, parts), initial=first_image)
    with torch_on_one_thread(), ThreadPoolExecutor(threads) as pool:
        try:
            return Outcome.joined(list(pool.map(run, parts, firsts)))
        finally:
            stop.set()


def _run(
    network: SpikingNetwork,
    neuron: Neurons,
    encoder: Encoder,
    images: Float[Tensor, "n c h w"],
    first_image: int,
    steps: int,
    record: Record,
    exit_margin: int | None,
    chunk: int,
    stop: Event,
) -> Outcome:
    """The same on this thread, at most ``chunk`` steps in one pass; what it gives once it was told to stop is of no use."""
    weight, count = network.layers[0].weight_exc, len(images)
    neurons = by_layer(network, neuron)
    populations = [
        Population.at_rest(layer, neurons[layer.name], count, record.get(layer.name))
        for layer in network.layers
    ]
    last = populations[-1]
    current = network.layers[0].current(images) if encoder.analog else None
    pixels = torch.zeros((1, *images.shape[1:]), dtype=torch.float64, device=images.device)
    output = weight.new_zeros((steps, count, torch.Size(last.layer.out_shape).numel()))
    v_output = torch.zeros_like(output)
    steps_used = torch.full((count,), steps, device=weight.device)
    running = torch.arange(count, device=weight.device)
    # Spikes of one layer and of the next one, in memory that is taken once.
    widest = max(size_of(layer.out_shape) for layer in network.layers)
    rooms = cycle(weight.new_empty((2, min(chunk, steps) * count * widest)))
    start = 0
    while start < steps and running.numel() and not stop.is_set():
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
            x = images_of(rearrange(spikes, "t n k -> (t n) k"), population.layer.out_shape)
            if population is last:
                membranes = images_of(rearrange(membranes, "t n k -> (t n) k"), last.layer.out_shape)
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
        counts={p.layer.name: images_of(p.counts, p.layer.out_shape).contiguous() for p in populations},
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
    return item * max(size_of(layer.in_shape) + 3 * size_of(layer.out_shape) for layer in network.layers)


def _received(
    populations: list[Population],
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
        inputs = images_of(spikes, layer.out_shape)
