"""How images and spikes lie in the kernel's memory: row by row, pixel by pixel, channel by channel, as in channels_last."""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.network.encode import Encoder
from snncircuit.network.layers import Shape
from snncircuit.neuron.variation import VariedNeuron

Image = tuple[int, int, int]
"""Channels, height and width; a vector is an image of one pixel."""
SLACK = 96
"""Entries beyond the neurons of a layer that the kernel's vectors may read."""
_STEPS = 32  # of the inputs of all images that are in memory as numbers before they become bits


def from_memory(x: Float[Tensor, "n k"], image: Image, shape: Shape) -> Float[Tensor, "n ..."]:
    """Neurons as they lie in the kernel's memory, in the shape that the network gives a layer."""
    c, h, _ = image
    return rearrange(x, "n (h w c) -> n c h w", c=c, h=h).reshape(-1, *shape)


def by_step(x: NDArray[np.float32], image: Image, shape: Shape) -> Float[Tensor, "steps n k"]:
    """What the kernel kept of each image, step and neuron, numbered as in the network, steps first."""
    flat = from_memory(rearrange(torch.from_numpy(x), "n t k -> (t n) k"), image, shape)
    return rearrange(flat, "(t n) ... -> t n (...)", t=x.shape[1])


def places(image: Image, neurons: tuple[int, ...]) -> NDArray[np.int64]:
    """Where neurons that are numbered channel, row, column lie in memory."""
    numbers = np.arange(torch.Size(image).numel()).reshape(image)
    return np.argsort(rearrange(numbers, "c h w -> (h w c)"))[list(neurons)]


def with_slack(x: Float[Tensor, "n ..."], image: Image) -> NDArray[np.float32]:
    """Numbers of neurons in the order of the kernel's memory and as its vectors may read them, single precision."""
    channels, size = image[0], torch.Size(image).numel()
    found = torch.zeros((len(x), size + SLACK))
    for one, of in zip(
        found, x, strict=True
    ):  # torch turns a matrix several times faster than a batch of them
        one[:size].view(-1, channels).copy_(of.reshape(channels, -1).t())
    return found.numpy()


def variation_in_memory(varied: VariedNeuron, image: Image) -> NDArray[np.float32]:
    """What sets mismatched neurons apart, as the kernel reads it: shape (5, neurons + slack), single precision."""
    return with_slack(varied.stacked(), image)


def input_bits(
    encoder: Encoder, images: Float[Tensor, "n c h w"], first_image: int, steps: int
) -> NDArray[np.uint64]:
    """Spikes of the inputs, one bit each, shape (images, steps, words).

    Raises:
        SimulationError: an encoder that gives other than 0 and 1.
    """
    found = np.zeros((len(images), steps, ((images[0].numel() + 63) // 64 + 2) * 8), np.uint8)
    for start in range(0, steps, _STEPS):
        values = encoder.values(images, first_image, start, min(_STEPS, steps - start))
        if not ((values == 0) | (values == 1)).all():
            msg = f"{type(encoder).__name__} gives other values than 0 and 1; the event engine takes spikes, the dense engine any"
            raise SimulationError(msg)
        spikes = rearrange(values, "t n c h w -> n t (h w c)").to(torch.uint8).numpy()
        packed = np.packbits(spikes, axis=-1, bitorder="little")
        found[:, start : start + spikes.shape[1], : packed.shape[-1]] = packed
    return found.view(np.uint64)


def input_counts(bits: NDArray[np.uint64], steps_used: NDArray[np.int32], inputs: int) -> NDArray[np.int64]:
    """How often each input spiked in the steps that its image used, all images together."""
    total = np.zeros(inputs, np.int64)
    for spikes, used in zip(bits.view(np.uint8), steps_used, strict=True):
        total += np.unpackbits(spikes[:used], axis=-1, count=inputs, bitorder="little").sum(
            axis=0, dtype=np.int64
        )
    return total
