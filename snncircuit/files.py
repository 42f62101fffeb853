"""Reads what others wrote: a regular file of bounded size, or nothing."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_limited(path: Path, most: int) -> bytes:
    """The content of a regular file of at most ``most`` bytes.

    A pipe or a device is never waited for: it is refused by its kind, after opening, so that nothing can take its place.

    Raises:
        OSError: a file that is absent, cannot be read, is larger, or is no regular file.
        ValueError: a path that no file can have.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most} bytes", str(path))
    return data
