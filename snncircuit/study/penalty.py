"""What a training holds against charges that a circuit neuron could not take linearly."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def charge_excess(
    module: nn.Sequential, images: Float[Tensor, "n c h w"]
) -> tuple[Float[Tensor, "n ..."], Float[Tensor, ""]]:
    """The output, and by how much the charges of a step would exceed one threshold: mean square, summed over layers and both signs.

    A converted neuron with activation a fires at the rate a / λ, λ nearly the largest activation of its layer, so the
    positive and negative halves of the weights bring it the charges W⁺a / λ and W⁻a / λ in a step. The penalty does not
    change when a layer is scaled, as conversion does not.
    """
    excess = images.new_zeros(())
    signal = images
    for layer in module:
        output = layer(signal)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            positive = {name: value.clamp(min=0) for name, value in layer.named_parameters()}
            q_exc = torch.func.functional_call(layer, positive, (signal,))
            q_inh = q_exc - output
            threshold = _threshold(output)
            for charge in (q_exc, q_inh):
                excess = excess + (charge / threshold - 1).clamp(min=0).square().mean()
        signal = output
    return signal, excess


def _threshold(output: Float[Tensor, "n ..."]) -> Float[Tensor, ""]:
    """The activation that a full rate will stand for: the 99.9th percentile of the positive ones, which outliers cannot stretch."""
    positive = output[output > 0]
    if positive.numel() == 0:
        return output.new_ones(())
    return positive.kthvalue(math.ceil(0.999 * positive.numel())).values.clamp(min=1e-3)
