import re
import shutil
import sys
from collections.abc import Iterator

import pytest

from snncircuit.errors import SimulationError
from snncircuit.network import event

KERNEL = "snncircuit.network.event._kernel"
SETS = ("generic", "avx2", "avx512")


def usable() -> list[str]:
    # The message for a set that no build has lists those that are there.
    with pytest.raises(SimulationError) as caught:
        event.simd()
    return re.findall(r"\w+", str(caught.value).partition(" has ")[2])


def test_where_there_is_a_compiler_there_is_a_kernel() -> None:
    if not event.available():
        assert not any(shutil.which(name) for name in ("c++", "g++", "clang++")), event.unavailable_reason()
        pytest.skip(event.unavailable_reason())
    assert event.unavailable_reason() == ""


@pytest.mark.skipif(not event.available(), reason=event.unavailable_reason())
class TestInstructionSets:
    def test_an_unknown_one_is_answered_with_what_there_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SNNCIRCUIT_SIMD", "sse9")
        with pytest.raises(SimulationError, match=r"SNNCIRCUIT_SIMD is 'sse9'; .* has generic"):
            event.simd()

    def test_each_can_be_chosen_and_the_widest_runs_unasked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SNNCIRCUIT_SIMD", "none of them")
        there = usable()
        assert there == [name for name in SETS if name in there]
        for name in there:
            monkeypatch.setenv("SNNCIRCUIT_SIMD", name)
            assert event.simd() == name
        monkeypatch.delenv("SNNCIRCUIT_SIMD")
        assert event.simd() == there[-1]
        monkeypatch.setenv("SNNCIRCUIT_SIMD", "")
        assert event.simd() == there[-1]


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    event.unavailable_reason.cache_clear()
    yield monkeypatch
    event.unavailable_reason.cache_clear()


def test_without_the_kernel_the_reason_says_what_to_install(no_kernel: pytest.MonkeyPatch) -> None:
    no_kernel.setitem(sys.modules, KERNEL, None)
    assert not event.available()
    assert "no C++ compiler" in event.unavailable_reason()
    with pytest.raises(SimulationError, match="make kernel"):
        event.simd()


def test_a_kernel_that_cannot_be_loaded_is_told_with_its_cause(no_kernel: pytest.MonkeyPatch) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == KERNEL:
                raise ImportError("libstdc++.so.6: version not found")

    no_kernel.delitem(sys.modules, KERNEL, raising=False)
    no_kernel.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    assert event.unavailable_reason().endswith("cannot be loaded: libstdc++.so.6: version not found")
