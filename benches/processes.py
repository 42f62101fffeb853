"""One fresh ngspice process for every deck, the usual way to drive it: what the benches hold the workers and the engine against."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from timing import Cost

from snncircuit.spice.deck import Deck
from snncircuit.spice.judge import judge
from snncircuit.spice.library import vector_name
from snncircuit.spice.process import Answer
from snncircuit.spice.program import read_raw
from snncircuit.spice.waveforms import Waveforms

STOCK: Mapping[str, str] = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
"""ngspice as it comes: the model evaluation of many builds runs on two OpenMP threads that wait by spinning."""
PINNED: Mapping[str, str] = {**STOCK, "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"}
"""ngspice on one thread, the faster way for circuits of this size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessCost(Cost):
    """What it took, and the part of the CPU time that the processes themselves took, in seconds."""

    children: float


def program() -> str:
    """Path of the program ngspice; ends the bench when there is none."""
    path = shutil.which("ngspice")
    if path is None:
        raise SystemExit("no program ngspice on the search path; this bench compares with it")
    return path


def simulate(
    decks: Sequence[Deck], *, at_once: int, environment: Mapping[str, str]
) -> tuple[list[Waveforms], ProcessCost]:
    """Each deck in a process of its own, from its text to its waveforms.

    The cost is that of the processes from their start to their end and of writing decks and reading raw files here.
    """
    path, cpu, wall = program(), time.process_time(), time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="snncircuit-bench-") as folder,
        ThreadPoolExecutor(at_once) as threads,
    ):
        done = list(
            threads.map(lambda k: _one(path, decks[k], Path(folder) / str(k), environment), range(len(decks)))
        )
    children = sum(seconds for _, seconds in done)
    cpu, wall = time.process_time() - cpu + children, time.perf_counter() - wall
    return [waves for waves, _ in done], ProcessCost(cpu=cpu, wall=wall, children=children)


def seconds_of(pid: int) -> float:
    """CPU time of another process so far."""
    if sys.platform != "linux":
        raise SystemExit("the CPU time of the workers is read from a clock that only Linux has")
    return time.clock_gettime(~pid << 3 | 2)


def _one(path: str, deck: Deck, folder: Path, environment: Mapping[str, str]) -> tuple[Waveforms, float]:
    folder.mkdir()
    (folder / "deck.cir").write_text(deck.text)
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(
            [path, "-b", "-r", "deck.raw", "deck.cir"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
    raw = folder / "deck.raw"
    found = {vector_name(n): data for n, data in read_raw(raw.read_bytes()).items()} if raw.exists() else {}
    vectors = {
        n: np.frombuffer(found[vector_name(n)]) for n in ("time", *deck.save) if vector_name(n) in found
    }
    lines = tuple((folder / "log").read_text(errors="replace").splitlines())
    outcome = judge(deck, Answer(vectors=vectors, log=lines, fatal=False))
    if not isinstance(outcome, Waveforms):
        raise SystemExit(f"ngspice failed: {outcome.reason}")
    return outcome, used.ru_utime + used.ru_stime
