"""Writes NetCDF 4 files whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr


def write_netcdf(dataset: xr.Dataset, path: Path, encoding: Mapping[str, Any] | None = None) -> None:
    """Write a dataset into a folder that exists; a file that is there is replaced at once.

    The file is made in memory: HDF5 itself, where it meets a full disk, may end the process.

    Raises:
        OSError: when the file cannot be written; the old one is then as it was.
    """
    content = io.BytesIO()
    dataset.to_netcdf(content, engine="h5netcdf", encoding=encoding)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content.getbuffer())
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
