"""The engine for spikes: work in proportion to them, one image a thread, in C++; see ``src/types.hpp``."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from snncircuit.network.encode import Encoder
from snncircuit.network.event import simd
from snncircuit.network.event.memory import (
    by_step,
    from_memory,
    input_bits,
    input_counts,
    places,
    variation_in_memory,
    with_slack,
)
from snncircuit.network.event.prepared import prepared
from snncircuit.network.event.received import from_currents, from_spikes
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import EXIT_INTERVAL, SIGNALS, Outcome, Record, Trace
from snncircuit.network.populations import Neurons, by_layer
from snncircuit.network.torch_threads import torch_on_one_thread, torch_threads
from snncircuit.neuron.step import Tally
from snncircuit.neuron.variation import VariedNeuron

CHUNK = 64
"""Steps that a layer runs before the next layer does; a multiple of EXIT_INTERVAL."""
BATCH_BYTES = 512 * 2**20
"""What the results of one batch of images may take."""
MOST_IMAGES = 128
"""Of a batch; more bring no speed."""


@torch_on_one_thread()
def run_event(
    network: SpikingNetwork,
    neuron: Neurons,
    encoder: Encoder,
    images: Float[Tensor, "n c h w"],
    *,
    first_image: int,
    steps: int,
    record: Record,
    exit_margin: int | None,
    chunk: int = CHUNK,
) -> Outcome:
    """Run ``steps`` steps (see ``outcome.Engine``), as many images at once as torch has threads, in single precision.

    Raises:
        SimulationError: what the kernel cannot hold, or an encoder that gives other than 0 and 1.
    """
    simd()  # refuses a bad choice of the instruction set
    made = prepared(network, neuron, analog=encoder.analog)
    n, layers = len(images), network.layers
    neurons = by_layer(network, neuron).values()
    varied = [own if isinstance(own, VariedNeuron) else None for own in neurons]
    maps = [p.image for p in made.plans]
    sizes = [c * h * w for c, h, w in maps]
    current: tuple[Tensor, ...] = ()
    bits, charges, net = None, None, None
    if encoder.analog:
        exc, inh = current = layers[0].current(images)
        charges, net = with_slack(exc, maps[0]), with_slack(exc - inh, maps[0])
    else:
        bits = input_bits(encoder, images, first_image, steps)
    chosen = [
        places(image, record[layer.name]) if layer.name in record else None
        for layer, image in zip(layers, maps, strict=True)
    ]
    steps_used = np.zeros(n, np.int32)
    counts = [np.empty((n, size), np.float32) for size in sizes]
    output, v_output = (np.empty((n, steps, sizes[-1]), np.float32) for _ in range(2))
    sums = np.empty((n, len(layers), 4))
    visits = [np.zeros(k.visits) if k.visits else None for k in made.neurons]
    traces = [None if c is None else np.zeros((4, n, steps, len(c)), np.float32) for c in chosen]
    made.kernel.run(
        images=n,
        steps=steps,
        chunk=chunk if exit_margin is None else EXIT_INTERVAL,
        threads=torch_threads(),
        bits=bits,
        exc=charges,
        net=net,
        exit_margin=exit_margin or 0,
        steps_used=steps_used,
        counts=counts,
        output=output,
        v_output=v_output,
        sums=sums,
        visits=visits,
        chosen=chosen,
        traces=traces,
        variations=[
            None if v is None else variation_in_memory(v, image)
            for v, image in zip(varied, maps, strict=True)
        ],
    )
    used = torch.from_numpy(steps_used).long()
    spikes = [c.sum(axis=0, dtype=np.float64) for c in counts]
    total = int(used.sum())
    if bits is None:
        received = [from_currents(current, used.double(), varied[0])]
    else:
        inputs = input_counts(bits, steps_used, images[0].numel())
        received = [from_spikes(layers[0], made.plans[0], network.input_shape, inputs, total, varied[0])]
    for layer, p, own, there, found in zip(
        layers[1:], made.plans[1:], varied[1:], maps, spikes, strict=False
    ):
        received.append(from_spikes(layer, p, there, found, total, own))
    tallies = {
        layer.name: Tally(
            neuron_steps=sizes[i] * total,
            spikes=float(spikes[i].sum()),
            q_exc=received[i][0],
            q_inh=received[i][1],
            clipped_charge=float(sums[:, i, 0].sum()),
            out_of_range=int(sums[:, i, 1].sum()),
            v_low=float(sums[:, i, 2].min()),
            v_high=float(sums[:, i, 3].max()),
            occupancy=None if visited is None else made.neurons[i].occupancy(visited),
        )
        for i, (layer, visited) in enumerate(zip(layers, visits, strict=True))
    }
    return Outcome(
        tallies=tallies,
        counts={
            layer.name: from_memory(torch.from_numpy(c), image, layer.out_shape)
            for layer, c, image in zip(layers, counts, maps, strict=True)
        },
        output=by_step(output, maps[-1], layers[-1].out_shape),
        v_output=by_step(v_output, maps[-1], layers[-1].out_shape),
        traces={
            layer.name: _trace(record[layer.name], trace)
            for layer, trace in zip(layers, traces, strict=True)
            if trace is not None
        },
        steps_used=used,
    )


def fitting_batch(network: SpikingNetwork, steps: int) -> int:
    """Images at a time whose results fit in memory, enough to keep all threads busy."""
    last = 8 * steps * torch.Size(network.layers[-1].out_shape).numel()
    counts = 8 * sum(torch.Size(layer.out_shape).numel() for layer in network.layers)
    return max(1, min(MOST_IMAGES, BATCH_BYTES // (last + counts)))


def _trace(neurons: tuple[int, ...], kept: NDArray[np.float32]) -> Trace:
    """``kept``: of shape (signals, images, steps, neurons)."""
    return Trace(
        neurons=tuple(neurons), **dict(zip(SIGNALS, np.ascontiguousarray(kept.swapaxes(1, 2)), strict=True))
    )
