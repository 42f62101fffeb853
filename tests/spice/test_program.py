import os
import struct
from pathlib import Path

import pytest

from snncircuit.spice.program import Program, read_raw

VARIABLES = "\t0\ttime\ttime\n\t1\tv(a)\tvoltage\n"
HEAD = f"Title: t\nPlotname: Transient Analysis\nFlags: real\nNo. Variables: 2\nNo. Points: 3\nVariables:\n{VARIABLES}Binary:\n"
BODY = struct.pack("6d", 0.0, 1.0, 0.5, 2.0, 1.0, 3.0)
RAW = HEAD.encode() + BODY


def test_a_raw_file_gives_its_columns() -> None:
    assert read_raw(RAW) == {
        "time": struct.pack("3d", 0.0, 0.5, 1.0),
        "v(a)": struct.pack("3d", 1.0, 2.0, 3.0),
    }


@pytest.mark.parametrize("length", range(0, len(RAW), 7))
def test_a_truncated_raw_file_gives_nothing(length: int) -> None:
    assert read_raw(RAW[:length]) == {}


def test_a_complex_plot_gives_nothing() -> None:
    assert read_raw(RAW.replace(b"Flags: real", b"Flags: complex")) == {}


def script(tmp_path: Path, body: str) -> str:
    path = tmp_path / "ngspice"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_the_program_answers_what_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept").write_bytes(RAW)
    program = Program(
        script(tmp_path, 'echo "Note: $1 $2"; test -z "$4" || cp kept "$4"'), harden=lambda: None
    )
    vectors, log = program.simulate("* a deck\n.end\n", ("v(a)", "v(b)"))
    assert set(vectors) == {"time", "v(a)"}
    assert log == ["Note: -n -b"]
    assert program.version().strip() == "Note: --version"


def test_a_result_of_the_last_deck_is_no_result_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept").write_bytes(RAW)
    Program(script(tmp_path, 'cp kept "$4"'), harden=lambda: None).simulate("", ("v(a)",))
    vectors, _ = Program(script(tmp_path, "true"), harden=lambda: os.umask(0o77)).simulate("", ("v(a)",))
    assert vectors == {}
