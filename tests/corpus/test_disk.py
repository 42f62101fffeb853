"""A disk that is full or cannot be written, and processes that are killed: a clear error or a correct resume, and nothing is lost."""

import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import pytest

from snncircuit.errors import CharacterisationError, SnnCircuitError, TableError
from snncircuit.reference import ideal_table
from snncircuit.spice.cache import SampleCache
from snncircuit.study.store import PointStore
from snncircuit.table import TransferTable
from tests.corpus.conftest import Refusal, small_network, snapshot

# Found before a test moves the home folder: making the list of fonts takes longer than everything else.
FONTS = matplotlib.get_cachedir()
SWEEP = ["sweep", "small.toml", "--neuron", "t.nc", "--vneg", "0,-0.9", "--images", "2", "--steps", "5"]


def ideal(*v_negs: float) -> TransferTable:
    return TransferTable.from_points("ideal", [ideal_table(v) for v in v_negs], {"ngspice": "none"})


@contextmanager
def full_disk(n_bytes: int) -> Iterator[None]:
    """No file can grow beyond so many bytes; Python ignores the signal, and the write fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("n_bytes", [0, 1000, 20_000])
def test_a_table_that_does_not_fit_leaves_the_old_one(n_bytes: int, ground: Path) -> None:
    path = ground / "work" / "t.nc"
    ideal(-0.9).save(path)
    before = snapshot(ground / "work")
    with full_disk(n_bytes), pytest.raises(TableError, match=r"cannot write table .*t\.nc: "):
        ideal(0.0, -0.9).save(path)
    assert snapshot(ground / "work") == before


@pytest.mark.parametrize(
    "words",
    [
        ["run", "small.toml", "--images", "2", "--steps", "2", "-o", "{out}"],
        [*SWEEP, "-o", "{out}"],
        ["export", "t.nc", "-o", "{out}"],
        ["new-cell", "mine", "-o", "{out}"],
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_a_command_that_cannot_write_says_so_and_leaves_nothing(
    words: list[str], disk: str, ground: Path, refused: Refusal
) -> None:
    small_network(ground / "work")
    ideal(0.0, -0.9).save(ground / "work" / "t.nc")
    (ground / "work" / "file").write_text("in the way")
    before = snapshot(ground / "work")
    # Below a file nobody can write, root neither.
    out = "out" if disk == "full" else "file/out"
    asked = [word.format(out=out) for word in words]
    if disk == "full":
        with full_disk(300):
            message = refused(asked)
    else:
        message = refused(asked)
    assert "cannot write" in message
    after = snapshot(ground / "work")
    assert {name: data for name, data in after.items() if not name.startswith("out")} == before
    assert not [name for name in after if name.endswith(".part")]


def test_a_sweep_on_a_full_disk_goes_on_when_there_is_room(ground: Path) -> None:
    store = PointStore.open(ground / "work" / "s", {"steps": 5})
    store.put("first", {"x": 1.5})
    with full_disk(10), pytest.raises(SnnCircuitError, match=r"cannot write .* what is finished is kept"):
        store.put("second", {"x": [0.5] * 100})
    again = PointStore.open(ground / "work" / "s", {"steps": 5})
    assert again.get("first") == {"x": 1.5}
    assert again.get("second") is None
    again.put("second", {"x": 2.5})
    assert again.get("second") == {"x": 2.5}


def test_samples_kept_before_the_disk_was_full_are_still_there(ground: Path) -> None:
    path = ground / "work" / "samples.sqlite"
    with SampleCache(path) as cache:
        cache.put("first", b"1")
        size = max(file.stat().st_size for file in (ground / "work").iterdir())
        with full_disk(size), pytest.raises(CharacterisationError, match="cannot keep samples here"):
            cache.put("more", os.urandom(1_000_000))
    with SampleCache(path) as cache:
        assert cache.get_many(["first"]) == {"first": b"1"}
        cache.put("second", b"2")
        assert cache.get_many(["second"]) == {"second": b"2"}


@pytest.mark.parametrize("folder", ["file/cache", "/proc/cache"])
def test_a_cache_that_cannot_be_written_is_told(
    folder: str, cell: Path, refused: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").write_text("in the way")
    monkeypatch.setenv("SNNCIRCUIT_CACHE", folder)
    assert "cannot keep samples here" in refused(["characterise", str(cell), "--vneg", "0"])


# Loads everything once, then runs the command in children of its own, and kills them when so many new files have been seen.
KEEPER = """
import functools, os, signal, sys, time
import matplotlib.pyplot, snncircuit.report.sweep_figure, snncircuit.study.sweep, snncircuit.study.datasets
from snncircuit.cli import given, main
given.table = functools.cache(given.table)
given.table("t.nc")
for line in sys.stdin:
    n_new, delay, folder, *words = line.rstrip("\\n").split("\\t")
    list_of = lambda: set(os.listdir(folder)) if os.path.isdir(folder) else set()
    seen = before = list_of()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os._exit(main([*words, "-o", folder]))
    ended, status = 0, 0
    while not ended and (int(n_new) < 0 or len(seen - before) < int(n_new)):
        time.sleep(0.001)
        seen = seen | list_of()
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        time.sleep(float(delay))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    print(status, flush=True)
"""
Keeper = Callable[[int, float, str], int]


@pytest.fixture
def keeper(ground: Path) -> Iterator[Keeper]:
    """Runs the sweep into a folder; with a number it is killed so many seconds after so many new files. Gives the status."""
    small_network(ground / "work")
    ideal(0.0, -0.9).save(ground / "work" / "t.nc")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "MPLCONFIGDIR": FONTS}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", KEEPER], stdin=pipe, stdout=pipe, text=True, env=environment
    ) as process:
        told, asked = process.stdout, process.stdin
        assert told is not None
        assert asked is not None

        def run(n_new: int, delay: float, folder: str) -> int:
            print(n_new, delay, folder, *SWEEP, sep="\t", file=asked, flush=True)
            return int(told.readline())

        yield run


def results(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in snapshot(folder).items() if not name.endswith(".part")}


def test_a_sweep_killed_at_ten_moments_ends_with_the_same_bytes(ground: Path, keeper: Keeper) -> None:
    assert keeper(-1, 0.0, "whole") == 0
    whole = results(ground / "work" / "whole")
    assert {"settings.json", "sweep.nc", "sweep.png"} < whole.keys()
    assert sum(name.startswith("point ") for name in whole) == 4
    draw = random.Random(11)
    n_killed = 0
    for folder, n_moments in (("a", 4), ("b", 3), ("c", 3)):
        kept: dict[str, bytes] = {}
        for _ in range(n_moments):
            n_killed += keeper(draw.randrange(3), draw.uniform(0.0, 0.03), folder) == signal.SIGKILL
            path = ground / "work" / folder
            now = results(path) if path.is_dir() else {}
            finished = {name: data for name, data in now.items() if name.startswith("point ")}
            # What one run finished, the next one keeps and does not write again.
            assert kept.items() <= finished.items()
            kept = finished
        assert keeper(-1, 0.0, folder) == 0
        assert results(ground / "work" / folder) == whole
    assert n_killed >= 6
