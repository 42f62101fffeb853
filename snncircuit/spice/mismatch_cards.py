"""Pelgrom's numbers of a set of transistors: the file that lies beside the device cards."""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snncircuit.errors import NetlistError
from snncircuit.spice.elements import listed

SCHEMA = 1
_MOST_BYTES = 1_000_000
_KEYS = ("terminal", "a_vt", "a_beta", "unit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pelgrom:
    """Mismatch of one kind of transistor.

    The difference of a matched pair has the deviation ``a / sqrt(W L)``, one device ``1 / sqrt(2)`` of it (Pelgrom et al., IEEE JSSC
    24:1433, 1989).

    Attributes:
        a_vt: of the threshold voltage, V m.
        a_beta: of the current factor, m.
        unit: m in which an instance gives its w and l.
    """

    a_vt: float
    a_beta: float
    unit: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MismatchCards:
    """The mismatch of the transistors of a set of cards.

    Attributes:
        path: the file.
        sha256: of the file, hexadecimal.
        devices: lower-case name of a model, or of a subcircuit that stands for a device and takes ``delvto`` and ``mulu0``.
    """

    path: Path
    sha256: str
    devices: Mapping[str, Pelgrom]


def load_mismatch(path: Path) -> MismatchCards:
    """Read a mismatch file: one TOML table for each model, ``a_vt`` in mV um, ``a_beta`` in % um, ``unit`` in m (1 by default).

    Devices without ``a_vt`` and ``a_beta`` are left out.

    Raises:
        NetlistError: when the file cannot be read or holds something else.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            msg = f"{path} is larger than {_MOST_BYTES // 1_000_000} MB; expected a mismatch file"
            raise NetlistError(msg)
        data = path.read_bytes()
        content = tomllib.loads(data.decode())
    except (OSError, ValueError, RecursionError) as error:
        msg = f"expected a mismatch file {path}: TOML with a_vt and a_beta of each transistor; found {_found(error)}"
        raise NetlistError(msg) from None
    if content.pop("schema", None) != SCHEMA:
        msg = f"{path}: schema: expected {SCHEMA}, the one that this version of snncircuit reads"
        raise NetlistError(msg)
    devices = {}
    for name, values in content.items():
        if not isinstance(values, dict):
            msg = f"{path}: {name}: expected a table for each transistor, found {values!r:.60}"
            raise NetlistError(msg)
        unknown = values.keys() - set(_KEYS)
        if unknown:
            msg = f"{path}: {name}: unknown key {sorted(unknown)[0]!r}; the keys here are: {', '.join(_KEYS)}"
            raise NetlistError(msg)
        if {"a_vt", "a_beta"} & values.keys():
            devices[name.lower()] = Pelgrom(
                a_vt=1e-9 * _number(path, name, "a_vt", values),
                a_beta=1e-8 * _number(path, name, "a_beta", values),
                unit=_number(path, name, "unit", {"unit": 1.0, **values}),
            )
    if not devices:
        msg = f"{path}: found no transistor with a_vt and a_beta; it has: {listed(content)}"
        raise NetlistError(msg)
    return MismatchCards(path=path, sha256=hashlib.sha256(data).hexdigest(), devices=devices)


def _number(path: Path, name: str, key: str, values: Mapping[str, Any]) -> float:
    value = values.get(key)
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not math.isfinite(number) or number < 0 or (key == "unit" and number == 0):
        msg = f"{path}: {name}.{key}: expected a number of at least 0{' and not 0' * (key == 'unit')}, found {value!r:.60}"
        raise NetlistError(msg)
    return number


def _found(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file; name one with --mismatch"
    return f"{type(error).__name__}: {error}"
