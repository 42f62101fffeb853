"""Points per second of a characterisation: persistent workers against one ngspice process for each point.

python benches/characterise.py [--quick] [--json]

A point is one simulation of one step of a neuron. The points are drawn from those that the characterisation of a shipped neuron
asks for (vdd 1.8 V, vneg -0.9 V or its lowest, 27 degC, tt; firing edges, nodes, held-out steps), its shipped table answering.
Everything is counted from the drive to the sample: deck, ngspice, waveforms read, sample kept. Three ways, the same decks:

workers            `snncircuit characterise`: libngspice in worker processes that live for thousands of points
process per point  a fresh `ngspice -b` for each point, OpenMP pinned to one thread, as many at once as there are threads
stock process      the same with ngspice's own threads, one process after another, since each already takes two cores (not --quick)

The start of a worker is not counted; it is printed under the table.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import processes
import timing
from timing import Cost, Race

from snncircuit import lookup, shipped
from snncircuit.characterise.cell import NeuronCell, load_cell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample, deck, read, sources
from snncircuit.characterise.experiment import experiment
from snncircuit.characterise.run import Laboratory
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.cards import ModelCards, load_models
from snncircuit.spice.deck import Deck
from snncircuit.spice.engine import EnginePool
from snncircuit.table import OperatingTable, TransferTable

NEURONS = ("nmp_clocked", "nmp", "nmp_simple", "zmp")
QUICK = ("nmp_clocked", "zmp")
WORKERS, PROCESS, STOCK = "workers", "process per point", "stock process"
TOLERANCE = 1e-6
"""Largest difference of a sample: of the membrane in thresholds, of each energy in threshold charges times v_dd."""
V_DD, V_NEG, TEMPERATURE, CORNER = 1.8, -0.9, 27.0, "tt"


@dataclass(slots=True)
class Workers:
    """The pool in use; what its processes take is read from their own clocks."""

    threads: int = 1
    pool: EnginePool = field(default_factory=EnginePool)

    def on(self, threads: int) -> None:
        """Take as many workers."""
        self.pool.close()
        self.threads, self.pool = threads, EnginePool(jobs=threads)

    def seconds(self) -> float:
        """CPU time of the workers so far."""
        return sum(map(processes.seconds_of, self.pool.pids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Neuron:
    """A neuron, where it is measured, and some of the drives that its table takes."""

    cell: NeuronCell
    cards: ModelCards
    point: OperatingPoint
    drives: list[Drive]
    points: int
    threshold: float
    charge: float

    def decks(self) -> list[Deck]:
        """One for each drive."""
        return [deck(self.cell, self.cards, self.point, d) for d in self.drives]


def neuron(name: str, n_drives: int) -> Neuron:
    """A shipped neuron with a random part of its characterisation."""
    cell = load_cell(shipped.find("netlist", name))
    assert cell.models is not None
    point = OperatingPoint(
        corner=CORNER, temperature=TEMPERATURE, v_dd=V_DD, v_neg=max(V_NEG, cell.range.v_neg[0])
    )
    whole = TransferTable.load(shipped.find("neuron", name))
    table = whole.at(corner=CORNER, temperature=TEMPERATURE, v_dd=V_DD, v_neg=point.v_neg)
    asked = drives_of(cell, point, table)
    chosen = np.random.default_rng(0).choice(len(asked), n_drives, replace=False)
    return Neuron(
        cell=cell,
        cards=load_models(cell.models, CORNER),
        point=point,
        drives=[asked[k] for k in chosen],
        points=len(asked),
        threshold=table.figures["threshold"],
        charge=table.figures["threshold_charge"],
    )


def drives_of(cell: NeuronCell, point: OperatingPoint, table: OperatingTable) -> list[Drive]:
    """All that the experiment asks when the table answers for ngspice."""
    charge, volts = table.figures["threshold_charge"], table.figures["threshold"]
    empty = np.zeros((len(sources(cell, point)), 0))

    def answer(drive: Drive) -> Sample:
        v, spikes, energy = [(drive.v_mem - table.rest) / volts], [], [empty]
        for exc, inh in zip(drive.q_exc, drive.q_inh, strict=True):
            step = lookup.step(table, v[-1:], [exc / charge], [inh / charge])
            v.append(float(step.v_mem[0]))
            spikes.append(int(step.spikes[0]))
            energy.append(step.energy)
        return Sample(
            v_mem=tuple(table.rest + volts * x for x in v),
            spikes=tuple(spikes),
            energy=tuple(map(tuple, np.concatenate(energy, axis=1).tolist())),
        )

    running, asked = experiment(cell, point), list[Drive]()
    wave = next(running)
    while True:
        asked += wave
        try:
            wave = running.send([answer(drive) for drive in wave])
        except StopIteration:
            return asked


def by_workers(of: Neuron, workers: Workers) -> tuple[list[Sample], Cost]:
    """As ``snncircuit characterise`` does it, with an empty cache."""
    with (
        tempfile.TemporaryDirectory(prefix="snncircuit-bench-") as folder,
        SampleCache(Path(folder) / "samples.sqlite") as cache,
    ):
        laboratory = Laboratory(cell=of.cell, cards={CORNER: of.cards}, pool=workers.pool, cache=cache)
        cpu, wall = time.process_time() + workers.seconds(), time.perf_counter()
        samples = dict(laboratory.answer([(of.point, drive) for drive in of.drives]))
        cpu = time.process_time() + workers.seconds() - cpu
        cost = Cost(cpu=cpu, wall=time.perf_counter() - wall)
    return [samples[k] for k in range(len(samples))], cost


def by_processes(
    of: Neuron, at_once: int, environment: Mapping[str, str] = processes.PINNED
) -> tuple[list[Sample], Cost]:
    """One fresh process for each point."""
    cpu, wall = time.process_time(), time.perf_counter()
    waves, cost = processes.simulate(of.decks(), at_once=at_once, environment=environment)
    samples = [read(of.cell, of.point, d, w) for d, w in zip(of.drives, waves, strict=True)]
    cpu = time.process_time() - cpu + cost.children
    return samples, Cost(cpu=cpu, wall=time.perf_counter() - wall)


def difference(of: Neuron, ours: list[Sample], theirs: list[Sample]) -> float:
    """Largest difference of two ways; ends the bench when spikes differ."""
    largest = 0.0
    for a, b in zip(ours, theirs, strict=True):
        if a.failure is not None or a.spikes != b.spikes:
            raise SystemExit(f"{of.cell.name}: the ways differ: {a.failure or (a.spikes, b.spikes)}")
        volts = np.abs(np.subtract(a.v_mem, b.v_mem)).max() / of.threshold
        joules = np.abs(np.subtract(a.energy, b.energy)).max() / (of.charge * of.point.v_dd)
        largest = max(largest, float(volts), float(joules))
    return largest


def before_transient(of: Neuron) -> float:
    """Share of a process's CPU time that its start, the parsing and the operating point take."""
    whole = processes.simulate(of.decks(), at_once=1, environment=processes.PINNED)[1]
    short = [replace(d, tran=replace(d.tran, stop=1e-3 * d.tran.max_step)) for d in of.decks()]
    return processes.simulate(short, at_once=1, environment=processes.PINNED)[1].cpu / whole.cpu


def ways_of(of: Neuron, workers: Workers) -> dict[str, Callable[[], Cost]]:
    """What simulates the neuron's points once."""
    return {
        WORKERS: lambda: by_workers(of, workers)[1],
        PROCESS: lambda: by_processes(of, workers.threads)[1],
        STOCK: lambda: by_processes(of, 1, processes.STOCK)[1],
    }


def all_tables(neurons: Mapping[str, Neuron], races: Mapping[str, Race]) -> Race:
    """The seconds that the tables of all neurons take at one operating point, from their parts."""

    def total(clock: str) -> dict[str, list[float]]:
        rows: dict[str, list[list[float]]] = {}
        for title, held in races.items():
            seconds = held.cpu if clock == "cpu" else held.wall
            for way, spent in seconds.items():
                share = neurons[title].points / held.work[way]
                rows.setdefault(way, []).append([share * s for s in spent])
        return {way: [sum(parts) for parts in zip(*lists, strict=False)] for way, lists in rows.items()}

    first = next(iter(races.values()))
    points = float(sum(n.points for n in neurons.values()))
    return Race(
        work=dict.fromkeys(first.work, points), cpu=total("cpu"), wall=total("wall"), threads=first.threads
    )


def main() -> None:
    """Race all ways on all neurons."""
    given = timing.arguments(__doc__).parse_args()
    names, n_drives, seconds = (QUICK, 2, 2.0) if given.quick else (NEURONS, 6, 20.0)
    workers = Workers()
    neurons = {name: neuron(name, n_drives) for name in names}
    races: dict[str, Race] = {}
    facts: dict[str, dict[str, float]] = {"difference": {}, "before_transient": {}, "points": {}}
    notes = []
    for name, of in neurons.items():
        ways = ways_of(of, workers)
        if given.quick:
            del ways[STOCK]
        facts["difference"][name] = difference(of, by_workers(of, workers)[0], by_processes(of, 1)[0])
        facts["before_transient"][name] = before_transient(of)
        facts["points"][name] = of.points
        races[name] = timing.race(ways, work=n_drives, seconds=seconds, set_threads=workers.on)
        notes.append(
            f"{name}: same samples to {facts['difference'][name]:.1e}; before the transient begins a process has spent "
            f"{facts['before_transient'][name]:.0%} of its time."
        )
    with EnginePool() as fresh:
        fresh.run(next(iter(neurons.values())).decks()[0])
        start = sum(map(processes.seconds_of, fresh.pids))
    notes.append(f"A worker starts in {start:.2f} s and lives for thousands of points.")
    workers.pool.close()
    if (worst := max(facts["difference"].values())) > TOLERANCE:
        raise SystemExit(f"the ways differ by {worst:.1e}; expected at most {TOLERANCE:g}")
    together = all_tables(neurons, races)
    ratios: dict[str, timing.Ratio] = {}
    for suffix, held in {"": together, **{f"_{name}": race for name, race in races.items()}}.items():
        ratios[f"vs_one_process_per_point{suffix}"] = held.speed(WORKERS, over=PROCESS)
        if STOCK in held.work:
            ratios[f"vs_stock_process_per_point{suffix}"] = held.speed(WORKERS, over=STOCK)
    report = timing.Report(
        bench="characterise",
        unit="points/s",
        races={**races, "all tables": together},
        ratios=ratios,
        notes=notes,
        facts=facts,
    )
    timing.show(report, json=given.json)


if __name__ == "__main__":
    main()
