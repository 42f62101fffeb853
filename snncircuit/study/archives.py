"""Arrays of bytes from npz archives: never unpickled, and never larger than any data set is."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snncircuit.errors import DatasetError

MOST_BYTES = 256 << 20
"""What all arrays of an archive may unpack to."""


def read_npz(path: Path, key: str) -> NDArray[np.uint8]:
    """One array of an archive.

    Raises:
        DatasetError: when it is no archive, a damaged or inflated one, or holds no such array of bytes.
    """
    try:
        _check_sizes(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            array = archive[key]
    except KeyError as error:
        msg = f"{path} holds no array {key!r}"
        raise DatasetError(msg) from error
    except (
        OSError,
        EOFError,
        MemoryError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
    ) as error:
        msg = f"{path} cannot be read as an npz archive of arrays: {error}"
        raise DatasetError(msg) from error
    if array.dtype != np.uint8:
        msg = f"{path}: {key} holds {array.dtype}, expected uint8"
        raise DatasetError(msg)
    return np.asarray(array, dtype=np.uint8)


def _check_sizes(path: Path) -> None:
    """Refuse an archive that says it unpacks to more than any data set here holds; raises ValueError."""
    with zipfile.ZipFile(path) as archive:
        total = sum(member.file_size for member in archive.infolist())
    if total > MOST_BYTES:
        msg = f"its arrays declare {total} bytes; expected at most {MOST_BYTES}"
        raise ValueError(msg)
