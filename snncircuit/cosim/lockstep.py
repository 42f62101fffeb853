"""Chosen neurons of a running network are ngspice: their spikes feed the next layer, step by step, and their table runs beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from operator import attrgetter

import torch
from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import OperatingPoint
from snncircuit.characterise.live import LiveCell
from snncircuit.characterise.live_memory import RememberedCell
from snncircuit.cosim.live_account import LockStep, account
from snncircuit.cosim.live_neuron import LiveNeuron, live_trace
from snncircuit.errors import SimulationError
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import Record
from snncircuit.network.readout import classes_by_step
from snncircuit.network.run import Run, Setting
from snncircuit.network.simulate import MAX_OUT_OF_RANGE, simulate
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.step import Neuron
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.deck import LADDER
from snncircuit.spice.discovery import Found
from snncircuit.spice.live import LiveSession
from snncircuit.spice.netlist import ModelCards


def run_lockstep(
    network: SpikingNetwork,
    neuron: CircuitNeuron,
    live: Record,
    cell: NeuronCell,
    cards: Callable[[str], ModelCards],
    images: Float[Tensor, "n c h w"],
    targets: Int[Tensor, " n"] | Float[Tensor, "n ..."],
    *,
    cache: SampleCache,
    steps: int,
    encoder: str = "constant",
    seed: int = 0,
    max_out_of_range: float | None = MAX_OUT_OF_RANGE,
    rails: tuple[float, float] | None = None,
    settings: Mapping[str, Setting] | None = None,
    timeout: float = 60.0,
    rungs: int = LADDER,
    found: Found | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> LockStep:
    """Run images through a network some of whose neurons are ngspice; on the reference engine, one image after the other.

    Each live neuron is one ngspice, at the operating point of the surrogate's table. It gets the charges of each step from the layer
    before and gives its spikes to the layer behind in the same step.

    Args:
        network: as for ``simulate``.
        neuron: the surrogate, of every other neuron.
        live: layer name to the numbers of its live neurons.
        cell: the neuron that the surrogate's table claims to be.
        cards: the model cards of a corner.
        images: as for ``simulate``.
        targets: as for ``simulate``.
        cache: keeps every finished step of the live neurons, so that a killed run resumes.
        steps: as for ``simulate``.
        encoder: as for ``simulate``.
        seed: as for ``simulate``.
        max_out_of_range: as for ``simulate``.
        rails: as for ``simulate``.
        settings: as for ``simulate``.
        timeout: seconds that one step of one neuron may take.
        rungs: attempts at a step after the first.
        found: which ngspice; by default the one that ``find_ngspice`` finds.
        progress: called with (network steps done, all).

    Raises:
        SimulationError: no such neurons, a live neuron that ngspice cannot run, or what ``simulate`` refuses.
        EngineMissingError: when there is no libngspice.
        CellError: at an operating point outside the cell's range.
    """
    _check(network, live)
    last = network.layers[-1]
    record = {last.name: tuple(range(torch.Size(last.out_shape).numel()))}
    point = OperatingPoint(**neuron.table.point)
    own_cards = cards(point.corner)
    tick = _Ticks(progress, steps * len(images))
    ordered = [layer.name for layer in network.layers if layer.name in live]

    def through(neurons: Mapping[str, Neuron], known: Mapping[str, Setting]) -> Run:
        return simulate(
            network,
            neurons,
            images,
            targets,
            steps=steps,
            encoder=encoder,
            engine="reference",
            batch=1,
            seed=seed,
            record=record,
            max_out_of_range=max_out_of_range,
            rails=rails,
            settings=known,
        )

    plain: dict[str, Neuron] = {layer.name: neuron for layer in network.layers}
    # First what needs no ngspice: whatever simulate refuses is refused before one starts.
    alone = through(plain, settings or {})
    with ExitStack() as sessions:

        def circuit() -> RememberedCell:
            session = sessions.enter_context(LiveSession(timeout, found=found))
            live_cell = LiveCell(cell=cell, cards=own_cards, point=point, session=session, rungs=rungs)
            return RememberedCell(live_cell, cache)

        neurons = {
            name: LiveNeuron(
                neuron,
                {index: circuit() for index in live[name]},
                layer=name,
                steps=steps,
                tick=tick if name == ordered[-1] else lambda: None,
            )
            for name in ordered
        }
        told = ",".join(f"{name}:{index}" for name in ordered for index in live[name])
        run = through(plain | neurons, {**(settings or {}), "live": told})
    passages = [
        list(group) for n in neurons.values() for _, group in groupby(n.passages(), attrgetter("index"))
    ]
    spikes, v_mem = (
        [torch.as_tensor(getattr(r.traces[last.name], signal)) for r in (run, alone)]
        for signal in ("spikes", "v_mem")
    )
    classes = [classes_by_step(*both)[-1] for both in zip(spikes, v_mem, strict=True)]
    return LockStep(
        run=replace(run, live=tuple(live_trace(neuron.table, group) for group in passages)),
        alone=alone,
        accounts=tuple(account(neuron.table, p) for group in passages for p in group),
        output_spikes=int(spikes[0].sum()),
        output_spikes_differing=int((spikes[0] - spikes[1]).abs().sum()),
        classes_differing=None if run.score == "mse" else int((classes[0] != classes[1]).sum()),
    )


class _Ticks:
    """Counts network steps."""

    def __init__(self, progress: Callable[[int, int], None], total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)


def _check(network: SpikingNetwork, live: Record) -> None:
    sizes = {layer.name: torch.Size(layer.out_shape).numel() for layer in network.layers}
    if not live:
        msg = f"no live neuron is named; {network.name} has layers {', '.join(sizes)}"
        raise SimulationError(msg)
    for name, indices in live.items():
        if name not in sizes:
            msg = f"no layer {name!r} for a live neuron; {network.name} has {', '.join(sizes)}"
            raise SimulationError(msg)
        if not indices or min(indices) < 0 or max(indices) >= sizes[name] or len(set(indices)) < len(indices):
            msg = f"live neurons {list(indices)} of {name}: expected different numbers from 0 to {sizes[name] - 1} (channel, row, column)"
            raise SimulationError(msg)
