"""Which neurons of a run are held against SPICE: evenly from every layer and, in it, from every level of activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STRATA = ("silent", "low", "middle", "high")
"""Without a spike, and the thirds of those with spikes, from the few to the many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A neuron of a run while one image was shown.

    Attributes:
        layer: its name.
        index: number of the neuron in the layer (channel, row, column).
        image: number of the image in the run.
        stratum: one of ``STRATA``.
        spikes: how often it spiked, all steps.
    """

    layer: str
    index: int
    image: int
    stratum: str
    spikes: int

    @property
    def label(self) -> str:
        """``conv2:5``, the neuron without its image."""
        return f"{self.layer}:{self.index}"


def sample(
    counts: Mapping[str, Array], images: tuple[int, ...], n_neurons: int, seed: int
) -> tuple[Place, ...]:
    """Draw places, each at most once, the same ones for the same seed.

    The number of places of two layers differs by one at most, and so does that of two strata of a layer, unless one of them has
    no more to give; then the others give more. What is left over goes to the last layers and to the most active neurons.

    Args:
        counts: layer name to the spikes of each neuron, shape (images, neurons), layers in order.
        images: numbers of these images in the run.
        n_neurons: places to draw; all there are when there are fewer.
        seed: >= 0.
    """
    random = np.random.default_rng(seed)
    sizes = _shares(n_neurons, [c.size for c in counts.values()])
    return tuple(
        place
        for (layer, count), size in zip(counts.items(), sizes, strict=True)
        for place in _of_layer(layer, count, images, size, random)
    )


def strata(counts: Array, random: np.random.Generator) -> NDArray[np.int64]:
    """The number of the stratum of each count, same shape; equal counts on the border of two thirds are dealt out by lot."""
    flat = counts.ravel()
    found = np.zeros(flat.size, dtype=np.int64)
    (active,) = np.nonzero(flat > 0)
    order = active[np.lexsort((random.random(active.size), flat[active]))]
    thirds = len(STRATA) - 1
    found[order] = 1 + (np.arange(order.size) * thirds) // max(order.size, 1)
    return found.reshape(counts.shape)


def _of_layer(
    layer: str, counts: Array, images: tuple[int, ...], size: int, random: np.random.Generator
) -> list[Place]:
    which = strata(counts, random).ravel()
    members = [random.permutation(np.nonzero(which == s)[0]) for s in range(len(STRATA))]
    drawn: list[Place] = []
    for stratum, some, share in zip(STRATA, members, _shares(size, [len(m) for m in members]), strict=True):
        for flat in sorted(some[:share].tolist()):
            image, index = divmod(flat, counts.shape[1])
            spikes = int(counts[image, index])
            drawn.append(Place(layer=layer, index=index, image=images[image], stratum=stratum, spikes=spikes))
    return drawn


def _shares(total: int, sizes: list[int]) -> list[int]:
    """``total`` dealt out one by one, from the last to the first, to whoever has members left."""
    shares = [0] * len(sizes)
    while total > 0 and shares != sizes:
        for k in reversed(range(len(sizes))):
            if total > 0 and shares[k] < sizes[k]:
                shares[k] += 1
                total -= 1
    return shares


def choose_images(existing: int, wanted: int, seed: int) -> tuple[int, ...]:
    """Numbers of ``wanted`` of a run's images, ascending, all when there are fewer; the same ones for the same seed."""
    random = np.random.default_rng([seed, existing])
    return tuple(sorted(random.permutation(existing)[:wanted].tolist()))
