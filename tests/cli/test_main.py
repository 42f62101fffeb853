"""Exit codes, where text goes, and what the help costs."""

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from snncircuit import __version__, cli
from snncircuit.cli import console
from snncircuit.errors import TableError

ALL = {
    "doctor",
    "characterise",
    "inspect",
    "validate",
    "convert",
    "train",
    "run",
    "sweep",
    "demo",
    "audit",
    "new-cell",
    "check-cell",
    "export",
    "whole",
    "mismatch",
    "yield",
    "ladder",
}


def fails_with(error: BaseException) -> click.Command:
    @click.command("fail")
    def fail() -> None:
        raise error

    return fail


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def make(error: BaseException) -> int:
        monkeypatch.setitem(cli.command.commands, "fail", fails_with(error))
        return cli.main(["fail"])

    return make


def test_all_commands_are_there_and_explain_themselves() -> None:
    assert set(cli.command.commands) == ALL
    for name in ALL:
        shown = CliRunner().invoke(cli.command, [name, "--help"])
        assert shown.exit_code == 0
        assert shown.output.startswith("Usage: ")


def test_help_and_import_load_neither_torch_nor_numpy_nor_matplotlib() -> None:
    code = (
        "import sys; from snncircuit.cli import main; main(['--help']); main(['run', '--help']);"
        "heavy = {'torch', 'numpy', 'matplotlib', 'xarray', 'cffi', 'rich.progress'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_a_known_error_is_one_paragraph_on_stderr_and_code_2(
    failing, capsys: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    assert failing(TableError("no table a.nc;\n  expected one")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "snncircuit: no table a.nc; expected one\n"


def test_a_file_that_cannot_be_written_is_told_without_a_traceback(
    failing, capsys: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    assert failing(PermissionError(13, "Permission denied", "/x/y.nc")) == 2
    assert capsys.readouterr().err == "snncircuit: /x/y.nc: Permission denied\n"
    assert failing(OSError("no space")) == 2
    assert capsys.readouterr().err == "snncircuit: the operating system: no space\n"


def test_a_defect_is_not_hidden(failing) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError())


def test_interruption_is_code_130_and_says_what_was_kept(failing, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert failing(console.Interrupted("7 points kept; repeat the command")) == 130
    assert capsys.readouterr().err == "interrupted: 7 points kept; repeat the command\n"
    assert failing(KeyboardInterrupt()) == 130
    assert "nothing was written" in capsys.readouterr().err


def test_resumable_turns_ctrl_c_into_its_text_and_nothing_else() -> None:
    with pytest.raises(console.Interrupted, match="kept"), console.resumable("kept"):
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="mine"), console.resumable("kept"):
        raise ValueError("mine")


@pytest.mark.parametrize(
    "words", [["nonsense"], ["run"], ["characterise", "--vneg", "zero", "x"], ["run", "--bogus"]]
)
def test_wrong_usage_is_code_2_with_text_on_stderr(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: snncircuit" in err


def test_json_is_one_object_and_has_null_where_there_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    console.emit({"a": float("nan"), "b": np.array([1.0, np.inf]), "c": (1, {"d": np.float32(0.5)}), 3: "µ"})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": [1.0, None],
        "c": [1, {"d": 0.5}],
        "3": "µ",
    }


def test_progress_and_remarks_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("measuring") as report:
        report(1, 2)
        report(2, 2)
    console.remark("done")
    out, err = capsys.readouterr()
    assert out == ""
    assert "measuring" in err
    assert err.endswith("done\n")
