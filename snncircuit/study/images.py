"""A labelled set of images, and the folder in which whole data sets are kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pooch
from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.errors import DatasetError

Split = Literal["train", "test"]
DATA_FOLDER = "SNNCIRCUIT_DATA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """A labelled set of images.

    Attributes:
        name: data set and split, ``mnist/test``.
        images: shape (n, channels, height, width), 0 (black) to 1 (white).
        labels: shape (n,), class numbers from 0.
        origin: where the pixels came from.
    """

    name: str
    images: Float[Tensor, "n channels height width"]
    labels: Int[Tensor, " n"]
    origin: str

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)


def data_folder() -> Path:
    """The folder of whole data sets: ``$SNNCIRCUIT_DATA``, or the cache folder of the platform."""
    chosen = os.environ.get(DATA_FOLDER)
    return Path(chosen) if chosen else Path(pooch.os_cache("snncircuit")) / "data"


def counted(name: str, n: int | None, existing: int) -> int:
    """The number of images that is meant: all for None.

    Raises:
        DatasetError: when fewer exist, or none are asked.
    """
    count = existing if n is None else n
    if not 0 < count <= existing:
        msg = f"{count} images asked of {name}, which holds 1 to {existing}"
        raise DatasetError(msg)
    return count
