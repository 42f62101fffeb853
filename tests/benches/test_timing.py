"""Rivals take turns, ratios are taken within a round, and the JSON object says them by name."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import timing

BENCHES = Path(timing.__file__).parent
SCRIPTS = sorted(path for path in BENCHES.glob("*.py") if "def main(" in path.read_text())


def cost(seconds: float) -> timing.Cost:
    return timing.Cost(cpu=seconds, wall=2 * seconds)


def test_each_round_runs_every_rival_once_and_starts_with_the_next() -> None:
    order: list[str] = []
    rivals = {name: (lambda name=name: order.append(name)) for name in "abc"}
    timing.rounds(rivals, seconds=0.0)
    assert order == [*"abc", *"bca", *"cab"]


def test_a_rival_that_tells_its_cost_is_believed_and_others_are_clocked() -> None:
    assert timing.clock(lambda: cost(5.0)) == cost(5.0)
    assert 0 <= timing.clock(lambda: None).wall < 5.0


def test_a_race_runs_on_one_thread_and_then_on_all() -> None:
    told: list[int] = []
    race = timing.race({"a": lambda: cost(1.0)}, work=3, seconds=0.0, threads=4, set_threads=told.append)
    assert told == [1, 4]
    assert race.rate("a").median == 3.0
    assert race.rate("a", "wall").median == 1.5


def test_a_slow_round_that_slows_all_alike_leaves_the_ratio() -> None:
    quiet, busy = [1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 9.0, 1.0, 7.0, 8.0]
    times = {"ours": busy, "theirs": [6 * b * q for b, q in zip(busy, quiet, strict=True)]}
    race = timing.Race(work={"ours": 2.0, "theirs": 4.0}, cpu=times, wall=times, threads=2)
    speed = race.speed("ours", over="theirs")
    assert (speed.cpu.low, speed.cpu.median, speed.wall.high) == (3.0, 3.0, 3.0)
    assert race.speed("theirs", over="ours").cpu.median == pytest.approx(1 / 3)
    assert race.fastest(["theirs", "ours"]) == "ours"


def test_json_is_one_object_with_the_ratios_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    times = {"ours": [1.0, 2.0], "theirs": [4.0, 8.0]}
    race = timing.Race(work=dict.fromkeys(times, 1.0), cpu=times, wall=times, threads=2)
    ratios = {"ours_vs_theirs": race.speed("ours", over="theirs")}
    report = timing.Report(bench="b", unit="u/s", races={"r": race}, ratios=ratios, facts={"more": 1})
    timing.show(report, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["ratios"] == {"ours_vs_theirs": 4.0}
    assert told["ratios_wall"] == {"ours_vs_theirs": 4.0}
    assert set(told["rates"]["r"]) == {"ours", "theirs"}
    assert told["machine"]["cores"] >= 1
    assert told["more"] == 1
    timing.show(report, json=False)
    assert "ours_vs_theirs" in capsys.readouterr().out


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_bench_answers_help(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"bench_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out
