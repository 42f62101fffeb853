"""Finished points of a sweep, or chips of a yield, on disk: one JSON file each, whole or absent, beside what they belong to."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snncircuit.errors import SimulationError
from snncircuit.files import read_limited

SCHEMA = 1
SETTINGS = "settings.json"
_MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PointStore:
    """A folder of finished points that all share the same settings.

    Attributes:
        folder: where they lie.
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path, settings: Mapping[str, Any], kind: str = "sweep") -> PointStore:
        """The store in a folder, made where there is none.

        Args:
            folder: new, empty, or that of an earlier sweep.
            settings: everything that decides what a point is worth, plain values.
            kind: of what the points are, for messages.

        Raises:
            SimulationError: when the folder belongs to other settings, with those that differ, or is no such store.
        """
        wanted = json.loads(json.dumps({"schema": SCHEMA, **settings}))
        path = folder / SETTINGS
        if path.exists():
            _same(path, _read(path), wanted, kind)
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            msg = f"{folder} is no {kind}: expected a folder with {SETTINGS}, an empty one or none"
            raise SimulationError(msg)
        else:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _write(path, wanted)
            except OSError as error:
                msg = f"cannot write {path}: {error.strerror or error}"
                raise SimulationError(msg) from error
        return cls(folder=folder)

    def get(self, name: str) -> dict[str, Any] | None:
        """The point of this name, or None if it is not finished.

        Raises:
            SimulationError: when its file is damaged.
        """
        path = self._path(name)
        return _read(path) if path.exists() else None

    def put(self, name: str, point: Mapping[str, Any]) -> None:
        """Keep a point; a process killed meanwhile leaves either all of it or nothing.

        Raises:
            SimulationError: when its file cannot be written.
        """
        path = self._path(name)
        try:
            _write(path, point)
        except OSError as error:
            msg = f"cannot write {path}: {error.strerror or error}; what is finished is kept, repeat the command to go on"
            raise SimulationError(msg) from error

    def _path(self, name: str) -> Path:
        return self.folder / f"point {name}.json"


def _same(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any], kind: str) -> None:
    schema = found.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        msg = f"{path} has {kind} schema {schema}; this version of snncircuit reads schema {SCHEMA}: update snncircuit"
        raise SimulationError(msg)
    differing = [key for key in dict.fromkeys((*wanted, *found)) if wanted.get(key) != found.get(key)]
    if differing:
        facts = "; ".join(f"{key} is {found.get(key)!r} there, {wanted.get(key)!r} here" for key in differing)
        msg = (
            f"{path.parent} holds a {kind} with other settings ({facts}); choose another folder or delete it"
        )
        raise SimulationError(msg)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_limited(path, _MAX_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path} cannot be read as JSON: {error}; delete it to compute it again"
        raise SimulationError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path} holds {type(content).__name__}, expected an object; delete it to compute it again"
        raise SimulationError(msg)
    return content


def _write(path: Path, content: Mapping[str, Any]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps(content, indent=1))
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
