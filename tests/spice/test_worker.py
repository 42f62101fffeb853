import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import pytest

from snncircuit.spice import sandbox, worker
from snncircuit.spice.library import Vectors


class Echo:
    """A simulator that answers with its deck."""

    def version(self) -> str:
        return "ngspice-0"

    def simulate(self, text: str, save: Sequence[str]) -> tuple[Vectors, list[str]]:
        return {name: text.encode() for name in save}, ["stdout seen"]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test itself must not go into the sandbox."""
    for name in ("die_with_parent", "forbid_programs"):
        monkeypatch.setattr(sandbox, name, lambda: None)
    for name in ("limit", "limit_processor", "confine_writes"):
        monkeypatch.setattr(sandbox, name, lambda *given: None)


def client(messages: list[bytes], answers: list[bytes], n_answers: int) -> tuple[int, threading.Thread]:
    ours, theirs = socket.socketpair()
    connection = Connection(ours.detach())

    def talk() -> None:
        for message in messages:
            connection.send_bytes(message)
        answers.extend(connection.recv_bytes() for _ in range(n_answers))
        connection.close()

    thread = threading.Thread(target=talk)
    thread.start()
    return theirs.detach(), thread


@pytest.mark.usefixtures("free")
def test_a_worker_says_its_version_then_answers_until_the_line_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(worker.SIMULATORS, "library", lambda path, fatal: Echo())
    answers: list[bytes] = []
    request = json.dumps({"text": "x" * 8, "save": ["v(a)"], "alarm": 10.0}).encode()
    descriptor, thread = client([request], answers, 2)
    worker.main("library", "", os.getppid(), descriptor)
    thread.join()
    assert answers == [b"ngspice-0", worker.encode({"v(a)": b"x" * 8}, ["stdout seen"], fatal=False)]
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0.0


@pytest.mark.usefixtures("free")
def test_a_worker_whose_parent_is_gone_ends() -> None:
    answers: list[bytes] = []
    descriptor, thread = client([], answers, 0)
    worker.main("library", "/no/such.so", -1, descriptor)
    thread.join()
    assert answers == []


@pytest.mark.usefixtures("free")
def test_a_fatal_end_is_told_before_it_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    class Over(Exception):
        pass

    def leave(code: int) -> None:
        raise Over

    def fatal_at_once(path: str, fatal: worker.Fatal) -> worker.Simulator:
        fatal(["stderr Error: the end"])

    monkeypatch.setitem(worker.SIMULATORS, "program", fatal_at_once)
    monkeypatch.setattr(worker.os, "_exit", leave)
    answers: list[bytes] = []
    descriptor, thread = client([], answers, 1)
    with pytest.raises(Over):
        worker.main("program", "", os.getppid(), descriptor)
    thread.join()
    assert answers == [worker.encode({}, ["stderr Error: the end"], fatal=True)]


def test_the_log_that_travels_is_short() -> None:
    assert len(worker.encode({}, ["x"] * 10_000, fatal=False)) < 2000


def test_the_kinds_of_ngspice_are_made_lazily() -> None:
    assert worker.SIMULATORS["program"]("/no/such", lambda log: sys.exit()) is not None


def test_a_worker_limits_memory_files_and_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: dict[int, tuple[int, int]] = {}

    def setrlimit(what: int, values: tuple[int, int]) -> None:
        if what == resource.RLIMIT_AS:
            raise ValueError
        limits[what] = values

    monkeypatch.setattr(sandbox, "resource", SimpleNamespace(**{**vars(resource), "setrlimit": setrlimit}))
    sandbox.limit("library")
    assert limits == {
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (1 << 20, 1 << 20),
        resource.RLIMIT_NOFILE: (256, 256),
    }
    sandbox.limit("program")
    assert limits[resource.RLIMIT_FSIZE][0] > 1 << 20


def test_the_kernel_is_asked_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        sandbox.ctypes, "CDLL", lambda name: SimpleNamespace(prctl=lambda *args: calls.append(args))
    )
    monkeypatch.setattr(sandbox, "sys", SimpleNamespace(platform="linux"))
    monkeypatch.setattr(sandbox.platform, "machine", lambda: "x86_64")
    sandbox.die_with_parent()
    sandbox.forbid_programs()
    assert [call[0] for call in calls] == [1, 38, 22]
    monkeypatch.setattr(sandbox, "sys", SimpleNamespace(platform="darwin"))
    sandbox.die_with_parent()
    sandbox.forbid_programs()
    assert len(calls) == 3


def test_an_unknown_machine_has_no_filter() -> None:
    assert sandbox.filter_program("pdp11") == b""
    assert len(sandbox.filter_program("aarch64")) == 10 * 8


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_no_program_starts_from_inside() -> None:
    if not sandbox.filter_program(sandbox.platform.machine()):
        pytest.skip("no filter for this machine")
    code = "import os; from snncircuit.spice import sandbox; sandbox.forbid_programs(); os.execv('/bin/true', ['true'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr


def from_inside(code: str) -> subprocess.CompletedProcess[str]:
    whole = f"import os, socket; from snncircuit.spice import sandbox; {code}"
    return subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_no_connection_opens_from_inside() -> None:
    if not sandbox.filter_program(sandbox.platform.machine()):
        pytest.skip("no filter for this machine")
    done = from_inside("sandbox.forbid_programs(); socket.socket()")
    assert "PermissionError" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
def test_files_are_written_in_one_folder_only_by_whatever_program(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    here = f"held = sandbox.confine_writes({str(inside)!r}); print(held); "
    done = from_inside(
        f"{here} open({str(inside / 'kept')!r}, 'w').write('x'); open(os.devnull, 'w').write('x')"
    )
    if done.stdout.strip() != "True":
        pytest.skip("this kernel has no Landlock")
    assert (inside / "kept").read_text() == "x"
    outside = str(tmp_path / "outside")
    for attempt in (f"open({outside!r}, 'w')", f"os.mkdir({outside!r})", f"os.symlink('/', {outside!r})"):
        assert "PermissionError" in from_inside(here + attempt).stderr
    from_inside(f"{here} os.system('touch {outside}')")
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_a_process_that_only_computes_is_ended() -> None:
    code = "sandbox.limit_processor(0.2)\nwhile True: pass"
    whole = f"from snncircuit.spice import sandbox; {code}"
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGXCPU
