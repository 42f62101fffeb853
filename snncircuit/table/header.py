"""What a NetCDF file declares, looked at before anything of it is allocated, followed or decompressed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py

from snncircuit.errors import SnnCircuitError

MOST_BYTES = 1 << 30
"""What all variables of a file may take in memory."""
_MOST_VARIABLES = 10_000
_OBJECT_BYTES = 100  # of a text in memory, at least
_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32"}


def check_header(path: Path, error: type[SnnCircuitError]) -> None:
    """Refuse a file that declares more than can be meant, or that would have the reader open other files or load other code.

    Args:
        path: of a file that exists.
        error: the class of what is raised.

    Raises:
        SnnCircuitError: of that class, when the file is no NetCDF 4 file, holds groups, links, virtual or external variables or
            unknown filters, or declares more than ``MOST_BYTES``.
    """
    try:
        with h5py.File(path, "r") as file:
            problem = _problem(file)
    except Exception as damage:  # the reader raises whatever a damaged file provokes in HDF5
        why = (str(damage).splitlines() or [type(damage).__name__])[0]
        msg = f"{path}: not a NetCDF file, or a truncated one: {why}"
        raise error(msg) from damage
    if problem:
        msg = f"{path}: {problem}"
        raise error(msg)


def _problem(file: Any) -> str:
    """What is wrong with the header, or an empty text."""
    names = list(file)
    if len(names) > _MOST_VARIABLES:
        return f"it declares {len(names)} variables; expected at most {_MOST_VARIABLES}"
    total = 0
    for name in names:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            return f"its variable {name!r:.80} is a link; expected plain variables"
        found = file[name]
        if not isinstance(found, h5py.Dataset):
            return f"it holds {name!r:.80}, a {type(found).__name__.lower()}; expected plain variables"
        if found.is_virtual or found.external:
            return f"its variable {name!r:.80} lies in other files; expected plain variables"
        creation = found.id.get_create_plist()
        filters = {int(creation.get_filter(i)[0]) for i in range(creation.get_nfilters())}
        if not filters <= _FILTERS.keys():
            return f"its variable {name!r:.80} needs the filters {sorted(filters)}; expected only {', '.join(_FILTERS.values())}"
        size = _OBJECT_BYTES if found.dtype.kind == "O" else found.dtype.itemsize
        total += size * math.prod(found.shape or ())
        if total > MOST_BYTES:
            return (
                f"it declares more than {MOST_BYTES >> 20} MB, up to its variable {name!r:.80}; expected less"
            )
    return ""
