"""Images and labels: from the shipped sample, a data folder, or a public mirror with checksums."""

from __future__ import annotations

import gzip
import hashlib
import logging
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pooch
import torch
from numpy.typing import NDArray

from snncircuit import shipped
from snncircuit.errors import DatasetError
from snncircuit.study import cifar10
from snncircuit.study.archives import read_npz
from snncircuit.study.images import DATA_FOLDER, Images, Split, counted, data_folder

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SAMPLE = "mnist-1000"
DIGITS = "digits"
DIGITS_FOLD = 5
"""Of the 1,797 digits each fifth is for testing, 359, and the others for training; the same people wrote both."""
_DIGITS_WHITE = 16
_DIGITS_SHA256 = "663fb76c4498a2e6a9ea2c09e2b4c4ed5dacbb5707e8f598be22c9624f62bb4e"  # of images and labels, each as an idx file


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One idx file of MNIST: its SHA-256 as published (compressed), and that of what is inside."""

    file: str
    key: str
    shape: tuple[int, ...]
    sha256: str
    content_sha256: str


PARTS: dict[tuple[str, str], _Part] = {
    ("train", "images"): _Part(
        file="train-images-idx3-ubyte.gz",
        key="x_train",
        shape=(60000, 28, 28),
        sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        content_sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    ("train", "labels"): _Part(
        file="train-labels-idx1-ubyte.gz",
        key="y_train",
        shape=(60000,),
        sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        content_sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    ("test", "images"): _Part(
        file="t10k-images-idx3-ubyte.gz",
        key="x_test",
        shape=(10000, 28, 28),
        sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        content_sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    ("test", "labels"): _Part(
        file="t10k-labels-idx1-ubyte.gz",
        key="y_test",
        shape=(10000,),
        sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        content_sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}


def load(name: str = "mnist", split: Split = "test", n: int | None = None) -> Images:
    """The first `n` images of a split, all of them for None.

    Of ``digits`` all images ship: of its 1,797 images of 8 x 8 pixels, in their original order, the 5th, 10th, … are for testing (359),
    the others for training (1,438); the same people wrote both.

    Of ``mnist`` up to 1,000 test images come from the sample that ships. More come from the folder that the environment variable
    ``SNNCIRCUIT_DATA`` names (``mnist.npz`` with ``x_train, y_train, x_test, y_test``, or the four idx files), or else from the
    cache folder; what is missing there is fetched from a public mirror. The pixels are held against the published checksum.
    Of ``cifar10`` up to 100 test images ship; the rest is had likewise, see ``snncircuit.study.cifar10``.

    Raises:
        DatasetError: when there is no such data set, fewer than `n` images, a file is damaged, or nothing can be fetched.
    """
    if name not in _LOADERS:
        msg = f"no data set called {name!r}; there are: {', '.join(sorted(_LOADERS))}"
        raise DatasetError(msg)
    return _LOADERS[name](split, n)


def _digits(split: Split, n: int | None) -> Images:
    path = shipped.find("sample", DIGITS)
    pixels, labels = read_npz(path, "images"), read_npz(path, "labels")
    found = hashlib.sha256(b"".join(_idx_header(a.shape) + a.tobytes() for a in (pixels, labels))).hexdigest()
    if found != _DIGITS_SHA256:
        msg = f"{path}: its images and labels have SHA-256 {found}, expected {_DIGITS_SHA256}; install snncircuit again"
        raise DatasetError(msg)
    (own,) = np.nonzero((np.arange(1, len(labels) + 1) % DIGITS_FOLD == 0) == (split == "test"))
    own = own[: counted(f"digits/{split}", n, len(own))]
    return Images(
        name=f"digits/{split}",
        images=torch.from_numpy(pixels[own, None].astype(np.float32) / np.float32(_DIGITS_WHITE)),
        labels=torch.from_numpy(labels[own].astype(np.int64)),
        origin=str(path),
    )


def _mnist(split: Split, n: int | None) -> Images:
    part = PARTS[split, "images"]
    count = counted(f"mnist/{split}", n, part.shape[0])
    if split == "test" and count <= 1000 and SAMPLE in shipped.names("sample"):
        path = shipped.find("sample", SAMPLE)
        pixels, labels, origin = read_npz(path, "images"), read_npz(path, "labels"), str(path)
    else:
        folder = data_folder()
        pixels, labels = _read(folder, part), _read(folder, PARTS[split, "labels"])
        origin = str(folder)
    return Images(
        name=f"mnist/{split}",
        images=torch.from_numpy(pixels[:count, None].astype(np.float32) / np.float32(255)),
        labels=torch.from_numpy(labels[:count].astype(np.int64)),
        origin=origin,
    )


def fetch(split: Split, folder: Path, mirrors: tuple[str, ...] = MIRRORS) -> list[Path]:
    """Download the two idx files of a split into a folder, unless they are there and whole; their paths.

    Raises:
        DatasetError: when no mirror gives a file with the published checksum, with what each of them said.
    """
    return [_fetch(PARTS[split, what], folder, mirrors) for what in ("images", "labels")]


def _fetch(part: _Part, folder: Path, mirrors: tuple[str, ...]) -> Path:
    pooch.get_logger().setLevel(logging.WARNING)
    reasons = []
    for mirror in mirrors:
        try:
            got = pooch.retrieve(
                mirror + part.file, known_hash=f"sha256:{part.sha256}", fname=part.file, path=folder
            )
        except (OSError, ValueError) as error:
            reasons.append(f"{mirror}: {' '.join(str(error).split())[:200]}")
        else:
            return Path(got)
    msg = (
        f"{part.file} is neither in {folder} nor could it be fetched ({'; '.join(reasons)}); up to 1000 test images need no download, "
        f"for more connect to the network or point {DATA_FOLDER} at a folder that holds mnist.npz or the four MNIST idx files"
    )
    raise DatasetError(msg)


def _read(folder: Path, part: _Part) -> NDArray[np.uint8]:
    archive = folder / "mnist.npz"
    if archive.is_file():
        path, array = archive, read_npz(archive, part.key)
    else:
        path = _fetch(part, folder, MIRRORS)
        array = _read_idx(path, part)
    found = hashlib.sha256(_idx_header(array.shape) + array.tobytes()).hexdigest()
    if found != part.content_sha256:
        msg = f"{path}: {part.key} has SHA-256 {found}, the published MNIST {part.content_sha256}; delete the file and fetch it again"
        raise DatasetError(msg)
    return array


def _read_idx(path: Path, part: _Part) -> NDArray[np.uint8]:
    header = _idx_header(part.shape)
    with gzip.open(path, "rb") as file:
        data = file.read(len(header) + math.prod(part.shape))
    return np.frombuffer(data[len(header) :], dtype=np.uint8).reshape(part.shape)


def _idx_header(shape: tuple[int, ...]) -> bytes:
    """The head of an idx file of bytes: magic number with the number of axes, then each axis, big-endian."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)


_LOADERS: Mapping[str, Callable[[Split, int | None], Images]] = MappingProxyType(
    {"cifar10": cifar10.load, "digits": _digits, "mnist": _mnist}
)
