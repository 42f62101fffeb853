import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from snncircuit.spice import process
from snncircuit.spice.discovery import SELF_TEST, Found
from snncircuit.spice.process import WorkerDiedError, WorkerProcess


def test_a_worker_is_light() -> None:
    code = "import sys, snncircuit.spice.worker; print([m for m in ('torch', 'numpy', 'xarray', 'PySpice') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_program_sees_an_empty_world(
    pretender: Callable[[str], Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", "1")
    monkeypatch.setenv("SPICE_SCRIPTS", "/somewhere")
    seen = pretender('env; pwd; ls -A "$HOME" "$SPICE_SCRIPTS"; cat')
    worker = WorkerProcess("program", seen.path)
    worker.send(SELF_TEST, 10.0)
    answer = worker.receive(10.0)
    worker.close()
    assert answer is not None
    text = "\n".join(answer.log)
    assert "MY_SECRET" not in text
    assert "/somewhere" not in text
    assert "OMP_THREAD_LIMIT=1" in text
    environment = dict(line.split("=", 1) for line in answer.log if "=" in line)
    assert environment["HOME"] in answer.log  # the working folder
    assert set(text.split("scripts:")[-1].split()) == set()


def test_a_worker_gives_no_answer_before_there_is_one(pretender: Callable[[str], Found]) -> None:
    worker = WorkerProcess("program", pretender("sleep 60").path)
    worker.send(SELF_TEST, 10.0)
    assert worker.receive(0.05) is None
    worker.close()


def test_a_worker_that_never_starts_is_told() -> None:
    worker = WorkerProcess("no such kind", "")
    with pytest.raises(WorkerDiedError, match="the ngspice worker ended with exit code 1"):
        worker.version()
    worker.close()


def test_a_worker_that_only_hangs_up_is_told(
    pretender: Callable[[str], Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = WorkerProcess("program", pretender("sleep 60").path)

    def wait(timeout: float | None = None) -> int:
        raise subprocess.TimeoutExpired("", 0.0)

    with monkeypatch.context() as patched:
        patched.setattr(worker._process, "wait", wait)
        assert worker._obituary() == "the ngspice worker closed its connection"
    worker.close()


def test_folders_of_killed_processes_are_swept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (
        f"snncircuit-ngspice-{ended.pid}-x",
        f"snncircuit-ngspice-{os.getpid()}-x",
        "snncircuit-ngspice-me-x",
    ):
        (tmp_path / name).mkdir()
    process._sweep.__wrapped__()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"snncircuit-ngspice-{os.getpid()}-x",
        "snncircuit-ngspice-me-x",
    ]

    def forbidden(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(process.os, "kill", forbidden)
    process._sweep.__wrapped__()
    assert len(list(tmp_path.iterdir())) == 2
