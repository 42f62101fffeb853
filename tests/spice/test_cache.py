import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.errors import CharacterisationError
from snncircuit.spice import cache
from snncircuit.spice.cache import SampleCache, cache_folder, replace_file

WRITER = """
import sys
from pathlib import Path
from snncircuit.spice.cache import SampleCache
store = SampleCache(Path(sys.argv[1]))
for i in range(10**6):
    store.put(f"{sys.argv[2]}{i}", b"x" * 100)
    print(i, flush=True)
"""


@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=20), max_size=1200))
def test_what_was_kept_is_found_and_nothing_else(kept: dict[str, bytes]) -> None:
    with SampleCache(Path(":memory:")) as store:
        for key, value in kept.items():
            store.put(key, value)
        assert store.get_many([*kept, "absent key", *kept]) == kept


def test_the_last_value_stays_after_closing(tmp_path: Path) -> None:
    with SampleCache(tmp_path / "new" / "s.sqlite") as store:
        store.put("a", b"1")
        store.put("a", b"2")
    with SampleCache(tmp_path / "new" / "s.sqlite") as store:
        assert store.get_many(["a"]) == {"a": b"2"}


def test_two_writers_killed_at_any_moment_lose_nothing_they_reported(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE, text=True)
        for name in "ab"
    ]
    reported = []
    for name, writer in zip("ab", writers, strict=True):
        assert writer.stdout is not None
        for _ in range(50):
            reported.append(f"{name}{int(writer.stdout.readline())}")
    for writer in writers:
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
    with SampleCache(path) as store:
        assert set(store.get_many(reported)) == set(reported)
        store.put("after", b"")


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(
        CharacterisationError, match=r"s.sqlite: cannot keep samples here \(.*\); expected a file that can be"
    ):
        SampleCache(path)


def test_a_store_of_another_kind_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE samples (x)")
    other.close()
    with SampleCache(path) as store, pytest.raises(CharacterisationError, match="cannot keep samples here"):
        store.put("a", b"")


def test_the_default_file_lies_in_the_cache_folder(own_cache: Path) -> None:
    with SampleCache() as store:
        assert store.path == own_cache / "samples.sqlite"


def test_the_platform_chooses_the_folder_where_the_user_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache.sys, "platform", "linux")
    assert cache_folder() == tmp_path / ".cache" / "snncircuit"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "snncircuit"
    monkeypatch.setattr(cache.sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "snncircuit"


def test_a_file_is_replaced_whole_or_left_alone(tmp_path: Path) -> None:
    replace_file(tmp_path / "new" / "a", b"1")
    replace_file(tmp_path / "new" / "a", b"2")
    assert (tmp_path / "new" / "a").read_bytes() == b"2"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a"]
    replace_file(tmp_path / "new" / "a" / "below", b"3")
    assert (tmp_path / "new" / "a").read_bytes() == b"2"


def test_a_file_that_stays_locked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_PATIENCE", 0.1)
    path = tmp_path / "s.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CharacterisationError, match="database is locked"):
        SampleCache(path)
    other.execute("COMMIT")
    SampleCache(path).close()
    other.close()
