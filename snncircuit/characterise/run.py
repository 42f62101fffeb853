"""Runs experiments: many operating points at once over one pool of simulators, every finished sample kept."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import snncircuit
from snncircuit.characterise import calibration
from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample, deck, read
from snncircuit.characterise.experiment import experiment
from snncircuit.characterise.kept import revived
from snncircuit.characterise.scale import Experiment
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.deck import Deck, Options
from snncircuit.spice.engine import Outcome
from snncircuit.spice.netlist import ModelCards, Netlist, check_models
from snncircuit.spice.waveforms import Waveforms
from snncircuit.table import OperatingTable, TransferTable

_READING = 1  # raise when drive.read changes what it makes of waveforms, so that kept samples are not mistaken for new ones


class Pool(Protocol):
    """What runs decks: ``spice.engine.EnginePool``."""

    @property
    def version(self) -> str:
        """Name and version of the simulator."""
        ...

    def map(self, decks: Iterable[Deck]) -> Iterable[tuple[int, Outcome]]:
        """Outcomes as they finish, each with the index of its deck."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a characterisation is: samples answered, of those reused, operating points finished of all."""

    points: int
    reused: int
    finished: int
    wanted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a characterisation took: samples, how many of them were reused, holes in the table, seconds."""

    points: int
    reused: int
    holes: int
    seconds: float


def characterise(
    cell: NeuronCell,
    cards: Callable[[str], ModelCards],
    points: Sequence[OperatingPoint],
    *,
    pool: Pool,
    cache: SampleCache,
    nominal: OperatingPoint | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> tuple[TransferTable, Report]:
    """Measure a neuron at every operating point.

    Args:
        cell: the neuron.
        cards: the model cards of a corner.
        points: operating points, SI units, temperature in degC.
        pool: runs decks; starts no simulator when every sample is already in the cache.
        cache: keeps every finished sample at once, so that a killed characterisation resumes.
        nominal: the point around which the others lie, kept in the table; None for a full grid.
        progress: called after each sample.

    Returns:
        The table and what it took. The same cell, cards and simulator give the same table, resumed or not.

    Raises:
        CharacterisationError: when the cell has no threshold at some operating point.
        NetlistError: when a model is in neither the cards nor the netlist.
        EngineMissingError: when a sample is not in the cache and there is no ngspice.
    """
    begin = time.monotonic()
    by_corner = {corner: cards(corner) for corner in dict.fromkeys(p.corner for p in points)}
    for found in by_corner.values():
        check_models(cell.netlist, found)
    laboratory = Laboratory(cell=cell, cards=by_corner, pool=pool, cache=cache)
    running: dict[OperatingPoint, Experiment[OperatingTable]] = {p: experiment(cell, p) for p in points}
    asked = {p: next(e) for p, e in running.items()}
    tables: dict[OperatingPoint, OperatingTable] = {}
    while asked:
        wave = [(p, drive) for p, drives in asked.items() for drive in drives]
        samples: dict[int, Sample] = {}
        for index, sample in laboratory.answer(wave):
            samples[index] = sample
            progress(
                Progress(
                    points=laboratory.points,
                    reused=laboratory.reused,
                    finished=len(tables),
                    wanted=len(points),
                )
            )
        ordered = iter([samples[i] for i in range(len(wave))])
        following: dict[OperatingPoint, list[Drive]] = {}
        for point, drives in asked.items():
            try:
                following[point] = running[point].send([next(ordered) for _ in drives])
            except StopIteration as end:
                tables[point] = end.value
        asked = following
    measured = [tables[p] for p in points]
    table = TransferTable.from_points(
        cell.name,
        measured,
        {
            **provenance(cell, by_corner, laboratory.version),
            "calibration": dict(calibration.ORIGIN),
        },
        None if nominal is None else asdict(nominal),
    )
    report = Report(
        points=laboratory.points,
        reused=laboratory.reused,
        holes=sum(t.holes for t in measured),
        seconds=time.monotonic() - begin,
    )
    return table, report


@dataclass(slots=True, kw_only=True)
class Laboratory:
    """Answers drives from the cache or from the pool, and counts.

    Attributes:
        cell: the neuron.
        cards: model cards by corner.
        pool: runs decks.
        cache: keeps every finished sample at once.
        timed: whether samples must hold the latency of spikes, which those kept by a laboratory without it may lack.
        points: samples answered so far.
        reused: of those, from the cache.
    """

    cell: NeuronCell
    cards: Mapping[str, ModelCards]
    pool: Pool
    cache: SampleCache
    timed: bool = False
    points: int = 0
    reused: int = 0

    @property
    def version(self) -> str:
        """Version of the simulator."""
        return self.pool.version

    def answer(self, wave: Sequence[tuple[OperatingPoint, Drive]]) -> Iterator[tuple[int, Sample]]:
        """The samples of the drives as they become known, each with the index of its drive."""
        return self.answer_of([(self.cell.netlist, *asked) for asked in wave])

    def answer_of(
        self, wave: Sequence[tuple[Netlist, OperatingPoint, Drive]]
    ) -> Iterator[tuple[int, Sample]]:
        """The same for cells that differ from this one in their netlist alone."""
        keys = [self._key(self._deck(*asked)) for asked in wave]
        kept = self.cache.get_many(keys)
        missing: list[int] = []
        for index, key in enumerate(keys):
            sample = revived(kept.get(key), len(wave[index][2].q_exc))
            if sample is not None:
                self.points += 1
                self.reused += 1
                yield index, sample
            else:
                missing.append(index)
        for position, outcome in self.pool.map(self._deck(*wave[i]) for i in missing):
            index = missing[position]
            _, point, drive = wave[index]
            if isinstance(outcome, Waveforms):
                sample = read(self.cell, point, drive, outcome)
                self.cache.put(keys[index], json.dumps(sample.record()).encode())
            else:
                # A failure is not kept: repeating the command tries its holes again.
                sample = Sample(failure=outcome.reason)
            self.points += 1
            yield index, sample

    def _deck(self, netlist: Netlist, point: OperatingPoint, drive: Drive) -> Deck:
        return deck(replace(self.cell, netlist=netlist), self.cards[point.corner], point, drive)

    def _key(self, wanted: Deck) -> str:
        # How the waveforms are read belongs to the key: the step, the spike's level, the shares.
        reading = (
            f"{wanted.key} {self.version} {_READING} {self.cell.step} {self.cell.spike} {self.cell.supplies}"
            f"{' timed' if self.timed else ''}"
        )
        return hashlib.sha256(reading.encode()).hexdigest()


def provenance(cell: NeuronCell, cards: Mapping[str, ModelCards], version: str) -> dict[str, Any]:
    """Where a table comes from; holds no clock, so that the same measurement gives the same file."""
    return {
        "netlist": hashlib.sha256(cell.netlist.text.encode()).hexdigest(),
        "cell": _digest(cell),
        "cards": {corner: c.sha256 for corner, c in cards.items()},
        "ngspice": version,
        "options": str(Options()),
        "snncircuit": snncircuit.__version__,
        "title": cell.title,
        "terminal_limit": cell.limits.terminal,
        "spike_load": cell.spike.load,
        "line_capacitance": {"exc": cell.exc.line_capacitance, "inh": cell.inh.line_capacitance},
        "shares": {n: s.share for n, s in cell.supplies.items()},
        "pulse_width": cell.step.pulse_width,
    }


def _digest(cell: NeuronCell) -> str:
    return hashlib.sha256(
        repr((cell.step, cell.range, cell.initial, cell.biases, cell.clocks, cell.supplies)).encode()
    ).hexdigest()
