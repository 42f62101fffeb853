"""What a training holds against charges that a circuit neuron cannot take: its membrane ends at the supplies."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

LIMIT = 1.0
"""Charge in a step, thresholds, that a neuron just below its threshold can take under a supply of twice the threshold."""
_LEAST = 1e-4  # added to a variance, so that its root has a slope at 0


def charge_excess(
    module: nn.Sequential, images: Float[Tensor, "n c h w"]
) -> tuple[Float[Tensor, "n ..."], Float[Tensor, ""]]:
    """The output, and by how much the net charges of a step exceed ``LIMIT``: mean square, summed over layers and both signs.

    A converted neuron with activation a fires at the rate r = a / λ, λ nearly the largest activation of its layer, and in
    each step with the spread √(r (1 - r)). Neurons with similar inputs fire together, so their spreads add up: with z the
    activation before the ReLU a neuron must expect up to z / λ + W⁺√(r (1 - r)), down to z / λ - W⁻√(r (1 - r)). Pixels
    come as constant currents without spread. The penalty does not change when a layer is scaled, as conversion does not.
    """
    excess = images.new_zeros(())
    signal, spread = images, torch.zeros_like(images)
    for layer in module:
        output = layer(signal)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            full = _full_rate(output)
            mean = output / full
            for sign in (1.0, -1.0):
                worst = sign * mean + _through(layer, sign, spread) / full
                excess = excess + (worst - LIMIT).clamp(min=0).square().mean()
            rate = (output / full).clamp(0, 1)
            spread = full * ((rate * (1 - rate) + _LEAST).sqrt() - math.sqrt(_LEAST))
        elif not isinstance(layer, nn.ReLU):
            spread = layer(spread)
        signal = output
    return signal, excess


def _through(
    layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, sign: float, spread: Float[Tensor, "n ..."]
) -> Float[Tensor, "n ..."]:
    """What the weights of one sign make of a spread, >= 0."""
    parameters = {"weight": (sign * layer.weight).clamp(min=0)}
    if layer.bias is not None:
        parameters["bias"] = torch.zeros_like(layer.bias)
    passed: Tensor = torch.func.functional_call(layer, parameters, (spread,))
    return passed


def _full_rate(output: Float[Tensor, "n ..."]) -> Float[Tensor, ""]:
    """The activation that a full rate will stand for: the 99.9th percentile of the positive ones, which outliers cannot stretch."""
    positive = output[output > 0]
    if positive.numel() == 0:
        return output.new_ones(())
    return positive.kthvalue(math.ceil(0.999 * positive.numel())).values.clamp(min=1e-3)
