"""The ngspice program, one process per deck: the fallback where there is no library."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from snncircuit.spice.library import Vectors, vector_name

_DECK = "deck.cir"
_RAW = "deck.raw"


def read_raw(data: bytes) -> Vectors:
    """The vectors of the first plot of a binary raw file, by ngspice's own name, as native float64 bytes.

    Anything but a complete real-valued plot gives an empty mapping.
    """
    head, mark, body = data.partition(b"Binary:\n")
    text = head.decode(errors="replace")
    if not mark or "Flags: real" not in text:
        return {}
    counts = [re.search(rf"No\. {what}:\s*(\d+)", text) for what in ("Variables", "Points")]
    names = re.findall(r"^\s*\d+\t(\S+)\t", text, re.MULTILINE)
    n_names, n_points = (int(match[1]) if match else -1 for match in counts)
    if n_names != len(names) or n_points < 1 or len(body) < 8 * n_names * n_points:
        return {}
    rows = memoryview(body[: 8 * n_names * n_points]).cast("d")
    return {name: rows[i::n_names].tobytes() for i, name in enumerate(names)}


class Program:
    """``ngspice -b`` behind the same method as :class:`snncircuit.spice.library.Library`.

    Args:
        path: the program.
        harden: called in the child before ngspice starts.
    """

    def __init__(self, path: str, harden: Callable[[], None]) -> None:
        """Remember the program; it is started once per deck."""
        self._path = path
        self._harden = harden

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            preexec_fn=self._harden,
        )
        return done.stdout.decode(errors="replace")

    def version(self) -> str:
        """What the program says of itself, one text."""
        return self._run("--version")

    def simulate(self, text: str, save: Sequence[str]) -> tuple[Vectors, list[str]]:
        """Run one deck; see :meth:`snncircuit.spice.library.Library.simulate`."""
        Path(_DECK).write_text(text)
        log = self._run("-n", "-b", "-r", _RAW, _DECK).splitlines()
        found: Vectors = {}
        with contextlib.suppress(OSError):
            # Raw files write v(a) and i(v1) where the library says a and v1#branch.
            found = {vector_name(name): data for name, data in read_raw(Path(_RAW).read_bytes()).items()}
        Path(_RAW).unlink(missing_ok=True)
        requests = ("time", *save)
        return {name: found[vector_name(name)] for name in requests if vector_name(name) in found}, log
