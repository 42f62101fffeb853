"""What an engine gives for a chunk of images, before anything is averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from snncircuit.network.encode import Encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.populations import Neurons
from snncircuit.neuron.step import EMPTY, Tally

EXIT_INTERVAL = 8
"""Steps between two looks at whether an image may stop: the same for every engine, batch and chunk."""

Record = Mapping[str, tuple[int, ...]]
"""Layer name to the neurons whose every step is kept; neurons are numbered channel, row, column."""


SIGNALS = ("q_exc", "q_inh", "v_mem", "spikes")
"""What a trace holds of a neuron in each step."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Every step of chosen neurons of a layer; arrays of shape (steps, images, neurons).

    Attributes:
        neurons: their numbers in the layer (channel, row, column).
        q_exc: excitatory charge received, thresholds.
        q_inh: inhibitory charge received, thresholds, >= 0.
        v_mem: membrane at the end of the step, thresholds above rest.
        spikes: spikes in the step.
    """

    neurons: tuple[int, ...]
    q_exc: NDArray[np.float32]
    q_inh: NDArray[np.float32]
    v_mem: NDArray[np.float32]
    spikes: NDArray[np.float32]

    @classmethod
    def joined(cls, parts: Sequence[Trace]) -> Trace:
        """The trace of the images of all parts, one after the other."""
        signals = {name: np.concatenate([getattr(p, name) for p in parts], axis=1) for name in SIGNALS}
        return cls(neurons=parts[0].neurons, **signals)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """Counts and sums of a chunk of images.

    Attributes:
        tallies: of each layer.
        counts: spikes of each neuron of each layer over all steps.
        output: spikes of the last layer in each step.
        v_output: membrane of the last layer at the end of each step, thresholds.
        traces: of the layers that were asked for.
        steps_used: after how many steps each image stopped; nothing after them is tallied or counted, its output spikes are 0
            and its output membranes stay.
    """

    tallies: Mapping[str, Tally]
    counts: Mapping[str, Float[Tensor, "n ..."]]
    output: Float[Tensor, "steps n neurons"]
    v_output: Float[Tensor, "steps n neurons"]
    traces: Mapping[str, Trace]
    steps_used: Int[Tensor, " n"]

    @classmethod
    def joined(cls, parts: Sequence[Outcome]) -> Outcome:
        """The outcome of the images of all parts, one after the other."""
        first = parts[0]
        return cls(
            tallies={name: sum((p.tallies[name] for p in parts), EMPTY) for name in first.tallies},
            counts={name: torch.cat([p.counts[name] for p in parts]) for name in first.counts},
            output=torch.cat([p.output for p in parts], dim=1),
            v_output=torch.cat([p.v_output for p in parts], dim=1),
            traces={name: Trace.joined([p.traces[name] for p in parts]) for name in first.traces},
            steps_used=torch.cat([p.steps_used for p in parts]),
        )


class Engine(Protocol):
    """A way to run a chunk of images through a network; membranes start at rest, 0."""

    def __call__(
        self,
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
        """Run ``steps`` steps of images that are numbered from ``first_image``.

        With a margin an image stops after the first multiple of ``EXIT_INTERVAL`` steps at which it is ``decided``.
        """
        ...


def decided(counts: Float[Tensor, "n classes"], margin: int) -> Bool[Tensor, " n"]:
    """Whether the class of most spikes is at least ``margin`` spikes ahead of the second."""
    first, second = counts.topk(2, dim=1).values.unbind(dim=1)
    return first - second >= margin
