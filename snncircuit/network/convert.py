"""A trained module made into a spiking network: data-based normalisation of every layer."""

from __future__ import annotations

import copy
import dataclasses
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
from snncircuit.network.quantisation import on_grid
from snncircuit.network.stages import Stage

_BATCH = 100


def convert(
    module: nn.Module,
    calibration: Float[Tensor, "n c h w"],
    normalisation: str = "percentile",
    percentile: float = 99.9,
    name: str = "network",
    *,
    levels: int | None = None,
    float_weights: bool = False,
) -> SpikingNetwork:
    """The spiking network of a module, normalised on calibration images.

    Args:
        module: nested ``nn.Sequential`` of convertible layers.
        calibration: images with pixels in [0, 1]; a few hundred are enough.
        normalisation: ``max`` or ``percentile`` of each layer's positive activations becomes its full rate.
        percentile: which, above 0 and at most 100; of no meaning for ``max``.
        name: of the network.
        levels: as for ``spiking``.
        float_weights: as for ``spiking``.

    Raises:
        ConversionError: a layer without spiking equivalent, or calibration images that cannot be used.
    """
    scales = calibrate(module, calibration, normalisation, percentile)
    shape = (calibration.shape[1], calibration.shape[2], calibration.shape[3])
    return spiking(module, scales, shape, name, levels=levels, float_weights=float_weights)


def load_spiking(
    path: Path | str, *, levels: int | None = None, float_weights: bool = False
) -> tuple[SpikingNetwork, NetworkDescription]:
    """The spiking network of a network's files, with the normalisation that they hold; no data is needed.

    Args:
        path: of one of its files, or without suffix.
        levels: as for ``spiking``.
        float_weights: as for ``spiking``.

    Raises:
        NetworkError: files that cannot be used, or that hold no normalisation.
        ConversionError: as for ``spiking``.
    """
    module, description = load_network(path)
    if description.normalisation is None:
        msg = f"{network_files(path)[0]}: no [normalisation]; make one with the convert command"
        raise NetworkError(msg)
    network = spiking(
        module,
        description.normalisation,
        description.input_shape,
        description.name,
        levels=levels,
        float_weights=float_weights,
    )
    return network, description


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
    module: nn.Module,
    normalisation: Normalisation,
    input_shape: tuple[int, int, int],
    name: str = "network",
    *,
    levels: int | None = None,
    float_weights: bool = False,
) -> SpikingNetwork:
    """The spiking network of a module with known scales.

    Args:
        module: nested ``nn.Sequential`` of convertible layers.
        normalisation: the scale of each of its layers.
        input_shape: channels, height, width of an image.
        name: of the network.
        levels: how many levels of conductance a synapse's device has, 0 included; None for as many as the grid holds.
        float_weights: leave weights as they are, on no grid. Sums then depend on their order, so engines, batches and
            threads agree to rounding only.

    Raises:
        ConversionError: a layer without spiking equivalent, scales of other layers than the module's, fewer than two
            levels, or levels of float weights.
    """
    if levels is not None and float_weights:
        msg = f"{levels} synapse levels and float weights exclude each other: levels lie on the grid of exact sums"
        raise ConversionError(msg)
    stages = read_stages(module, input_shape)
    found, expected = list(normalisation.scales), [stage.name for stage in stages]
    if sorted(found) != sorted(expected):
        msg = f"the normalisation has scales of {', '.join(found) or 'nothing'}; the module has {', '.join(expected)}"
        raise ConversionError(msg)
    trained = SpikingNetwork(
        name=name,
        input_shape=input_shape,
        layers=tuple(_normalised(stages, normalisation)),
        normalisation=normalisation,
    )
    if float_weights:
        return trained
    return dataclasses.replace(
        trained,
        layers=tuple(on_grid(layer, levels) for layer in trained.layers),
        levels=levels,
        trained=None if levels is None else trained,
    )


def _normalised(stages: Sequence[Stage], normalisation: Normalisation) -> Iterator[Synapses]:
    scale_in = 1.0
    for stage in stages:
        scale = normalisation.scales[stage.name]
        weight = (stage.weight * (scale_in / scale)).float().contiguous()
        bias = (stage.bias / scale).float().contiguous()
        yield Synapses(
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
        scale_in = scale


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
