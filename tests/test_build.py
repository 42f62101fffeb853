"""What pip makes of the checkout; that the kernel is built where there is a compiler is in tests/network/event."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import snncircuit
from snncircuit.shipped import KINDS

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shipped() -> set[str]:
    found = (path for kind in KINDS.values() for path in (ROOT / kind.folder).glob(kind.pattern))
    return {str(path.relative_to(ROOT)) for path in found}


@pytest.fixture(scope="module")
def without_compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        ".",
    )
    run(*pip, CXX="/nonexistent/c++")
    return next(folder.glob("*.whl"))


def test_a_wheel_carries_what_ships(without_compiler: Path) -> None:
    names = set(zipfile.ZipFile(without_compiler).namelist())
    assert {f"snncircuit/share/{name}" for name in shipped()} <= names
    assert "snncircuit/py.typed" in names
    assert not [name for name in names if name.endswith((".cpp", ".hpp", ".so", "CMakeLists.txt"))]
    assert {name.split("/")[0] for name in names} == {
        "snncircuit",
        f"snncircuit-{snncircuit.__version__}.dist-info",
    }


def test_without_a_compiler_it_installs_and_says_that_the_kernel_is_missing(
    without_compiler: Path, tmp_path: Path
) -> None:
    assert without_compiler.name.endswith("-py3-none-any.whl")
    zipfile.ZipFile(without_compiler).extractall(tmp_path)
    program = """
        import snncircuit.shipped
        from snncircuit.network import event
        print(snncircuit.shipped.root(), event.available(), event.unavailable_reason(), sep=";")
    """
    found = run(sys.executable, "-c", "\n".join(map(str.strip, program.splitlines())), cwd=tmp_path)
    root, available, reason = found.strip().split(";", 2)
    assert Path(root) == tmp_path / "snncircuit" / "share"
    assert available == "False"
    assert "no C++ compiler" in reason


def test_a_source_package_carries_the_kernel_s_sources_and_nothing_that_was_built(tmp_path: Path) -> None:
    make = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"
    run(sys.executable, "-c", make, tmp_path)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    source = ROOT / "snncircuit" / "network" / "event" / "src"
    sources = {
        path
        for pattern in ("*.cpp", "*.hpp", "CMakeLists.txt", ".clang-format")
        for path in source.glob(pattern)
    }
    assert {name for name in names if "/event/src/" in name} == {
        str(path.relative_to(ROOT)) for path in sources
    }
    assert not [name for name in names if name.endswith((".so", ".o", ".a"))]
    assert shipped() <= names
    assert not [name for name in names if name.startswith((".ci", ".venv", "docs"))]


@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler")
def test_the_generic_code_uses_no_intrinsics_so_that_any_processor_can_have_it() -> None:
    source = ROOT / "snncircuit" / "network" / "event" / "src" / "image.cpp"
    seen = run("c++", "-E", "-std=c++17", "-DSNN_ISA=generic", source)
    assert "intrin.h" not in seen
    assert "__builtin_ia32" not in seen
