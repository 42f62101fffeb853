"""What the benches of the engines run: the paper's two networks at a chosen activity, and images.

Hwang et al., Sci Rep 10:3515 (2020): MNIST 20C3-50C5-FC500-FC10, CIFAR-10 96C3-96C3-96C3(2)-192C3-192C3-192C3(2)-192C3-192C1-10C1-GAP;
"(2)" is a stride of 2. Weights are random (He), so no training is needed; the scale of each layer is then chosen such that a given
share of its neuron-steps spikes. Everything is drawn from fixed seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snncircuit.network import engines
from snncircuit.network.convert import spiking
from snncircuit.network.description import Normalisation
from snncircuit.network.encode import ConstantCurrent
from snncircuit.network.folding import read_stages
from snncircuit.network.layers import SpikingNetwork, Synapses
from snncircuit.network.outcome import Outcome
from snncircuit.network.quantisation import on_grid
from snncircuit.neuron.step import Neuron

ACTIVITY = 0.1
"""Spikes per neuron-step of every layer."""

_BISECTIONS = 14
_SEED = 20200226


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A network at its activity and images that go through it.

    Attributes:
        name: ``mnist`` or ``cifar10``.
        network: weights on the exact grid.
        images: shape (n, c, h, w), pixels in [0, 1].
        steps: network steps for each image.
    """

    name: str
    network: SpikingNetwork
    images: Tensor
    steps: int

    @property
    def image_steps(self) -> int:
        """Work of one run."""
        return len(self.images) * self.steps


def build(
    name: str,
    *,
    images: int,
    steps: int,
    activity: float = ACTIVITY,
    drawn: SpikingNetwork | None = None,
) -> Workload:
    """The paper's network (``drawn``: made before) at an activity of every layer, held on two images over as many steps."""
    network = calibrated(drawn or untrained(name), pictures(name, 2), steps, activity)
    return Workload(name=name, network=network, images=pictures(name, images), steps=steps)


def untrained(name: str) -> SpikingNetwork:
    """The network with He weights from a fixed seed, without biases and on no grid."""
    make, shape = NETWORKS[name]
    layers = make().eval()
    generator = torch.Generator().manual_seed(_SEED)
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.weight.data.normal_(0, math.sqrt(2 / layer.weight[0].numel()), generator=generator)
    ones = dict.fromkeys((stage.name for stage in read_stages(layers, shape)), 1.0)
    scales = Normalisation(method="max", percentile=100.0, images=0, scales=ones)
    return spiking(layers, scales, shape, name, float_weights=True)


def calibrated(drawn: SpikingNetwork, images: Tensor, steps: int, activity: float) -> SpikingNetwork:
    """Each layer's weights times a gain for which ideal neurons spike in that share of their steps, then on the exact grid."""
    layers: list[Synapses] = []
    spikes = torch.empty(0)
    with torch.inference_mode():
        for layer in drawn.layers:

            def charges(synapses: Synapses, x: Tensor = spikes, *, first: bool = not layers) -> Tensor:
                if first:
                    q_exc, q_inh = synapses.current(images)
                    return (q_exc - q_inh).expand(steps, *[-1] * q_exc.ndim)
                return synapses.drive(x.flatten(0, 1)).unflatten(0, (steps, len(images)))

            net = charges(layer)
            low, high = -10.0, 10.0  # log2 of the gain
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                active = float(_fire(net, 2.0**middle).mean())
                low, high = (low, middle) if active > activity else (middle, high)
            gain = 2.0 ** ((low + high) / 2)
            weights = {side: getattr(layer, side) * gain for side in ("weight_exc", "weight_inh")}
            layers.append(on_grid(replace(layer, **weights)))
            spikes = _fire(charges(layers[-1]), 1.0)
    return replace(drawn, layers=tuple(layers))


def pictures(name: str, images: int) -> Tensor:
    """Soft clouds with some grain, of the shape of the data set's images; an image does not depend on how many are asked."""
    shape = NETWORKS[name][1]
    drawn = []
    for number in range(images):
        generator = torch.Generator().manual_seed(_SEED + number)
        clouds = torch.rand((1, shape[0], 5, 5), generator=generator)
        smooth = F.interpolate(clouds, size=shape[1:], mode="bicubic", align_corners=True)
        drawn.append((smooth + 0.1 * torch.rand(smooth.shape, generator=generator)).clamp(0, 1))
    return torch.cat(drawn)


def activity_of(outcome: Outcome) -> dict[str, float]:
    """Spikes per neuron-step of each layer."""
    return {name: tally.spikes / tally.neuron_steps for name, tally in outcome.tallies.items()}


def hidden_activity(outcome: Outcome) -> float:
    """Spikes per neuron-step of all layers but the last together."""
    tallies = list(outcome.tallies.values())[:-1]
    return sum(t.spikes for t in tallies) / sum(t.neuron_steps for t in tallies)


def runner(work: Workload, neuron: Neuron, engine_name: str) -> Callable[[], Outcome]:
    """What runs the whole workload once."""
    run = engines.engine(engines.choose(engine_name, neuron))

    def once() -> Outcome:
        with torch.inference_mode():
            return run(
                work.network,
                neuron,
                ConstantCurrent(),
                work.images,
                first_image=0,
                steps=work.steps,
                record={},
                exit_margin=None,
            )

    return once


def _fire(net: Tensor, gain: float) -> Tensor:
    """Spikes of ideal neurons that receive ``gain * net`` in each step; shape (steps, images, ...)."""
    spikes = torch.empty_like(net, memory_format=torch.contiguous_format)
    v_mem = torch.zeros_like(net[0])
    for step, charge in enumerate(net):
        v_mem = v_mem + gain * charge
        spikes[step] = (v_mem >= 1).to(v_mem.dtype)
        v_mem -= spikes[step]
    return spikes


def _mnist() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 20, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(20, 50, 5, padding=2, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(50 * 28 * 28, 500, bias=False),
        nn.ReLU(),
        nn.Linear(500, 10, bias=False),
    )


def _cifar10() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for out, kernel, stride in (
        (96, 3, 1),
        (96, 3, 1),
        (96, 3, 2),
        (192, 3, 1),
        (192, 3, 1),
        (192, 3, 2),
        (192, 3, 1),
        (192, 1, 1),
        (10, 1, 1),
    ):
        layers += [
            nn.Conv2d(channels, out, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.ReLU(),
        ]
        channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


NETWORKS: Mapping[str, tuple[Callable[[], nn.Sequential], tuple[int, int, int]]] = {
    "mnist": (_mnist, (1, 28, 28)),
    "cifar10": (_cifar10, (3, 32, 32)),
}
"""Name to what makes the untrained network and the shape of its images."""
