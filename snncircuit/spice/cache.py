"""Keeps what was simulated: key to bytes, safe under kill -9 and under several processes."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from snncircuit.errors import CharacterisationError

VARIABLE = "SNNCIRCUIT_CACHE"
_CHUNK = 500
_PATIENCE = 60.0


def cache_folder() -> Path:
    """Where snncircuit keeps what it can make again: $SNNCIRCUIT_CACHE, or the platform's cache folder."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "snncircuit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snncircuit"


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never a part; a folder that cannot be written is left alone."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(draft, path)


class SampleCache:
    """A content-addressed store in one SQLite file; every ``put`` is safe from kill -9 when it returns.

    Args:
        path: the file; by default ``samples.sqlite`` in :func:`cache_folder`.

    Raises:
        CharacterisationError: from any method, when the file cannot be used or is no such store.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache_folder() / "samples.sqlite"
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._store = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            self._use_write_ahead_log()
            self._store.execute("PRAGMA synchronous=NORMAL")
            self._store.execute(
                "CREATE TABLE IF NOT EXISTS samples (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """What is kept under these keys; absent keys are left out."""
        wanted = list(dict.fromkeys(keys))
        kept: dict[str, bytes] = {}
        with self._explained():
            for start in range(0, len(wanted), _CHUNK):
                part = wanted[start : start + _CHUNK]
                marks = ",".join("?" * len(part))
                kept.update(
                    self._store.execute(f"SELECT key, value FROM samples WHERE key IN ({marks})", part)
                )
        return kept

    def put(self, key: str, value: bytes) -> None:
        """Keep a value; the last one under a key stays."""
        with self._explained():
            self._store.execute("INSERT OR REPLACE INTO samples VALUES (?, ?)", (key, value))

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _use_write_ahead_log(self) -> None:
        """It survives kill -9 without waiting for the disk at every sample; the switch to it alone does not wait its turn."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._store.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            msg = (
                f"{self.path}: cannot keep samples here ({error}); expected a file that can be written, empty or "
                f"written by snncircuit; remove it, or set {VARIABLE} to another folder"
            )
            raise CharacterisationError(msg) from error
