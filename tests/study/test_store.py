import json
from pathlib import Path

import pytest

from snncircuit.errors import SimulationError
from snncircuit.study.store import PointStore

SETTINGS = {"network": "small", "steps": 10, "v_dd": None}


def test_a_point_comes_back_as_it_was_put(tmp_path: Path) -> None:
    point = {"v_neg": -0.1, "layers": {"conv1": [1.0, 1e-300, -0.0]}, "none": None}
    PointStore.open(tmp_path / "s", SETTINGS).put("one", point)
    again = PointStore.open(tmp_path / "s", SETTINGS)
    assert again.get("one") == point
    assert again.get("two") is None


def test_a_write_that_was_killed_leaves_no_point(tmp_path: Path) -> None:
    store = PointStore.open(tmp_path / "s", SETTINGS)
    (tmp_path / "s" / "point one.json.123.part").write_text('{"v_neg": ')
    assert store.get("one") is None


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    PointStore.open(tmp_path / "s", SETTINGS)
    with pytest.raises(SimulationError) as caught:
        PointStore.open(tmp_path / "s", {**SETTINGS, "steps": 20, "seed": 1})
    expected = (
        f"{tmp_path / 's'} holds a sweep with other settings (steps is 10 there, 20 here; "
        "seed is None there, 1 here); choose another folder or delete it"
    )
    assert str(caught.value) == expected


def test_a_folder_with_something_else_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(
        SimulationError, match=r"is no sweep: expected a folder with settings\.json, an empty one or none"
    ):
        PointStore.open(tmp_path, SETTINGS)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    PointStore.open(tmp_path, SETTINGS).put("one", {})
    assert PointStore.open(tmp_path, SETTINGS).get("one") == {}


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    PointStore.open(tmp_path / "s", SETTINGS)
    path = tmp_path / "s" / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(SimulationError, match=r"sweep schema 99; this version of snncircuit reads schema 1"):
        PointStore.open(tmp_path / "s", SETTINGS)


@pytest.mark.parametrize(
    ("content", "message"), [("{", r"cannot be read as JSON"), ("[1]", r"holds list, expected an object")]
)
def test_a_damaged_point_is_refused_with_what_to_do(tmp_path: Path, content: str, message: str) -> None:
    store = PointStore.open(tmp_path / "s", SETTINGS)
    (tmp_path / "s" / "point one.json").write_text(content)
    with pytest.raises(SimulationError, match=rf"point one\.json {message}.*delete it to compute it again"):
        store.get("one")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SimulationError, match=r"cannot write .*file.s.settings\.json: Not a directory"):
        PointStore.open(tmp_path / "file" / "s", SETTINGS)
