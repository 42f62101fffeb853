"""The process in which ngspice runs: sandboxed first, then one deck at a time until the other end closes.

It loads cffi and the standard library only. A message is JSON; an answer is a length, JSON, and the vectors as raw float64.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, NoReturn, Protocol

from snncircuit.spice import sandbox
from snncircuit.spice.follower import follow
from snncircuit.spice.library import Library, Vectors
from snncircuit.spice.program import Program

_LOG_LINES = 200
Fatal = Callable[[list[str]], NoReturn]


class Simulator(Protocol):
    """A loaded ngspice."""

    def version(self) -> str:
        """What it says of itself."""
        ...

    def simulate(self, text: str, save: Sequence[str]) -> tuple[Vectors, list[str]]:
        """Run one deck: the vectors that exist, and the log."""
        ...


def _shared_mode(path: str, _fatal: Fatal) -> Simulator:
    # Imported only where it was asked for: PySpice is under the GPL.
    from snncircuit.spice.pyspice import SharedMode

    return SharedMode(path)


SIMULATORS: dict[str, Callable[[str, Fatal], Simulator]] = {
    "library": Library,
    "live": Library,
    "program": lambda path, _fatal: Program(path, sandbox.die_with_parent),
    "pyspice": _shared_mode,
}


def encode(vectors: Vectors, log: list[str], fatal: bool) -> bytes:
    """An answer as bytes."""
    sizes = {name: len(data) for name, data in vectors.items()}
    head = json.dumps({"sizes": sizes, "log": log[-_LOG_LINES:], "fatal": fatal}).encode()
    return len(head).to_bytes(4, "little") + head + b"".join(vectors.values())


def serve(connection: Connection, simulator: Simulator) -> None:
    """Answer decks until the connection closes; the alarm of a deck that takes too long ends the process."""
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            request = json.loads(connection.recv_bytes())
            signal.setitimer(signal.ITIMER_REAL, request["alarm"])
            sandbox.limit_processor(request["alarm"])
            vectors, log = simulator.simulate(request["text"], request["save"])
            signal.setitimer(signal.ITIMER_REAL, 0)
            connection.send_bytes(encode(vectors, log, fatal=False))


def _serve_live(connection: Connection, library: Any) -> None:
    follow(connection, library, encode)


SERVERS: dict[str, Callable[[Connection, Any], None]] = {"live": _serve_live}


def main(kind: str, path: str, parent: int, descriptor: int) -> None:
    """Be a worker: say the version, then answer.

    Args:
        kind: one of ``SIMULATORS``; ``live`` answers period by period.
        path: of the ngspice.
        parent: process without which this one has no purpose.
        descriptor: file descriptor of the connection.
    """
    connection = Connection(descriptor)
    sandbox.die_with_parent()
    if os.getppid() != parent:
        return
    sandbox.limit(kind)
    # The program ngspice keeps its batch in a nameless file of the system's own folder for these, wherever TMPDIR points.
    sandbox.confine_writes(os.getcwd(), *(("/tmp",) if kind == "program" else ()))

    def fatal(log: list[str]) -> NoReturn:
        try:
            connection.send_bytes(encode({}, log, fatal=True))
        finally:
            os._exit(1)

    simulator = SIMULATORS[kind](path, fatal)
    if kind != "program":
        sandbox.forbid_programs()
    connection.send_bytes(simulator.version().encode())
    server: Callable[[Connection, Any], None] = SERVERS.get(kind, serve)
    server(connection, simulator)
