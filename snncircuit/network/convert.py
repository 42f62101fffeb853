"""A trained module made into a spiking network: data-based normalisation of every layer."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from snncircuit.errors import ConversionError, NetworkError
from snncircuit.network.description import NetworkDescription, Normalisation
from snncircuit.network.files import load_network, network_files
from snncircuit.network.folding import read_stages
from snncircuit.network.layers import SpikingNetwork, Synapses
from snncircuit.network.stages import Stage

SPIKES_PER_STEP = 4
"""Most spikes of one neuron in one step for which every sum of charges is exact."""
MANTISSA = 24
"""Bits of a whole number that float32 holds exactly."""
_BATCH = 100


def convert(
    module: nn.Module,
    calibration: Float[Tensor, "n c h w"],
    normalisation: str = "percentile",
    percentile: float = 99.9,
    name: str = "network",
) -> SpikingNetwork:
    """The spiking network of a module, normalised on calibration images.

    Args:
        module: nested ``nn.Sequential`` of convertible layers.
        calibration: images with pixels in [0, 1]; a few hundred are enough.
        normalisation: ``max`` or ``percentile`` of each layer's positive activations becomes its full rate.
        percentile: which, above 0 and at most 100; of no meaning for ``max``.
        name: of the network.

    Raises:
        ConversionError: a layer without spiking equivalent, or calibration images that cannot be used.
    """
    scales = calibrate(module, calibration, normalisation, percentile)
    shape = (calibration.shape[1], calibration.shape[2], calibration.shape[3])
    return spiking(module, scales, shape, name)


def load_spiking(path: Path | str) -> tuple[SpikingNetwork, NetworkDescription]:
    """The spiking network of a network's files, with the normalisation that they hold; no data is needed.

    Raises:
        NetworkError: files that cannot be used, or that hold no normalisation.
    """
    module, description = load_network(path)
    if description.normalisation is None:
        msg = f"{network_files(path)[0]}: no [normalisation]; make one with the convert command"
        raise NetworkError(msg)
    return spiking(module, description.normalisation, description.input_shape, description.name), description


def calibrate(
    module: nn.Module,
    calibration: Float[Tensor, "n c h w"],
    normalisation: str = "percentile",
    percentile: float = 99.9,
) -> Normalisation:
    """The scale λ of every layer: the maximum or a percentile of its positive activations (see ``convert``)."""
    if calibration.shape[0] == 0 or calibration.min() < 0 or calibration.max() > 1:
        msg = f"calibration needs images with pixels in [0, 1]; found {_extent(calibration)}"
        raise ConversionError(msg)
    if normalisation not in ("max", "percentile") or not 0 < percentile <= 100:
        msg = (
            f"normalisation {normalisation!r} at {percentile}: expected 'max', "
            "or 'percentile' with a percentile above 0 and at most 100"
        )
        raise ConversionError(msg)
    shape = (calibration.shape[1], calibration.shape[2], calibration.shape[3])
    scales = {}
    x = calibration.float()
    for stage in read_stages(module, shape):
        x = torch.cat(list(_forward(stage, x)))
        positive = x[x > 0].numpy()
        if positive.size == 0:
            msg = f"{stage.name} ({stage.path}) is never above 0 on the {len(x)} calibration images; it cannot be scaled"
            raise ConversionError(msg)
        scales[stage.name] = float(
            positive.max() if normalisation == "max" else np.percentile(positive, percentile)
        )
    return Normalisation(
        method=normalisation,
        percentile=100.0 if normalisation == "max" else float(percentile),
        images=len(calibration),
        scales=scales,
    )


def spiking(
    module: nn.Module, normalisation: Normalisation, input_shape: tuple[int, int, int], name: str = "network"
) -> SpikingNetwork:
    """The spiking network of a module with known scales.

    Raises:
        ConversionError: a layer without spiking equivalent, or scales of other layers than the module's.
    """
    stages = read_stages(module, input_shape)
    found, expected = list(normalisation.scales), [stage.name for stage in stages]
    if sorted(found) != sorted(expected):
        msg = f"the normalisation has scales of {', '.join(found) or 'nothing'}; the module has {', '.join(expected)}"
        raise ConversionError(msg)
    return SpikingNetwork(
        name=name,
        input_shape=input_shape,
        layers=tuple(_normalised(stages, normalisation)),
        normalisation=normalisation,
    )


def _normalised(stages: Sequence[Stage], normalisation: Normalisation) -> Iterator[Synapses]:
    scale_in = 1.0
    for stage in stages:
        scale = normalisation.scales[stage.name]
        weight, bias = stage.weight * (scale_in / scale), stage.bias / scale
        synapses = Synapses(
            name=stage.name,
            path=stage.path,
            operator=stage.operator,
            before=stage.before,
            after=stage.after,
            weight_exc=weight.clamp(min=0),
            weight_inh=(-weight).clamp(min=0),
            bias_exc=bias.clamp(min=0),
            bias_inh=(-bias).clamp(min=0),
            in_shape=stage.in_shape,
            out_shape=stage.out_shape,
            scale=scale,
            rectified=stage.rectified,
            grid=0.0,
        )
        yield _on_grid(synapses)
        scale_in = scale


def _on_grid(synapses: Synapses) -> Synapses:
    """The same synapses with weights and biases on the finest grid on which no sum of charges can be inexact."""
    most = torch.full((1, *synapses.in_shape), float(SPIKES_PER_STEP), dtype=torch.float64)
    largest = max(float(q.max()) for q in synapses.charges(most))
    # One bit is spare: rounding may lift a sum beyond the power of two.
    grid = 2.0 ** (math.ceil(math.log2(max(largest, 1.0))) + 1 - MANTISSA)
    return dataclasses.replace(
        synapses,
        weight_exc=_round(synapses.weight_exc, grid),
        weight_inh=_round(synapses.weight_inh, grid),
        bias_exc=_round(synapses.bias_exc, grid),
        bias_inh=_round(synapses.bias_inh, grid),
        grid=grid,
    )


def _round(values: Tensor, grid: float) -> Tensor:
    return (torch.round(values / grid) * grid).float().contiguous()


def _forward(stage: Stage, x: Tensor) -> Iterator[Tensor]:
    modules = [copy.deepcopy(layer).float() for layer in stage.modules]
    with torch.no_grad():
        for batch in torch.split(x, _BATCH):
            y = batch
            for layer in modules:
                y = layer(y)
            yield y.clamp(min=0) if stage.rectified else y


def _extent(images: Tensor) -> str:
    if images.shape[0] == 0:
        return "no image"
    return f"{images.shape[0]} images with pixels from {float(images.min()):g} to {float(images.max()):g}"
