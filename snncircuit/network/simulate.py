"""One verb, ``simulate``: a network, neurons and images in, a Run out; the engine is a detail."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.network.dense import fitting_batch, run_dense
from snncircuit.network.encode import Encoder, make_encoder
from snncircuit.network.figures import LayerFigures
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import Engine, Outcome, Record, Trace
from snncircuit.network.readout import correct_by_step, squared_error_by_step
from snncircuit.network.reference import run_reference
from snncircuit.network.run import Run, Setting
from snncircuit.neuron.step import EMPTY, Neuron, Tally

ENGINES: Mapping[str, Engine] = {"reference": run_reference, "dense": run_dense}
NOT_BUILT = ("event",)
"""Engines that have a name and no code yet."""
MAX_OUT_OF_RANGE = 0.02
"""Fraction of a layer's neuron-steps that may lie outside what was measured of the neuron."""

Progress = Callable[[int, int], None]
"""Called with the number of images done and of all images."""


def simulate(
    network: SpikingNetwork,
    neuron: Neuron,
    images: Float[Tensor, "n c h w"],
    targets: Int[Tensor, " n"] | Float[Tensor, "n ..."],
    *,
    steps: int,
    encoder: str | Encoder = "constant",
    engine: str = "auto",
    batch: int | None = None,
    seed: int = 0,
    record: Record | None = None,
    max_out_of_range: float | None = MAX_OUT_OF_RANGE,
    rails: tuple[float, float] | None = None,
    settings: Mapping[str, Setting] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run images through a network of the given neurons, membranes starting at rest for each image.

    Args:
        network: from ``convert`` or ``load_spiking``.
        neuron: of every layer.
        images: pixels in [0, 1].
        targets: labels (integers: the run has an accuracy) or images to be reproduced (floats: it has an MSE).
        steps: number of network steps T.
        encoder: ``constant``, ``if``, ``poisson`` or an encoder.
        engine: ``auto``, ``reference`` or ``dense``; they give the same spikes.
        batch: images at a time; chosen to bound memory by default. Without influence on the result.
        seed: of the Poisson encoder.
        record: layer name to numbers of neurons whose every step the Run is to keep.
        max_out_of_range: refuse a run of which a layer was outside the measured range more often; None allows any.
        rails: lowest and highest membrane that the supplies allow, thresholds, for the head-room.
        settings: what else the Run is to remember.
        progress: told of each batch of images.

    Raises:
        SimulationError: input that does not fit the network, an engine that does not exist, or a run outside the range.
    """
    chosen = _choose(engine)
    record = {} if record is None else record
    _check(network, images, targets, steps, batch, record)
    coder = make_encoder(encoder, seed) if isinstance(encoder, str) else encoder
    total = len(images)
    if batch is None:
        batch = fitting_batch(network, steps)
    sums = _Sums.of(network, steps)
    started = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, total, batch):
            some = images[first : first + batch]
            outcome = ENGINES[chosen](
                network, neuron, coder, some, first_image=first, steps=steps, record=record
            )
            sums.add(network, outcome, some, targets[first : first + batch], steps)
            if progress is not None:
                progress(min(first + batch, total), total)
    seconds = time.perf_counter() - started
    if max_out_of_range is not None:
        _refuse_out_of_range(sums.tallies, max_out_of_range)
    return Run(
        engine=chosen,
        score="mse" if targets.is_floating_point() else "accuracy",
        by_step=tuple((sums.score / total).tolist()),
        ann_score=sums.ann_score / total,
        layers={
            layer.name: _figures(sums.tallies[layer.name], neuron, sums.squared_error[layer.name], total)
            for layer in network.layers
        },
        image_steps_per_second=total * steps / seconds,
        settings={
            "network": network.name,
            "steps": steps,
            "images": total,
            "encoder": encoder if isinstance(encoder, str) else type(encoder).__name__,
            "seed": seed,
            **(settings or {}),
        },
        rails=rails,
        traces=_join(sums.traces),
    )


@dataclass(slots=True, kw_only=True)
class _Sums:
    """Everything that is summed over batches of images."""

    tallies: dict[str, Tally]
    squared_error: dict[str, float]
    score: Tensor
    ann_score: float = 0.0
    traces: dict[str, list[Trace]] = field(default_factory=dict)

    @classmethod
    def of(cls, network: SpikingNetwork, steps: int) -> _Sums:
        names = [layer.name for layer in network.layers]
        return cls(
            tallies=dict.fromkeys(names, EMPTY),
            squared_error=dict.fromkeys(names, 0.0),
            score=torch.zeros(steps, dtype=torch.float64),
        )

    def add(
        self, network: SpikingNetwork, outcome: Outcome, images: Tensor, targets: Tensor, steps: int
    ) -> None:
        answer = torch.empty(0)
        for layer, answer in zip(network.layers, network.activations(images), strict=True):
            self.tallies[layer.name] += outcome.tallies[layer.name]
            error = (outcome.counts[layer.name] / steps - answer.clamp(min=0)).square()
            self.squared_error[layer.name] += float(error.flatten(1).mean(dim=1, dtype=torch.float64).sum())
        answer = rearrange(answer, "n ... -> 1 n (...)")
        if targets.is_floating_point():
            scale = network.layers[-1].scale
            wanted = targets.to(answer.dtype)
            self.score += squared_error_by_step(outcome.output, scale, wanted)
            self.ann_score += float(squared_error_by_step(answer, scale, wanted))
        else:
            self.score += correct_by_step(outcome.output, outcome.v_output, targets)
            self.ann_score += float(correct_by_step(answer, torch.zeros_like(answer), targets))
        for name, trace in outcome.traces.items():
            self.traces.setdefault(name, []).append(trace)


def _figures(tally: Tally, neuron: Neuron, squared_error: float, images: int) -> LayerFigures:
    energies = neuron.energies(tally)
    return LayerFigures(
        spikes=tally.spikes / images,
        clipped_charge=tally.clipped_charge / tally.neuron_steps,
        rate_rmse=(squared_error / images) ** 0.5,
        v_low=tally.v_low,
        v_high=tally.v_high,
        out_of_range=tally.out_of_range,
        out_of_range_fraction=tally.out_of_range / tally.neuron_steps,
        energy={
            supply: {term: joule / images for term, joule in terms.items()}
            for supply, terms in energies.items()
        },
    )


def _choose(engine: str) -> str:
    if engine == "auto":
        return "dense"
    if engine in NOT_BUILT:
        msg = f"engine {engine!r} is not built in this version; there are auto, {', '.join(ENGINES)}"
        raise SimulationError(msg)
    if engine not in ENGINES:
        msg = f"no engine {engine!r}; there are auto, {', '.join(ENGINES)}"
        raise SimulationError(msg)
    return engine


def _check(
    network: SpikingNetwork, images: Tensor, targets: Tensor, steps: int, batch: int | None, record: Record
) -> None:
    if steps < 1 or (batch is not None and batch < 1):
        msg = f"steps {steps} and batch {batch}: expected 1 or more"
        raise SimulationError(msg)
    if tuple(images.shape[1:]) != network.input_shape or len(images) == 0:
        msg = f"images of shape {tuple(images.shape)}; {network.name} takes one or more of shape {network.input_shape}"
        raise SimulationError(msg)
    if not (images.min() >= 0 and images.max() <= 1):
        msg = f"pixels from {float(images.min()):g} to {float(images.max()):g}; expected [0, 1]"
        raise SimulationError(msg)
    size = torch.Size(network.layers[-1].out_shape).numel()
    each = torch.Size(targets.shape[1:]).numel()
    if targets.is_floating_point():
        fits, expected = each == size, f"images of {size} pixels"
    else:
        fits, expected = (
            targets.ndim == 1 and bool(((targets >= 0) & (targets < size)).all()),
            f"labels below {size}",
        )
    if len(targets) != len(images) or not fits:
        msg = f"targets of shape {tuple(targets.shape)} ({targets.dtype}); expected {len(images)} {expected}"
        raise SimulationError(msg)
    sizes = {layer.name: torch.Size(layer.out_shape).numel() for layer in network.layers}
    for name, neurons in record.items():
        if name not in sizes:
            msg = f"cannot record layer {name!r}; {network.name} has {', '.join(sizes)}"
            raise SimulationError(msg)
        if not neurons or min(neurons) < 0 or max(neurons) >= sizes[name]:
            msg = f"cannot record neurons {list(neurons)} of {name}; it has 0 to {sizes[name] - 1}"
            raise SimulationError(msg)


def _refuse_out_of_range(tallies: Mapping[str, Tally], limit: float) -> None:
    fractions = {name: tally.out_of_range / tally.neuron_steps for name, tally in tallies.items()}
    worst = max(fractions, key=fractions.__getitem__)
    if fractions[worst] > limit:
        tally = tallies[worst]
        msg = (
            f"{worst}: {tally.out_of_range} of {tally.neuron_steps} neuron-steps ({fractions[worst]:.2%}) had charges or "
            f"membranes outside what was measured of the neuron, more than the {limit:.2%} allowed (membranes from "
            f"{tally.v_low:.3g} to {tally.v_high:.3g} thresholds); measure the neuron over a wider range, or allow more"
        )
        raise SimulationError(msg)


def _join(traces: Mapping[str, list[Trace]]) -> dict[str, Trace]:
    return {
        name: Trace(
            neurons=parts[0].neurons,
            q_exc=np.concatenate([part.q_exc for part in parts], axis=1),
            q_inh=np.concatenate([part.q_inh for part in parts], axis=1),
            v_mem=np.concatenate([part.v_mem for part in parts], axis=1),
            spikes=np.concatenate([part.spikes for part in parts], axis=1),
        )
        for name, parts in traces.items()
    }
