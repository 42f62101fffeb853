"""Which ngspice this machine has: looked for in a fixed order, believed only after a self-test in a process of its own."""

from __future__ import annotations

import functools
import importlib.util
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from snncircuit.errors import EngineMissingError
from snncircuit.spice.cache import cache_folder, replace_file
from snncircuit.spice.deck import Deck, Tran
from snncircuit.spice.judge import judge
from snncircuit.spice.process import WorkerDiedError, WorkerProcess
from snncircuit.spice.waveforms import Failure, Waveforms

VARIABLE = "SNNCIRCUIT_NGSPICE"
ABSENT = "none"
HOW_TO_INSTALL = (
    "Debian, Ubuntu: sudo apt-get install ngspice libngspice0; "
    "Fedora: sudo dnf install ngspice libngspice; "
    "macOS: brew install ngspice libngspice; "
    "conda: conda install -c conda-forge ngspice ngspice-lib"
)
_LIBRARIES = ("libngspice.so.0", "libngspice.so", "libngspice.0.dylib", "libngspice.dylib")
_FOLDERS = (
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/lib/*-linux-gnu*",
    "/usr/lib64",
    "/usr/lib",
    "/opt/homebrew/lib",
)
_TIMEOUT = 30.0

# 1 uA on 1 pF lifts n 1 V a microsecond; the inverter trips half-way up its supply; beside it, a discharging RC.
SELF_TEST = Deck(
    circuit="""\
vdd vdd 0 1.8
ir 0 n 1u
cn n 0 1p
m1 out n 0 0 mn w=1u l=1u
m2 out n vdd vdd mp w=1u l=1u
co out 0 1f
ra a 0 1k
ca a 0 1n
.model mn nmos level=1 vto=0.5 kp=100u
.model mp pmos level=1 vto=-0.5 kp=100u
.ic v(n)=0 v(a)=1
""",
    save=("v(a)", "v(out)", "i(vdd)"),
    tran=Tran(step=1e-9, stop=1.5e-6, max_step=5e-9),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An ngspice that passed the self-test.

    Attributes:
        kind: ``library`` (libngspice in worker processes) or ``program`` (``ngspice -b``, one process per deck).
        path: of the library or program.
        version: such as ``ngspice-39``.
        self_test: what the self-test gave.
    """

    kind: str
    path: str
    version: str
    self_test: str


def find_ngspice() -> Found:
    """The ngspice to use.

    Order: the environment variable SNNCIRCUIT_NGSPICE (path of a library or program; ``none`` for no ngspice), the
    system's libngspice, the library that the package sedes carries, the program ``ngspice``. One that fails its self-test
    is passed over, except for the one that was asked for.

    Raises:
        EngineMissingError: when there is none, with what was tried and how to install it.
    """
    return _find(os.environ.get(VARIABLE, ""))


@functools.cache
def _find(wanted: str) -> Found:
    if wanted == ABSENT:
        msg = f"no ngspice: {VARIABLE}={ABSENT} says to do without; unset it, or install: {HOW_TO_INSTALL}"
        raise EngineMissingError(msg)
    if wanted and not Path(wanted).is_file():
        msg = (
            f"no ngspice: {VARIABLE} names {wanted}, which is no file; expected the path of a libngspice or of the program "
            f"ngspice; unset it to search this machine, or install: {HOW_TO_INSTALL}"
        )
        raise EngineMissingError(msg)
    tried = []
    for kind, path in [(_kind(wanted), wanted)] if wanted else _candidates():
        result = probe(kind, path)
        if isinstance(result, Found):
            return result
        tried.append(f"{path}: {result.reason}")
    msg = (
        f"no working ngspice on this machine; tried: {'; '.join(tried) or 'nothing, as no libngspice and no program ngspice exists'}; "
        f"install: {HOW_TO_INSTALL}; or set {VARIABLE} to the path of a libngspice"
    )
    raise EngineMissingError(msg)


def _kind(path: str) -> str:
    return "library" if re.search(r"\.(?:so|dylib|dll)(?:\.|$)", Path(path).name) else "program"


def _candidates() -> Iterator[tuple[str, str]]:
    """(kind, path), best first, each file once."""
    prefixes = [p for p in (os.environ.get("CONDA_PREFIX"), sys.prefix) if p]
    folders = [Path(p) / "lib" for p in prefixes]
    for pattern in _FOLDERS:
        folders += sorted(Path("/").glob(pattern[1:]))
    carrier = importlib.util.find_spec("sedes")
    if carrier is not None and carrier.origin is not None:
        root = Path(carrier.origin).parent
        folders += sorted(
            {p.parent for p in root.rglob("libngspice*")}
            | {p.parent for p in root.parent.glob("sedes.libs/*")}
        )
    seen: set[Path] = set()
    for folder in folders:
        for name in _LIBRARIES:
            path = folder / name
            if path.is_file() and path.resolve() not in seen:
                seen.add(path.resolve())
                yield "library", str(path)
    program = shutil.which("ngspice")
    if program:
        yield "program", program


def probe(kind: str, path: str) -> Found | Failure:
    """The ngspice at ``path`` if it passes the self-test, else the reason.

    An unchanged file that once passed is believed without starting it again.
    """
    known = _Memory(kind, path)
    remembered = known.recall()
    if remembered is not None:
        return remembered
    worker = WorkerProcess(kind, path)
    try:
        named = re.search(r"ngspice-[\w.+]+", worker.version())
        worker.send(SELF_TEST, _TIMEOUT)
        answer = worker.receive(_TIMEOUT)
    except WorkerDiedError as error:
        return Failure(reason=str(error))
    finally:
        worker.close()
    if answer is None:
        return Failure(reason=f"its self-test gave no answer within {_TIMEOUT:g} s")
    outcome = judge(SELF_TEST, answer)
    if isinstance(outcome, Failure):
        return Failure(reason=f"its self-test failed: {outcome.reason}")
    told = examine(outcome)
    if isinstance(told, Failure):
        return told
    found = Found(kind=kind, path=path, version=named[0] if named else "ngspice", self_test=told)
    known.keep(found)
    return found


def examine(waves: Waveforms) -> str | Failure:
    """The self-test's figures, or how they are wrong."""
    decayed, expected = waves.at("v(a)", 1e-6), math.exp(-1)
    trips = waves.crossings("v(out)", 0.9, rising=False)
    trip = float(trips[0]) if trips.size else math.nan
    told = (
        f"RC discharge {decayed:.4f} V (expected {expected:.4f} V), "
        f"inverter trips after {trip * 1e9:.1f} ns (expected 900 ns)"
    )
    if abs(decayed - expected) > 1e-3 or not abs(trip - 0.9e-6) < 20e-9:
        return Failure(reason=f"its self-test gave wrong figures: {told}")
    return told


class _Memory:
    """Keeps the result of a passed self-test, for as long as the file stays the same."""

    def __init__(self, kind: str, path: str) -> None:
        self._file = cache_folder() / "ngspice.json"
        stat = os.stat(path)
        self._key = f"{kind} {path} {stat.st_size} {stat.st_mtime_ns} {SELF_TEST.key}"

    def _all(self) -> dict[str, dict[str, str]]:
        try:
            data = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    def recall(self) -> Found | None:
        try:
            return Found(**self._all()[self._key])
        except (KeyError, TypeError):
            return None

    def keep(self, found: Found) -> None:
        replace_file(self._file, json.dumps({**self._all(), self._key: asdict(found)}).encode())
