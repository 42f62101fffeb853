"""CIFAR-10 (A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009), from its official archive.

The binary version of the archive is read, since the one for Python is a pickle. Each of its batches is a run of records: one byte of
label, then 32 x 32 bytes of red, of green and of blue.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pooch
import torch
from numpy.typing import NDArray

from snncircuit import shipped
from snncircuit.errors import DatasetError
from snncircuit.files import read_limited
from snncircuit.study.archives import read_npz
from snncircuit.study.images import DATA_FOLDER, Images, Split, counted, data_folder

SAMPLE = "cifar10-100"
ARCHIVE = "cifar-10-binary.tar.gz"
ARCHIVE_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
SOURCES = ("https://www.cs.toronto.edu/~kriz/",)
FOLDER = "cifar-10-batches-bin"
PER_BATCH = 10_000
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_SAMPLED = 100

BATCHES: Mapping[Split, Mapping[str, str]] = MappingProxyType(
    {
        "train": MappingProxyType(
            {
                "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
                "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
                "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
                "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
                "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
            }
        ),
        "test": MappingProxyType(
            {"test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}
        ),
    }
)
"""File name to SHA-256 of each batch. Their MD5 sums are those that the archive's Python version publishes of the same batches."""


def load(split: Split, n: int | None) -> Images:
    """The first `n` images of a split, all 50,000 or 10,000 for None.

    Up to 100 test images come from the sample that ships. More come from ``cifar-10-batches-bin`` or the archive in the data folder, or
    else the archive is fetched into it.

    Raises:
        DatasetError: fewer than `n` images, a damaged file, or nothing can be fetched.
    """
    name = f"cifar10/{split}"
    count = counted(name, n, PER_BATCH * len(BATCHES[split]))
    if split == "test" and count <= _SAMPLED:
        path = shipped.find("sample", SAMPLE)
        pixels, labels, origin = read_npz(path, "images"), read_npz(path, "labels"), str(path)
    else:
        folder = data_folder()
        needed = list(BATCHES[split].items())[: -(-count // PER_BATCH)]
        records = np.concatenate([_batch(folder, *item) for item in needed])
        pixels, labels, origin = records[:, 1:].reshape(-1, *_SHAPE), records[:, 0], str(folder)
    return Images(
        name=name,
        images=torch.from_numpy(pixels[:count].astype(np.float32) / np.float32(255)),
        labels=torch.from_numpy(labels[:count].astype(np.int64)),
        origin=origin,
    )


def _batch(folder: Path, file: str, sha256: str) -> NDArray[np.uint8]:
    """Records of one batch, shape (10000, 3073), held against their checksum."""
    path = folder / FOLDER / file
    if not path.is_file():
        _unpack(_archive(folder), file, path)
    try:
        data = read_limited(path, PER_BATCH * _RECORD)
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read: {error}; delete it and it is fetched again"
        raise DatasetError(msg) from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        msg = f"{path} has SHA-256 {found}, expected {sha256}; delete it and it is fetched again"
        raise DatasetError(msg)
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, _RECORD)


def _archive(folder: Path) -> Path:
    pooch.get_logger().setLevel(logging.WARNING)
    reasons = []
    for source in SOURCES:
        try:
            got = pooch.retrieve(
                source + ARCHIVE, known_hash=f"sha256:{ARCHIVE_SHA256}", fname=ARCHIVE, path=folder
            )
        except (OSError, ValueError) as error:
            reasons.append(f"{source}: {' '.join(str(error).split())[:200]}")
        else:
            return Path(got)
    msg = (
        f"{ARCHIVE} (162 MB) is neither in {folder} nor could it be fetched ({'; '.join(reasons)}); up to {_SAMPLED} test images need no "
        f"download, for more connect to the network or point {DATA_FOLDER} at a folder that holds {ARCHIVE} or {FOLDER}"
    )
    raise DatasetError(msg)


def _unpack(archive: Path, file: str, path: Path) -> None:
    """One batch of the archive as a file, whole or not at all; nothing else of the archive is written."""
    try:
        with tarfile.open(archive, "r:gz") as members:
            content = members.extractfile(f"{FOLDER}/{file}")
            data = content.read(PER_BATCH * _RECORD) if content is not None else b""
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        msg = (
            f"{archive} holds no {FOLDER}/{file} that can be read: {error}; delete it and it is fetched again"
        )
        raise DatasetError(msg) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as draft:
        draft.write(data)
    os.replace(draft.name, path)
