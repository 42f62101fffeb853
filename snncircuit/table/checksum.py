"""A hash of everything that a table says, kept in its file, so that a bit that flipped on a disk is not measured as a neuron."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from snncircuit.errors import TableError

ATTRIBUTE = "sha256"


def checksum(dataset: xr.Dataset) -> str:
    """SHA-256, in hexadecimal, of all variables, their axes and attributes, and of the attributes of the whole."""
    facts = hashlib.sha256()
    for name in sorted(map(str, dataset.variables)):
        variable = dataset.variables[name]
        values = np.asarray(variable.values)
        facts.update(repr((name, variable.dims, values.shape, _attributes(variable.attrs))).encode())
        if values.dtype.kind in "OUS":
            facts.update(repr([str(value) for value in values.ravel().tolist()]).encode())
        else:
            facts.update(str(values.dtype.newbyteorder("<")).encode())
            facts.update(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes())
    facts.update(repr(_attributes(dataset.attrs)).encode())
    return facts.hexdigest()


def sealed(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with its checksum among its attributes."""
    return dataset.assign_attrs({ATTRIBUTE: checksum(dataset)})


def unsealed(dataset: xr.Dataset, path: Path) -> xr.Dataset:
    """The dataset without its checksum, which must agree; one that was written before there were any is taken as it is.

    Raises:
        TableError: when something of the file was changed after it was written.
    """
    if ATTRIBUTE not in dataset.attrs:
        return dataset
    bare = dataset.copy()
    kept = bare.attrs.pop(ATTRIBUTE)
    found = checksum(bare)
    if kept != found:
        msg = (
            f"{path} is damaged: its content has the SHA-256 {found}, expected {str(kept)!r:.80} as it was written; take another copy "
            f"or characterise again"
        )
        raise TableError(msg)
    return bare


def _attributes(attributes: Mapping[Any, Any]) -> list[tuple[str, str]]:
    return sorted(
        (str(key), repr(np.asarray(value).tolist())) for key, value in attributes.items() if key != ATTRIBUTE
    )
