"""A whole network as one transistor circuit in ngspice, image by image, and beside it the same network with the table as its neurons."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.cosim.circuit import Circuit
from snncircuit.cosim.crossbar import Crossbar, crossbars_of
from snncircuit.cosim.likeness import Likeness, compare
from snncircuit.cosim.recording import Recording, read, revive
from snncircuit.cosim.wiring import draw
from snncircuit.errors import SimulationError
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.simulate import simulate
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.deck import Deck
from snncircuit.spice.engine import Outcome
from snncircuit.spice.waveforms import Waveforms

_READING = 1  # raise when recording.read changes what it makes of waveforms, so that kept recordings are not mistaken for new ones
_LONG = 0.3  # s of processor time, over which the speed of the simulation is averaged


class Pool(Protocol):
    """What runs decks: ``spice.engine.EnginePool``."""

    @property
    def version(self) -> str:
        """Name and version of the simulator."""
        ...

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that now simulate."""
        ...

    def map(self, decks: Iterable[Deck]) -> Iterable[tuple[int, Outcome]]:
        """Outcomes as they finish, each with the index of its deck."""
        ...


def draw_network(
    network: SpikingNetwork, circuit: Circuit, *, charge: float, image: Float[Tensor, "1 c h w"], steps: int
) -> tuple[Deck, tuple[Crossbar, ...]]:
    """The deck of a network that sees one image, and the layers that it was drawn from.

    Args:
        network: of at most ``crossbar.MOST_NEURONS`` neurons.
        circuit: what every neuron is.
        charge: C, of one threshold.
        image: pixels in [0, 1], constant currents into the first layer.
        steps: of each layer.

    Raises:
        SimulationError: a network too large, or a cell that cannot pass on its spikes (``wiring.draw``).
    """
    crossbars = crossbars_of(network, image)
    drawn = draw(circuit.cell, circuit.cards, circuit.point, crossbars, charge=charge, steps=steps)
    return drawn, crossbars


def hold_whole(
    network: SpikingNetwork,
    neuron: CircuitNeuron,
    circuit: Circuit,
    images: Float[Tensor, "n c h w"],
    labels: Int[Tensor, " n"] | None,
    *,
    steps: int,
    pool: Pool,
    cache: SampleCache,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Likeness:
    """Run every image through the circuit of the whole network and through the simulated one.

    Args:
        network: of at most ``crossbar.MOST_NEURONS`` neurons.
        neuron: the table's, of every layer of the simulated network.
        circuit: the cell behind the table, of every neuron of the circuit.
        images: pixels in [0, 1].
        labels: their classes; None where the network gives no class.
        steps: of each layer.
        pool: runs decks.
        cache: keeps the recording of every finished image at once.
        progress: called with (images finished, all).

    Raises:
        SimulationError: what cannot be drawn, every image failed, or a simulation far outside the measured range.
    """
    charge = neuron.table.figures["threshold_charge"]
    drawn = [
        draw_network(network, circuit, charge=charge, image=image[None], steps=steps) for image in images
    ]
    recordings, failures = _record(circuit, drawn, steps=steps, pool=pool, cache=cache, progress=progress)
    if not recordings:
        msg = f"ngspice could run none of the {len(images)} images, so there is nothing to compare; the first: {failures[0]}"
        raise SimulationError(msg)
    chosen = sorted(recordings)
    shown, known = images[chosen], None if labels is None else labels[chosen]
    everyone = {layer.name: tuple(range(math.prod(layer.out_shape))) for layer in network.layers}
    targets = torch.zeros(len(shown), dtype=torch.int64) if known is None else known
    run = simulate(network, neuron, shown, targets, steps=steps, record=everyone)
    neurons = sum(len(numbers) for numbers in everyone.values())
    runs, seconds = 0, 0.0
    while seconds < _LONG:
        begin = time.process_time()
        simulate(network, neuron, shown, targets, steps=steps)
        seconds += time.process_time() - begin
        runs += 1
    return compare(
        {image: recordings[image] for image in chosen},
        run,
        neuron.table,
        known,
        surrogate_rate=runs * len(shown) * steps * neurons / seconds,
        failures=failures,
    )


def _record(
    circuit: Circuit,
    drawn: Sequence[tuple[Deck, tuple[Crossbar, ...]]],
    *,
    steps: int,
    pool: Pool,
    cache: SampleCache,
    progress: Callable[[int, int], None],
) -> tuple[dict[int, Recording], dict[int, str]]:
    """What the circuit did with each image, from the cache or from ngspice; and why it did nothing."""
    keys = [_key(circuit, deck, pool.version) for deck, _ in drawn]
    kept = cache.get_many(keys)
    recordings = {i: revive(kept[key]) for i, key in enumerate(keys) if key in kept}
    failures: dict[int, str] = {}
    missing = [i for i in range(len(drawn)) if i not in recordings]
    progress(len(recordings), len(drawn))
    clock = _Clock(pool)
    for position, outcome in pool.map(drawn[i][0] for i in missing):
        image, seconds = missing[position], clock.passed()
        if isinstance(outcome, Waveforms):
            crossbars = drawn[image][1]
            found = read(circuit.cell, circuit.point, crossbars, outcome, steps=steps, seconds=seconds)
            cache.put(keys[image], found.record())
            recordings[image] = found
        else:
            failures[image] = outcome.reason
        progress(len(recordings) + len(failures), len(drawn))
    return recordings, failures


def _key(circuit: Circuit, deck: Deck, version: str) -> str:
    cell = circuit.cell
    shares = {name: rail.share for name, rail in cell.supplies.items()}
    reading = f"whole {deck.key} {version} {_READING} {cell.step.duration} {cell.spike.level} {shares}"
    return hashlib.sha256(reading.encode()).hexdigest()


class _Clock:
    """Processor time of the pool's workers between two outcomes; where the system does not tell it, wall time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._wall = time.monotonic()
        self._told: dict[int, float] = {}

    def passed(self) -> float:
        """Seconds since the last call; workers that are gone by now do not count."""
        wall = time.monotonic()
        now = {pid: _processor_time(pid) for pid in self._pool.pids}
        known = {pid: seconds for pid, seconds in now.items() if seconds is not None}
        spent = sum(seconds - self._told.get(pid, 0.0) for pid, seconds in known.items())
        waited = wall - self._wall
        self._told, self._wall = known, wall
        return spent if spent > 0 else waited


def _processor_time(pid: int) -> float | None:
    """Seconds that a process has spent computing; None where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
