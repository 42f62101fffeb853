"""The other end of peer_worker.py: a peer's process that peers.py gives orders to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import timing

COMPILED = " compiled"
"""Behind the name of a peer that runs under torch.compile."""


class Worker:
    """A peer's process. A peer that fails is kept with its reason."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failure = ""
        options = ["--compiled"] if name.endswith(COMPILED) else []
        worker = str(Path(__file__).with_name("peer_worker.py"))
        self.process = subprocess.Popen(
            [sys.executable, worker, name.removesuffix(COMPILED), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.process.kill()
        self.process.wait()

    def tell(self, verb: str, **settings: object) -> None:
        """Order something without waiting for the answer."""
        assert self.process.stdin is not None
        print(json.dumps({"do": verb, **settings}), file=self.process.stdin, flush=True)

    def answer(self) -> Any:
        """What came of the oldest order; None for nothing and for a failure, whose reason is then kept."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        told = json.loads(line) if line else {"error": "the process ended"}
        if isinstance(told, dict) and "error" in told:
            self.failure = self.failure or str(told["error"]).splitlines()[0][:300]
            return None
        return told

    def ask(self, verb: str, **settings: object) -> Any:
        """Order something and wait."""
        self.tell(verb, **settings)
        return self.answer()

    def timed(self) -> timing.Cost:
        """One run of the workload."""
        told = self.ask("timed")
        if told is None:
            msg = f"{self.name}: {self.failure}"
            raise SystemExit(msg)
        return timing.Cost(cpu=told["cpu"], wall=told["wall"])
