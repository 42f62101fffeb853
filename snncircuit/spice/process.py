"""The parent's end of one worker process; with program.py, the only place where a simulator starts."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from snncircuit.spice.deck import Deck
from snncircuit.spice.waveforms import Array

_START_TIMEOUT = 60.0
_PREFIX = "snncircuit-ngspice"
# The worker finds its modules where this process found them, whatever its environment and folder.
_BOOT = (
    "import json, sys; a = json.loads(sys.argv[1]); sys.path[:] = a[0]; "
    "from snncircuit.spice.worker import main; main(*a[1:])"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What came back for one deck, not yet judged.

    Attributes:
        vectors: ``time`` and the requested vectors that exist, shape (n,) each.
        log: what ngspice printed; a library's lines start with ``stdout`` or ``stderr``.
        fatal: ngspice wanted to end the process, which only a bad netlist makes it do.
    """

    vectors: Mapping[str, Array]
    log: tuple[str, ...]
    fatal: bool


class WorkerDiedError(Exception):
    """The worker ended without an answer; never leaves the package."""


class WorkerProcess:
    """One worker with one ngspice, in an empty scratch folder and with a scrubbed environment.

    Args:
        kind: ``library``, ``program`` or ``live`` (a library, for ``snncircuit.spice.live``).
        path: of the ngspice.
    """

    def __init__(self, kind: str, path: str) -> None:
        _sweep()
        self._folder = tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-")
        scripts = os.path.join(self._folder, "scripts")
        os.mkdir(scripts)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            argument = json.dumps([sys.path, kind, path, os.getpid(), theirs.fileno()])
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT, argument],
                cwd=self._folder,
                env={
                    "HOME": self._folder,
                    "TMPDIR": self._folder,
                    "PATH": os.defpath,
                    "LC_ALL": "C",
                    "SPICE_SCRIPTS": scripts,
                    "SPICE_LIB_DIR": scripts,
                    # Spinning OpenMP threads make a busy machine ten times slower.
                    "OMP_NUM_THREADS": "1",
                    "OMP_THREAD_LIMIT": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            self.connection = Connection(ours.detach())
        self._version: str | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def version(self) -> str:
        """What the simulator says of itself, once it has started.

        Raises:
            WorkerDiedError: when it does not start.
        """
        if self._version is None:
            try:
                ready = self.connection.poll(_START_TIMEOUT)
                self._version = self.connection.recv_bytes().decode(errors="replace") if ready else ""
            except (EOFError, OSError):
                raise WorkerDiedError(self._obituary()) from None
        return self._version

    def send(self, deck: Deck, timeout: float) -> None:
        """Hand over a deck; a worker left alone well beyond ``timeout`` seconds ends itself.

        A worker that has died takes it in silence: :meth:`receive` tells.
        """
        self.tell({"text": deck.text, "save": deck.save, "alarm": 1.5 * timeout + 5.0})

    def tell(self, message: Mapping[str, object]) -> None:
        """Send a message to the worker; one that has died takes it in silence: :meth:`receive` tells."""
        with contextlib.suppress(WorkerDiedError, OSError):
            self.version()
            self.connection.send_bytes(json.dumps(message).encode())

    def receive(self, patience: float = 0.0) -> Answer | None:
        """The answer to the deck that was sent, or None when there is none within ``patience`` seconds.

        Raises:
            WorkerDiedError: when the worker has ended.
        """
        try:
            if not self.connection.poll(patience):
                return None
            data = self.connection.recv_bytes()
        except (EOFError, OSError):
            raise WorkerDiedError(self._obituary()) from None
        offset = 4 + int.from_bytes(data[:4], "little")
        head = json.loads(data[4:offset])
        vectors: dict[str, Array] = {}
        for name, n_bytes in head["sizes"].items():
            vectors[name] = np.frombuffer(data[offset : offset + n_bytes], dtype=np.float64)
            offset += n_bytes
        return Answer(vectors=vectors, log=tuple(head["log"]), fatal=head["fatal"])

    def close(self) -> None:
        """End the process and everything it started, and remove its folder."""
        self.connection.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _obituary(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "the ngspice worker closed its connection"
        if code < 0:
            return f"the ngspice worker was ended by {signal.Signals(-code).name}"
        return f"the ngspice worker ended with exit code {code}"


@functools.cache
def _sweep() -> None:
    """Remove the scratch folders of processes that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}-*-*"):
        owner = folder.name.split("-")[2]
        if owner.isdecimal():
            try:
                os.kill(int(owner), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)
            except OSError:
                continue
