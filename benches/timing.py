"""Times rivals side by side on a machine that is never quiet, and says what came of it.

All rivals of a race run once in every round, and each round starts with the next one of them, so that what else the machine does
falls on all alike. Ratios are taken within a round, then the median over rounds: a slow minute cancels. Process CPU time is taken
on one thread, wall time on all threads.
"""

from __future__ import annotations

import argparse
import json as json_module
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LEAST_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took, in seconds. A rival that lives in another process returns its own; others are clocked here."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and quartiles of the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one value a round."""
        if len(values) == 1:
            return cls(median=values[0], low=values[0], high=values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median=median, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times faster one rival is than another: by CPU time on one thread, by wall time on all threads."""

    cpu: Spread
    wall: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Seconds of every rival in every round.

    Attributes:
        work: units of work that one run of each rival does (image·steps, neuron·steps, points).
        cpu: process CPU time on one thread.
        wall: wall time on all threads.
        threads: how many those were.
    """

    work: Mapping[str, float]
    cpu: Mapping[str, Sequence[float]]
    wall: Mapping[str, Sequence[float]]
    threads: int

    def speed(self, name: str, *, over: str) -> Ratio:
        """Speed of one rival over that of another; swap the names for a ratio of costs."""
        share = self.work[name] / self.work[over]
        return Ratio(
            cpu=Spread.of([share * b / a for a, b in zip(self.cpu[name], self.cpu[over], strict=True)]),
            wall=Spread.of([share * b / a for a, b in zip(self.wall[name], self.wall[over], strict=True)]),
        )

    def fastest(self, names: Sequence[str]) -> str:
        """The one of these with the least CPU time for its work."""
        return min(names, key=lambda name: statistics.median(self.cpu[name]) / self.work[name])

    def rate(self, name: str, clock: str = "cpu") -> Spread:
        """Units of work a second, by ``cpu`` on one thread or ``wall`` on all."""
        seconds = {"cpu": self.cpu, "wall": self.wall}[clock][name]
        return Spread.of([self.work[name] / value for value in seconds])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a bench says: races by title, ratios by key, notes under the table, facts that only the JSON object has."""

    bench: str
    unit: str
    races: Mapping[str, Race]
    ratios: Mapping[str, Ratio]
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints; ``ratios`` are medians by CPU time on one thread."""
        return {
            "bench": self.bench,
            "machine": machine(),
            "unit": self.unit,
            "ratios": {key: ratio.cpu.median for key, ratio in self.ratios.items()},
            "ratios_wall": {key: ratio.wall.median for key, ratio in self.ratios.items()},
            "ratios_spread": {key: asdict(ratio) for key, ratio in self.ratios.items()},
            "rates": {
                title: {
                    name: {"cpu": asdict(race.rate(name, "cpu")), "wall": asdict(race.rate(name, "wall"))}
                    for name in race.work
                }
                for title, race in self.races.items()
            },
            "rounds": {title: len(next(iter(race.cpu.values()))) for title, race in self.races.items()},
            "notes": list(self.notes),
            **self.facts,
        }


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with what every bench understands."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--quick", action="store_true", help="the same comparison in under a minute")
    return parser


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def torch_threads(threads: int) -> None:
    """Set the threads of torch, and with it those of every engine here."""
    import torch

    torch.set_num_threads(threads)


def race(
    rivals: Mapping[str, Callable[[], object]],
    *,
    work: float | Mapping[str, float],
    seconds: float,
    threads: int | None = None,
    set_threads: Callable[[int], object] = torch_threads,
) -> Race:
    """Run all rivals in turn, first on one thread, then on all, after one run of each that is not timed.

    Args:
        rivals: name to what runs it once; one that returns a ``Cost`` is believed, others are clocked.
        work: units of work of one run, for all or by name.
        seconds: to spend; at least three rounds on each number of threads are run whatever they take.
        threads: what all threads are; the cores of the machine for None.
        set_threads: called with a number of threads before the rounds on them.
    """
    many = threads or cores()
    by_name = dict(work) if isinstance(work, Mapping) else dict.fromkeys(rivals, float(work))
    spent: dict[int, dict[str, list[Cost]]] = {}
    for count in dict.fromkeys((1, many)):
        set_threads(count)
        for run in rivals.values():
            run()
        spent[count] = rounds(rivals, seconds / 2)
    return Race(
        work=by_name,
        cpu={name: [cost.cpu for cost in costs] for name, costs in spent[1].items()},
        wall={name: [cost.wall for cost in costs] for name, costs in spent[many].items()},
        threads=many,
    )


def rounds(rivals: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, list[Cost]]:
    """Costs of each rival, one of every round; each round starts with the next rival."""
    names = list(rivals)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    until = time.perf_counter() + seconds
    number = 0
    while number < LEAST_ROUNDS or time.perf_counter() < until:
        first = number % len(names)
        number += 1
        for name in names[first:] + names[:first]:
            costs[name].append(clock(rivals[name]))
    return costs


def clock(run: Callable[[], object]) -> Cost:
    """Seconds of one run: what it says itself, or else process CPU and wall time here."""
    cpu, wall = time.process_time(), time.perf_counter()
    told = run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return told if isinstance(told, Cost) else Cost(cpu=cpu, wall=wall)


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    told = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    models = [line.split(":", 1)[1].strip() for line in told if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def show(report: Report, *, json: bool) -> None:
    """Print the table, or the JSON object alone."""
    if json:
        print(json_module.dumps(report.to_json(), indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    def table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, Spread, Spread]]) -> None:
        drawn = Table(title=f"{report.bench}: {title} (quartiles)")
        for heading in ("", *columns):
            drawn.add_column(heading, justify="right" if heading else "left", no_wrap=not heading)
        for name, cpu, wall in rows:
            drawn.add_row(name, _range(cpu), _range(wall))
        console.print(drawn)

    console = Console()
    cpu = "one thread, CPU time"
    for title, held in report.races.items():
        rates = ((name, held.rate(name, "cpu"), held.rate(name, "wall")) for name in held.work)
        table(f"{title}, {report.unit}", (cpu, f"{held.threads} threads, wall time"), rates)
    if report.ratios:
        ratios = ((key, ratio.cpu, ratio.wall) for key, ratio in report.ratios.items())
        table("ratios", (cpu, "all threads, wall time"), ratios)
    for note in report.notes:
        console.print(note, markup=False, highlight=False)


def _range(spread: Spread) -> str:
    return f"{_short(spread.median)} ({_short(spread.low)}–{_short(spread.high)})"


def _short(value: float) -> str:
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{digits}f}"
