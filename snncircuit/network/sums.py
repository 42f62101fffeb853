"""What is summed over batches of images, and the figures that come of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from einops import rearrange
from torch import Tensor

from snncircuit.network.figures import LayerFigures
from snncircuit.network.layers import SpikingNetwork, Synapses
from snncircuit.network.outcome import Outcome, Trace
from snncircuit.network.populations import Neurons, by_layer
from snncircuit.network.readout import correct_by_step, squared_error_by_step
from snncircuit.neuron.step import EMPTY, Neuron, Tally


@dataclass(slots=True, kw_only=True)
class Sums:
    """Everything that is summed over batches of images."""

    tallies: dict[str, Tally]
    squared_error: dict[str, float]
    score: Tensor
    ann_score: float = 0.0
    ann_score_quantised: float = 0.0
    steps_used: list[int] = field(default_factory=list)
    traces: dict[str, list[Trace]] = field(default_factory=dict)

    @classmethod
    def of(cls, network: SpikingNetwork, steps: int) -> Sums:
        """Of no image yet."""
        names = [layer.name for layer in network.layers]
        return cls(
            tallies=dict.fromkeys(names, EMPTY),
            squared_error=dict.fromkeys(names, 0.0),
            score=torch.zeros(steps, dtype=torch.float64),
        )

    def add(self, network: SpikingNetwork, outcome: Outcome, images: Tensor, targets: Tensor) -> None:
        """Add a batch."""
        self.steps_used += outcome.steps_used.tolist()
        answer = torch.empty(0)
        for layer, answer in zip(network.layers, network.activations(images), strict=True):
            self.tallies[layer.name] += outcome.tallies[layer.name]
            counts = outcome.counts[layer.name]
            rates = counts / outcome.steps_used.reshape(-1, *[1] * (counts.ndim - 1))
            error = (rates - answer.clamp(min=0)).square()
            self.squared_error[layer.name] += float(error.flatten(1).mean(dim=1, dtype=torch.float64).sum())
        scale = network.layers[-1].scale
        self.score += _score(outcome.output, outcome.v_output, scale, targets).cpu()
        own = _ann_score(answer, scale, targets)
        if network.trained is None:
            self.ann_score += own
        else:
            *_, answer = network.trained.activations(images)
            self.ann_score += _ann_score(answer, scale, targets)
            self.ann_score_quantised += own
        for name, trace in outcome.traces.items():
            self.traces.setdefault(name, []).append(trace)

    def figures(self, network: SpikingNetwork, neuron: Neurons) -> dict[str, LayerFigures]:
        """Averages of each layer."""
        images, neurons = len(self.steps_used), by_layer(network, neuron)
        return {
            layer.name: _figures(
                layer, self.tallies[layer.name], neurons[layer.name], self.squared_error[layer.name], images
            )
            for layer in network.layers
        }

    def joined(self) -> dict[str, Trace]:
        """The traces of all images."""
        return {name: Trace.joined(parts) for name, parts in self.traces.items()}


def _score(output: Tensor, v_output: Tensor, scale: float, targets: Tensor) -> Tensor:
    if targets.is_floating_point():
        return squared_error_by_step(output, scale, targets.to(output.dtype))
    return correct_by_step(output, v_output, targets)


def _ann_score(answer: Tensor, scale: float, targets: Tensor) -> float:
    rates = rearrange(answer, "n ... -> 1 n (...)")
    return float(_score(rates, torch.zeros_like(rates), scale, targets))


def _figures(
    layer: Synapses, tally: Tally, neuron: Neuron, squared_error: float, images: int
) -> LayerFigures:
    energies = neuron.energies(tally)
    return LayerFigures(
        spikes=tally.spikes / images,
        clipped_charge=tally.clipped_charge / tally.neuron_steps,
        rate_rmse=(squared_error / images) ** 0.5,
        v_low=tally.v_low,
        v_high=tally.v_high,
        out_of_range=tally.out_of_range,
        out_of_range_fraction=tally.out_of_range / tally.neuron_steps,
        grid=layer.grid,
        rounding=layer.rounding,
        energy={
            supply: {term: joule / images for term, joule in terms.items()}
            for supply, terms in energies.items()
        },
    )
