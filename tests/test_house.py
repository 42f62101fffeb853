"""Laws of the house that no other tool checks."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import snncircuit

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "snncircuit"
SOURCES = sorted(PACKAGE.rglob("*.py"))
STARTS_PROCESSES = {
    "engine",
    "process",
    "program",
    "library",
    "worker",
    "discovery",
    "probe",
    "doctor",
    "live",
    "sandbox",
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def modules_importing(names: set[str]) -> set[str]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in SOURCES
        if names & set(imports(path))
    }


def test_gpl_code_is_imported_by_one_module() -> None:
    assert modules_importing({"PySpice"}) <= {"spice.pyspice"}


def test_no_pickle_is_ever_loaded() -> None:
    assert modules_importing({"pickle", "dill", "joblib", "shelve", "marshal"}) == set()
    for path in SOURCES:
        text = path.read_text()
        assert not re.search(r"(?<!safetensors\.)torch\.load\(", text), path
        assert "allow_pickle=True" not in text, path


def test_nothing_is_run_through_a_shell() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "shell":
                assert isinstance(node.value, ast.Constant), path
                assert node.value.value is False, path


def test_within_spice_only_the_engine_starts_processes() -> None:
    found = modules_importing({"subprocess", "multiprocessing", "cffi", "ctypes"})
    assert found <= {f"spice.{name}" for name in STARTS_PROCESSES}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_stays_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250


def test_every_dependency_is_pinned() -> None:
    pinned = {
        line.split("==")[0].lower().replace("-", "_")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    assert {re.split(r"[<>=\[]", name)[0].lower().replace("-", "_") for name in wanted} <= pinned


def test_every_lint_exception_has_its_reason() -> None:
    for path in SOURCES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.search(r"# (noqa|pragma: no cover)(.*)", line)
            if match:
                assert re.search(r" (-|—|–|#) ?\w", match.group(2)), f"{path}:{number}: {line.strip()}"


def test_the_version_is_in_the_changelog() -> None:
    assert f"## {snncircuit.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def ensure_ngspice(path: str, ngspice: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("bash") or "bash", str(ROOT / "scripts" / "ensure-ngspice")],
        env={"PATH": path, "SNNCIRCUIT_NGSPICE": ngspice, "PYTHON": sys.executable},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_installed_where_nothing_is_missing(tmp_path: Path) -> None:
    for name in ("c++", "apt-get"):  # an apt-get that would fail shows that it is not asked
        (tmp_path / name).write_text("#!/bin/false\n")
        (tmp_path / name).chmod(0o755)
    done = ensure_ngspice(str(tmp_path), "/somewhere/libngspice.so")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_cannot_be_installed_is_told_with_the_command_for_each_system(tmp_path: Path) -> None:
    (tmp_path / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    done = ensure_ngspice(str(tmp_path), "")
    assert done.returncode == 1
    assert "the program ngspice" in done.stderr
    assert "a C++ compiler" in done.stderr
    for command in (
        "apt-get install ngspice",
        "dnf install ngspice",
        "brew install ngspice",
        "conda-forge ngspice",
    ):
        assert command in done.stderr


def test_the_public_verbs_are_found_where_they_live_and_others_named() -> None:
    for verb in dir(snncircuit):
        assert getattr(snncircuit, verb).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'; it has __version__, load_cell"):
        _ = snncircuit.nonsense
