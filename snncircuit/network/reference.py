"""The engine that defines what a run is: one step after the other, one layer after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from snncircuit.network.encode import Encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import EXIT_INTERVAL, Outcome, Record, Trace, decided
from snncircuit.network.populations import Neurons, by_layer
from snncircuit.neuron.step import EMPTY

Sample = tuple[Tensor, ...]
"""q_exc, q_inh, v_mem, spikes of the recorded neurons in one step, each (images, neurons)."""


def run_reference(
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
    """Run ``steps`` steps; in each, a spike passes through all layers (see ``outcome.Engine``)."""
    layers, neurons = network.layers, by_layer(network, neuron)
    weight = layers[0].weight_exc
    v_mem = {layer.name: weight.new_zeros((len(images), *layer.out_shape)) for layer in layers}
    counts = {name: torch.zeros_like(v) for name, v in v_mem.items()}
    tallies = {layer.name: EMPTY for layer in layers}
    samples: dict[str, list[Sample]] = {name: [] for name in record}
    last = layers[-1].name
    output = weight.new_zeros((steps, len(images), v_mem[last][0].numel()))
    v_output = torch.zeros_like(output)
    steps_used = torch.full((len(images),), steps, device=weight.device)
    running = torch.arange(len(images), device=weight.device)
    for step in range(steps):
        x = encoder.values(images, first_image, step, 1)[0, running].to(weight.dtype)
        for layer in layers:
            analog = encoder.analog and layer is layers[0]
            q_exc, q_inh = layer.current(x) if analog else layer.charges(x)
            outcome = neurons[layer.name].step(v_mem[layer.name], q_exc, q_inh)
            v_mem[layer.name] = outcome.v_mem
            tallies[layer.name] += outcome.tally
            counts[layer.name][running] += outcome.spikes
            if layer.name in record:
                chosen = list(record[layer.name])
                kept = (q_exc, q_inh, outcome.v_mem, outcome.spikes)
                samples[layer.name].append(tuple(t.flatten(1)[:, chosen] for t in kept))
            x = outcome.spikes
        output[step, running] = x.flatten(1)
        v_output[step, running] = v_mem[last].flatten(1)
        if exit_margin is not None and (step + 1) % EXIT_INTERVAL == 0:
            stops = decided(counts[last][running].flatten(1), exit_margin)
            steps_used[running[stops]] = step + 1
            v_output[step + 1 :, running[stops]] = v_output[step, running[stops]]
            running = running[~stops]
            v_mem = {name: v[~stops] for name, v in v_mem.items()}
            if running.numel() == 0:
                break
    return Outcome(
        tallies=tallies,
        counts=counts,
        output=output,
        v_output=v_output,
        traces=make_traces(record, samples),
        steps_used=steps_used,
    )


def make_traces(record: Record, samples: Mapping[str, Sequence[Sample]]) -> dict[str, Trace]:
    """The traces of samples, one of each step."""
    traces = {}
    for name, neurons in record.items():
        q_exc, q_inh, v_mem, spikes = (
            torch.stack(parts).float().cpu().numpy() for parts in zip(*samples[name], strict=True)
        )
        traces[name] = Trace(neurons=tuple(neurons), q_exc=q_exc, q_inh=q_inh, v_mem=v_mem, spikes=spikes)
    return traces
