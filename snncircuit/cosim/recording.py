"""What a whole network in one circuit did with one image, read from its waveforms; plain data for a store and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import OperatingPoint, sources
from snncircuit.cosim.crossbar import Crossbar
from snncircuit.cosim.wiring import clock_voltage, membrane, spike, supply_current
from snncircuit.spice.waveforms import Waveforms

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """The steps of all neurons for one image, each layer's counted from its own first one.

    Attributes:
        spikes: layer name to spikes of each neuron in each step, shape (steps, neurons).
        v_mem: layer name to membranes at the end of each step, V, shape (steps, neurons).
        energy: layer name to J of each supply over the steps of the layer.
        seconds: processor time that ngspice took.
    """

    spikes: Mapping[str, Counts]
    v_mem: Mapping[str, Array]
    energy: Mapping[str, Mapping[str, float]]
    seconds: float

    def record(self) -> bytes:
        """JSON for a store."""
        plain = {
            "spikes": {name: counts.tolist() for name, counts in self.spikes.items()},
            "v_mem": {name: volts.tolist() for name, volts in self.v_mem.items()},
            "energy": {name: dict(supplies) for name, supplies in self.energy.items()},
            "seconds": self.seconds,
        }
        return json.dumps(plain).encode()


def revive(record: bytes) -> Recording:
    """The recording of ``Recording.record``."""
    plain = json.loads(record)
    return Recording(
        spikes={name: np.array(counts, dtype=np.int64) for name, counts in plain["spikes"].items()},
        v_mem={name: np.array(volts, dtype=np.float64) for name, volts in plain["v_mem"].items()},
        energy=plain["energy"],
        seconds=plain["seconds"],
    )


def read(
    cell: NeuronCell,
    point: OperatingPoint,
    crossbars: Sequence[Crossbar],
    waves: Waveforms,
    *,
    steps: int,
    seconds: float,
) -> Recording:
    """The recording that the waveforms of ``wiring.draw(cell, …, crossbars, steps=steps)`` hold.

    Layer l's steps begin l steps later than those of the first. A spike is a rising crossing of the cell's level; energies are the
    trapezoidal rule on the solver's own time points, divided by the number of neurons that share a supply's load.
    """
    spikes, v_mem, energy = {}, {}, {}
    for number, crossbar in enumerate(crossbars):
        bounds = np.arange(number, number + steps + 1, dtype=np.float64) * cell.step.duration
        bounds[-1] = min(bounds[-1], waves.time[-1])
        neurons = range(crossbar.neurons)
        crossings = [waves.crossings(spike(cell, number, i), cell.spike.level) for i in neurons]
        spikes[crossbar.name] = np.stack([np.histogram(c, bounds)[0] for c in crossings], axis=1)
        v_mem[crossbar.name] = np.stack(
            [waves.at(membrane(cell, number, i), bounds[1:]) for i in neurons], axis=1
        )
        energy[crossbar.name] = _energy(cell, point, number, waves, float(bounds[0]), float(bounds[-1]))
    return Recording(spikes=spikes, v_mem=v_mem, energy=energy, seconds=seconds)


def _energy(
    cell: NeuronCell, point: OperatingPoint, layer: int, waves: Waveforms, begin: float, end: float
) -> dict[str, float]:
    found = {}
    for source in sources(cell, point):
        clocked = source.name in cell.clocks
        voltage = waves.signal(clock_voltage(cell, source.name, layer)) if clocked else source.voltage
        power = -voltage * waves.signal(supply_current(source.name, layer))
        delivered = Waveforms(time=waves.time, signals={"power": power}).integral("power", begin, end)
        share = cell.supplies[source.name].share if source.name in cell.supplies else 1
        found[source.name] = delivered / share
    return found
