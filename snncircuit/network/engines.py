"""Which engine runs: by name, or the fastest that can."""

from __future__ import annotations

from snncircuit.errors import SimulationError
from snncircuit.network import event
from snncircuit.network.dense import fitting_batch as fitting_dense
from snncircuit.network.dense import run_dense
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import Engine
from snncircuit.network.populations import Neurons, strange
from snncircuit.network.reference import run_reference

NAMES = ("reference", "dense", "event")


def choose(name: str, neuron: Neurons) -> str:
    """The engine to run: for ``auto`` the event engine where it is built and knows all neurons, else the dense one.

    Raises:
        SimulationError: an engine that does not exist, or cannot run here or with these neurons.
    """
    unknown = strange(neuron)
    if name == "auto":
        return "event" if not unknown and event.available() else "dense"
    if name not in NAMES:
        msg = f"no engine {name!r}; there are auto, {', '.join(NAMES)}"
        raise SimulationError(msg)
    if name == "event" and not event.available():
        msg = (
            f"engine 'event' cannot run: {event.unavailable_reason()}. The dense engine gives the same spikes"
        )
        raise SimulationError(msg)
    if name == "event" and unknown:
        msg = f"engine 'event' knows ideal and circuit neurons, no {unknown[0]}; the dense engine runs any"
        raise SimulationError(msg)
    return name


def engine(name: str) -> Engine:
    """The engine that was chosen."""
    if name == "event":
        from snncircuit.network.event.engine import run_event  # needs the kernel

        return run_event
    return {"reference": run_reference, "dense": run_dense}[name]


def fitting_batch(name: str, network: SpikingNetwork, steps: int) -> int:
    """Images at a time that an engine runs in bounded memory, and that keep it busy."""
    if name == "event":
        from snncircuit.network.event.engine import fitting_batch as fitting_event

        return fitting_event(network, steps)
    return fitting_dense(network, steps)
