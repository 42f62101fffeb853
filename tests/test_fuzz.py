"""A small share of what `scripts/fuzz` does by the hundred."""

import importlib
import random
from pathlib import Path

import pytest

KINDS = sorted(path.stem for path in (Path(__file__).parent / "fuzzing").glob("*.py"))


@pytest.mark.parametrize("kind", KINDS)
def test_each_trial_comes_to_a_right_end(kind: str, tmp_path: Path) -> None:
    module = importlib.import_module(f"tests.fuzzing.{kind}")
    for i in range(module.SHARE):
        folder = tmp_path / str(i)
        folder.mkdir()
        assert module.trial(random.Random(f"{kind} 1 {i}"), folder)
