"""What the last layer's spikes say: a class or an image, after every step."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor


def correct_by_step(
    spikes: Float[Tensor, "steps n classes"],
    v_mem: Float[Tensor, "steps n classes"],
    labels: Int[Tensor, " n"],
) -> Float[Tensor, " steps"]:
    """How many of the n images have the right class after each step."""
    return (classes_by_step(spikes, v_mem) == labels).sum(dim=1, dtype=torch.float64)


def classes_by_step(
    spikes: Float[Tensor, "steps n classes"], v_mem: Float[Tensor, "steps n classes"]
) -> Int[Tensor, "steps n"]:
    """The class of each image after each step.

    It is that of most spikes so far; among equals, of the highest remaining membrane within [0, 1] thresholds.
    """
    return (spikes.cumsum(dim=0) + 0.999 * v_mem.clamp(0, 1)).argmax(dim=2)


def squared_error_by_step(
    spikes: Float[Tensor, "steps n pixels"], scale: float, targets: Float[Tensor, "n ..."]
) -> Float[Tensor, " steps"]:
    """Squared error after each step, averaged over pixels and summed over the n images; the image is rate times scale."""
    steps = torch.arange(1, len(spikes) + 1, dtype=spikes.dtype, device=spikes.device).reshape(-1, 1, 1)
    images = spikes.cumsum(dim=0).div_(steps).mul_(scale)
    error = (images - rearrange(targets, "n ... -> n (...)")).square_()
    return error.mean(dim=2, dtype=torch.float64).sum(dim=1)
