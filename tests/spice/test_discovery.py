from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from snncircuit.errors import EngineMissingError
from snncircuit.spice import discovery
from snncircuit.spice.discovery import SELF_TEST, VARIABLE, Found, examine, find_ngspice, probe
from snncircuit.spice.doctor import doctor
from snncircuit.spice.waveforms import Failure, Waveforms

COMMANDS = (
    "apt-get install ngspice libngspice0",
    "dnf install",
    "brew install",
    "conda install -c conda-forge",
)


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    discovery._find.cache_clear()
    yield
    discovery._find.cache_clear()


def test_a_user_may_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "none")
    with pytest.raises(
        EngineMissingError, match="no ngspice: SNNCIRCUIT_NGSPICE=none says to do without"
    ) as caught:
        find_ngspice()
    assert all(command in str(caught.value) for command in COMMANDS)
    assert "\n" not in str(caught.value)


def test_a_wrong_path_is_told_and_nothing_taken_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/no/such/libngspice.so")
    with pytest.raises(
        EngineMissingError,
        match=r"SNNCIRCUIT_NGSPICE names /no/such/libngspice.so, which is no file; expected",
    ):
        find_ngspice()


def test_what_fails_its_self_test_is_told(
    monkeypatch: pytest.MonkeyPatch, pretender: Callable[[str], Found]
) -> None:
    path = pretender("echo Error: no").path
    monkeypatch.setenv(VARIABLE, path)
    with pytest.raises(
        EngineMissingError,
        match=f"tried: {path}: its self-test failed: no transient result .Error: no.; install",
    ):
        find_ngspice()


def test_a_file_that_is_no_library_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "libngspice.so.0"
    path.write_text("no library")
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(
        EngineMissingError, match=r"libngspice.so.0: the ngspice worker ended with exit code 1"
    ):
        find_ngspice()


def test_a_self_test_that_takes_for_ever_is_given_up(
    monkeypatch: pytest.MonkeyPatch, pretender: Callable[[str], Found]
) -> None:
    monkeypatch.setattr(discovery, "_TIMEOUT", 0.2)
    assert probe("program", pretender("sleep 60").path) == Failure(
        reason="its self-test gave no answer within 0.2 s"
    )


def test_an_empty_machine_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path))
    monkeypatch.setattr(discovery, "_FOLDERS", ())
    with pytest.raises(
        EngineMissingError, match="tried: nothing, as no libngspice and no program ngspice exists"
    ):
        find_ngspice()


def test_places_are_searched_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    conda, system, wheel, bin_ = (tmp_path / n for n in ("conda", "system", "site/sedes", "bin"))
    for folder in (conda / "lib", system, wheel / "lib", bin_):
        folder.mkdir(parents=True)
    (conda / "lib" / "libngspice.so").touch()
    (system / "libngspice.so.0").touch()
    (system / "libngspice.so").symlink_to(system / "libngspice.so.0")
    (wheel / "lib" / "libngspice.dylib").touch()
    (bin_ / "ngspice").touch(mode=0o755)
    monkeypatch.setenv("CONDA_PREFIX", str(conda))
    monkeypatch.setenv("PATH", str(bin_))
    monkeypatch.setattr(discovery, "_FOLDERS", (str(tmp_path / "sys*"),))
    spec = SimpleNamespace(origin=str(wheel / "__init__.py"))
    monkeypatch.setattr(discovery.importlib.util, "find_spec", lambda name: spec)
    names = [(kind, str(Path(path).relative_to(tmp_path))) for kind, path in discovery._candidates()]
    assert names == [
        ("library", "conda/lib/libngspice.so"),
        ("library", "system/libngspice.so.0"),
        ("library", "site/sedes/lib/libngspice.dylib"),
        ("program", "bin/ngspice"),
    ]


def test_the_name_of_a_file_tells_library_from_program() -> None:
    kinds = [
        discovery._kind(p)
        for p in ("/x/libngspice.so.0", "/x/libngspice.dylib", "/x.so/ngspice", "ngspice.dll")
    ]
    assert kinds == ["library", "library", "program", "library"]


def sample(trip: float, decay: float) -> Waveforms:
    time = np.linspace(0, 1.5e-6, 1001)
    return Waveforms(
        time=time, signals={"v(a)": np.exp(-time * decay), "v(out)": np.where(time < trip, 1.8, 0.0)}
    )


def test_a_self_test_with_wrong_figures_is_no_self_test() -> None:
    assert isinstance(examine(sample(0.9e-6, 1e6)), str)
    for wrong in (sample(0.8e-6, 1e6), sample(9.0, 1e6), sample(0.9e-6, 1.1e6)):
        told = examine(wrong)
        assert isinstance(told, Failure)
        assert "its self-test gave wrong figures: RC discharge" in told.reason


@pytest.mark.ngspice
def test_what_passed_once_is_not_started_again(
    found: Found, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    first = probe(found.kind, found.path)
    monkeypatch.setattr(discovery, "WorkerProcess", None)
    assert probe(found.kind, found.path) == first
    for spoilt in ("", "[]", '{"a": 1}', "{"):
        (own_cache / "ngspice.json").write_text(spoilt)
        with pytest.raises(TypeError):
            probe(found.kind, found.path)


@pytest.mark.ngspice
def test_the_self_test_passes_here(found: Found) -> None:
    assert "inverter trips after 90" in found.self_test
    assert found.version.startswith("ngspice-")
    assert SELF_TEST.key


@pytest.mark.ngspice
def test_the_doctor_reports_a_healthy_ngspice(found: Found) -> None:
    diagnosis = doctor()
    assert diagnosis.ok
    assert {
        "ngspice": found.version,
        "library": found.path,
        "self_test": found.self_test,
    }.items() <= diagnosis.to_json().items()
    assert f"passed: {found.self_test}" in diagnosis.text()


def test_the_doctor_says_what_to_do_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "none")
    diagnosis = doctor()
    assert not diagnosis.ok
    assert diagnosis.ngspice is diagnosis.library is None
    assert all(command in diagnosis.text() for command in COMMANDS)
