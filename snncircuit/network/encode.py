"""Encoders: images with pixels in [0, 1] to what the first synapses receive in each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from snncircuit.errors import SimulationError


class Encoder(Protocol):
    """Pure: what it gives for an image and a step depends on nothing but these, so not on batch or chunk."""

    @property
    def analog(self) -> bool:
        """Whether it gives the pixel values themselves, the same in each step, rather than spikes."""
        ...

    def values(
        self, images: Float[Tensor, "n c h w"], first_image: int, start: int, steps: int
    ) -> Float[Tensor, "steps n c h w"]:
        """Input of the steps ``start`` to ``start + steps`` of images numbered from ``first_image``; mean = pixel."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantCurrent:
    """The pixel value itself as a current into the first synapses, in each step."""

    @property
    def analog(self) -> bool:
        """Pixel values."""
        return True

    def values(
        self, images: Float[Tensor, "n c h w"], first_image: int, start: int, steps: int
    ) -> Float[Tensor, "steps n c h w"]:
        """The images, again and again, without copying them."""
        return images.expand(steps, *images.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularSpikes:
    """An ideal integrate-and-fire neuron for each pixel: ``floor(t x)`` spikes in the first t steps."""

    @property
    def analog(self) -> bool:
        """Spikes."""
        return False

    def values(
        self, images: Float[Tensor, "n c h w"], first_image: int, start: int, steps: int
    ) -> Float[Tensor, "steps n c h w"]:
        """0 or 1 for each pixel and step."""
        times = torch.arange(start, start + steps + 1, dtype=torch.float64, device=images.device)
        return (times.reshape(-1, 1, 1, 1, 1) * images.double()).floor_().diff(dim=0).to(images.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoissonSpikes:
    """In each step a spike with the probability of the pixel value, independently.

    Attributes:
        seed: >= 0; image and step select their own stream of the counter-based generator Philox.
    """

    seed: int

    @property
    def analog(self) -> bool:
        """Spikes."""
        return False

    def values(
        self, images: Float[Tensor, "n c h w"], first_image: int, start: int, steps: int
    ) -> Float[Tensor, "steps n c h w"]:
        """0 or 1 for each pixel and step."""
        size = images[0].numel()
        chance = np.empty((steps, len(images), size), dtype=np.float32)
        for image in range(len(images)):
            for step in range(steps):
                stream = np.random.Philox(
                    key=[self.seed, first_image + image], counter=[0, start + step, 0, 0]
                )
                np.random.Generator(stream).random(size, dtype=np.float32, out=chance[step, image])
        drawn = torch.from_numpy(chance).reshape(steps, *images.shape).to(images.device)
        return (drawn < images).to(images.dtype)


ENCODERS: Mapping[str, Callable[[int], Encoder]] = {
    "constant": lambda seed: ConstantCurrent(),
    "if": lambda seed: RegularSpikes(),
    "poisson": lambda seed: PoissonSpikes(seed=seed),
}


def make_encoder(name: str, seed: int = 0) -> Encoder:
    """An encoder by its name; only ``poisson`` uses the seed.

    Raises:
        SimulationError: unknown name, or a seed below 0.
    """
    if name not in ENCODERS:
        msg = f"no encoder {name!r}; there are {', '.join(ENCODERS)}"
        raise SimulationError(msg)
    if seed < 0:
        msg = f"seed {seed}: expected 0 or more"
        raise SimulationError(msg)
    return ENCODERS[name](seed)
