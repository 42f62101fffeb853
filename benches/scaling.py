"""How the event engine's cost grows with spikes, images, steps and threads, and what memory it takes.

    python benches/scaling.py [--quick] [--long] [--json]

CPU time on one thread is fitted as a line over the spikes of a run (networks calibrated to each activity), over the images and over
the steps; R² and the intercept say how straight each line is. Threads: wall time on one over wall time on all. Memory: the peak of a
fresh process with one image in flight and with several (one image a thread). ``--long`` runs 10,000 images for 1,000 steps through the
shipped mnist-cnn and watches the memory; otherwise the same run is made smaller.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timing
import torch
import workload
from circuit_neurons import LOWEST, table_neuron

from snncircuit import shipped
from snncircuit.network.convert import load_spiking
from snncircuit.network.simulate import simulate
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.study.datasets import load

ACTIVITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
REPEATS = 9
QUICK_REPEATS = 3
IN_FLIGHT = 4
LONG = (10_000, 1_000)
"""Images and steps of the long run."""
SHORTER = (400, 50)
PEAK_UNIT = 1024 if sys.platform != "darwin" else 1  # ru_maxrss is in KiB, on macOS in bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """CPU seconds fitted as ``intercept + slope * x``; the intercept's share is of the time of the largest x."""

    x: Sequence[float]
    seconds: Sequence[float]
    slope: float
    intercept: float
    r2: float
    intercept_share: float

    @classmethod
    def through(cls, x: Sequence[float], seconds: Sequence[float]) -> Line:
        """Least squares."""
        slope, intercept = np.polyfit(x, seconds, 1)
        rest = np.asarray(seconds) - (slope * np.asarray(x) + intercept)
        return cls(
            x=list(x),
            seconds=list(seconds),
            slope=float(slope),
            intercept=float(intercept),
            r2=float(1 - rest.var() / np.var(seconds)),
            intercept_share=float(intercept / max(seconds)),
        )

    def said(self, unit: str) -> str:
        """One sentence."""
        return f"{self.slope * 1e9:.3g} ns a {unit}, R² {self.r2:.4f}, intercept {self.intercept_share:+.1%} of the largest"


def least(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Least CPU time of each run on one thread; the runs take turns."""
    timing.torch_threads(1)
    for run in runs.values():
        run()
    taken = [{name: timing.clock(run).cpu for name, run in runs.items()} for _ in range(repeats)]
    return {name: min(costs[name] for costs in taken) for name in runs}


def over_activity(name: str, images: int, steps: int, repeats: int, engine: str) -> dict[str, Line]:
    """Cost over spikes, of ideal and of circuit neurons."""
    lines = {}
    drawn = workload.untrained(name)
    works = [
        workload.build(name, images=images, steps=steps, activity=activity, drawn=drawn)
        for activity in ACTIVITIES
    ]
    for kind, neuron in (("ideal", IdealNeuron(v_lb=LOWEST)), ("circuit", table_neuron())):
        runs = {str(n): workload.runner(work, neuron, engine) for n, work in enumerate(works)}
        spikes = [sum(tally.spikes for tally in run().tallies.values()) for run in runs.values()]
        lines[kind] = Line.through(spikes, list(least(dict(runs), repeats).values()))
    return lines


def over_size(name: str, images: int, steps: int, repeats: int, engine: str) -> dict[str, Line]:
    """Cost over images and over steps, of circuit neurons."""
    sizes = {
        "images": [(images * n, steps) for n in (1, 2, 4, 8)],
        "steps": [(images, steps * n) for n in (1, 2, 4, 8)],
    }
    network = workload.build(name, images=1, steps=steps).network
    lines = {}
    for axis, pairs in sizes.items():
        works = [
            workload.Workload(name=name, network=network, images=workload.pictures(name, n), steps=t)
            for n, t in pairs
        ]
        runs = {str(n): workload.runner(work, table_neuron(), engine) for n, work in enumerate(works)}
        x = [float(pair[axis == "steps"]) for pair in pairs]
        lines[axis] = Line.through(x, list(least(dict(runs), repeats).values()))
    return lines


def over_threads(name: str, images: int, steps: int, seconds: float, engine: str) -> timing.Race:
    """The same run on one thread and on all; both in wall time."""
    run = workload.runner(workload.build(name, images=images, steps=steps), table_neuron(), engine)

    def on(threads: int) -> Callable[[], timing.Cost]:
        def once() -> timing.Cost:
            timing.torch_threads(threads)
            started = time.perf_counter()
            run()
            wall = time.perf_counter() - started
            return timing.Cost(cpu=wall, wall=wall)

        return once

    many = timing.cores()
    rivals = {"one thread": on(1), f"{many} threads": on(many)}
    return timing.race(rivals, work=images * steps, seconds=seconds, set_threads=lambda count: None)


def memory_in_flight(name: str, steps: int, engine: str) -> float:
    """Bytes of peak memory for each further image in flight."""
    peaks = {}
    for threads in (1, IN_FLIGHT):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
            peaks[threads] = fresh.submit(_peak, name, steps, threads, engine).result()
    return (peaks[IN_FLIGHT] - peaks[1]) / (IN_FLIGHT - 1)


def _peak(name: str, steps: int, threads: int, engine: str) -> float:
    """Most memory of this process during a run of as many images at once as threads."""
    work = workload.build(name, images=IN_FLIGHT, steps=steps)
    run = workload.runner(work, table_neuron(), engine)
    timing.torch_threads(threads)
    run()  # once before: what a network takes to be laid out is not of the images
    seen, done = [_resident()], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            seen.append(_resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    run()
    done.set()
    watcher.join()
    return max(seen)


def watched(images: int, steps: int, engine: str) -> dict[str, float]:
    """A run of the shipped mnist-cnn: resident memory after the first batch, the most seen after it, and its speed."""
    network, _ = load_spiking(shipped.find("network", "mnist-cnn"))
    sample = load("mnist", "test", 1000)
    chosen = torch.arange(images) % len(sample)
    timing.torch_threads(timing.cores())
    seen: list[float] = []
    run = simulate(
        network,
        IdealNeuron(v_lb=LOWEST),
        sample.images[chosen],
        sample.labels[chosen],
        steps=steps,
        engine=engine,
        progress=lambda done, total: seen.append(_resident()),
    )
    return {
        "images": images,
        "steps": steps,
        "after_first_batch_bytes": seen[0],
        "most_bytes": max(seen),
        "growth_bytes": max(seen) - seen[0],
        "image_steps_per_second": run.image_steps_per_second,
        "accuracy": run.by_step[-1],
    }


def _resident() -> float:
    """Bytes of this process in memory now, or the most so far where the system does not say."""
    status = Path("/proc/self/statm")
    if status.is_file():
        return float(status.read_text().split()[1]) * resource.getpagesize()
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * PEAK_UNIT


def main() -> None:
    """Run everything and show it."""
    parser = timing.arguments(__doc__)
    parser.add_argument("--network", default="mnist", choices=list(workload.NETWORKS))
    parser.add_argument("--engine", default="event", help="event or dense")
    parser.add_argument("--long", action="store_true", help="10,000 images for 1,000 steps")
    given = parser.parse_args()
    repeats = QUICK_REPEATS if given.quick else REPEATS
    steps = 16 if given.quick else 64
    spikes = over_activity(given.network, 2, steps, repeats, given.engine)
    sizes = over_size(given.network, 1, steps, repeats, given.engine)
    race = over_threads(given.network, 8, steps, 6 if given.quick else 60, given.engine)
    memory = memory_in_flight(given.network, steps, given.engine)
    long = watched(*(LONG if given.long else SHORTER), given.engine)
    notes = [f"CPU time over spikes, {kind} neurons: {line.said('spike')}" for kind, line in spikes.items()]
    notes += [f"CPU time over {axis}: {line.said(axis[:-1])}" for axis, line in sizes.items()]
    notes += [
        f"peak memory for each further image in flight: {memory / 2**20:.1f} MiB",
        f"mnist-cnn, {long['images']:,} images × {long['steps']:,} steps: {long['after_first_batch_bytes'] / 2**20:.0f} MiB after "
        f"the first batch, at most {long['growth_bytes'] / 2**20:.1f} MiB more later; {long['image_steps_per_second']:,.0f} image·steps/s",
    ]
    one, many = race.work
    facts: dict[str, Any] = {
        "over_spikes": {kind: asdict(line) for kind, line in spikes.items()},
        "over_images": asdict(sizes["images"]),
        "over_steps": asdict(sizes["steps"]),
        "bytes_per_image_in_flight": memory,
        "watched": long,
    }
    timing.show(
        timing.Report(
            bench="scaling",
            unit="image·steps/s of wall time",
            races={given.network: race},
            ratios={"speed_up_on_all_threads": race.speed(many, over=one)},
            notes=notes,
            facts=facts,
        ),
        json=given.json,
    )


if __name__ == "__main__":
    main()
