"""Neuron-steps per second: circuit neurons in a network engine against ngspice on the same neurons.

python benches/spice.py [--quick] [--json]

The engine runs the paper's MNIST network with the table of the shipped nmp_clocked (vdd 1.8 V, vneg -0.9 V, energy of every supply
included). From neurons of its second layer, taken at random, the charges of every step are recorded; ngspice runs those neurons on
those charges, from their netlist, and its spikes are held against the engine's. Two ways to run ngspice, the better one counts:

process per neuron  a fresh `ngspice -b` for each neuron, OpenMP pinned to one thread, as many at once as there are threads
neurons in one deck  several neurons in one deck, a process for each deck, as many at once as there are threads

Counted are, for the engine, one call from images to counts; for ngspice, the processes from start to end and reading their raw files.
The start of a process is less than a tenth of a neuron's run. Not counted: building the network, making the decks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import processes
import timing
import torch
import workload
from numpy.typing import NDArray

from snncircuit import shipped
from snncircuit.characterise.cell import NeuronCell, load_cell
from snncircuit.characterise.drive import Drive, OperatingPoint, deck, read
from snncircuit.network.encode import ConstantCurrent
from snncircuit.network.engines import choose, engine
from snncircuit.network.outcome import Outcome, Record, Trace
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.spice.cards import load_models
from snncircuit.spice.deck import Deck
from snncircuit.table import TransferTable

NEURON = "nmp_clocked"
POINT = OperatingPoint(v_dd=1.8, v_neg=-0.9)
LAYER = 1
SIZES = {"event": (32, 50), "dense": (2, 10)}
"""Images and steps of one run of an engine: about a second."""


def run(
    work: workload.Workload, neuron: CircuitNeuron, images: int, steps: int, record: Record | None = None
) -> Outcome:
    """The fastest engine, once."""
    with torch.inference_mode():
        return engine(choose("auto", neuron))(
            work.network,
            neuron,
            ConstantCurrent(),
            work.images[:images],
            first_image=0,
            steps=steps,
            record=record or {},
            exit_margin=None,
        )


def recorded(work: workload.Workload, neuron: CircuitNeuron, count: int, steps: int) -> Trace:
    """What some neurons of a layer receive and do, in the first image."""
    layer = work.network.layers[LAYER]
    chosen = np.random.default_rng(0).choice(int(np.prod(layer.out_shape)), count, replace=False)
    record = {layer.name: tuple(int(k) for k in chosen)}
    return run(work, neuron, 1, steps, record).traces[layer.name]


def drives(trace: Trace, table_rest: float, threshold_charge: float) -> list[Drive]:
    """One for each recorded neuron, from rest."""
    return [
        Drive(
            v_mem=table_rest,
            q_exc=tuple((threshold_charge * trace.q_exc[:, 0, k].astype(float)).tolist()),
            q_inh=tuple((threshold_charge * trace.q_inh[:, 0, k].astype(float)).tolist()),
        )
        for k in range(len(trace.neurons))
    ]


def together(cell: NeuronCell, decks: list[Deck]) -> Deck:
    """Several neurons, each with its own sources, in one deck."""
    shared, parts, starts = "", list[str](), list[str]()
    for k, one in enumerate(decks):
        shared, _, own = one.circuit.partition(cell.netlist.text)
        *lines, start = own.strip("\n").split("\n")
        parts += [f".subckt whole{k}", *lines, f".ends whole{k}", f"xwhole{k} whole{k}"]
        starts.append(start.replace(".ic ", "").replace("v(", f"v(xwhole{k}."))
    circuit = "\n".join([shared + cell.netlist.text, *parts, ".ic " + " ".join(starts)])
    save = tuple(
        f"v(xwhole{k}.{port})" for k in range(len(decks)) for port in (cell.membrane.port, cell.spike.port)
    )
    return replace(decks[0], circuit=circuit, save=save)


def spikes(cell: NeuronCell, asked: list[Drive], decks: list[Deck]) -> NDArray[np.int64]:
    """Spikes of ngspice, shape (steps, neurons)."""
    waves, _ = processes.simulate(decks, at_once=timing.cores(), environment=processes.PINNED)
    samples = [read(cell, POINT, drive, w) for drive, w in zip(asked, waves, strict=True)]
    return np.array([s.spikes for s in samples]).T


def main() -> None:
    """Race the engine and both ways to run ngspice."""
    given = timing.arguments(__doc__).parse_args()
    # Neurons and steps of ngspice, neurons in one deck, seconds.
    neurons, steps, in_one, seconds = (4, 4, 3, 4.0) if given.quick else (10, 8, 10, 60.0)
    cell = load_cell(shipped.find("netlist", NEURON))
    assert cell.models is not None
    cards = load_models(cell.models, POINT.corner)
    table = TransferTable.load(shipped.find("neuron", NEURON)).at(
        corner=POINT.corner, temperature=POINT.temperature, v_dd=POINT.v_dd, v_neg=POINT.v_neg
    )
    neuron = CircuitNeuron(table)
    chosen = choose("auto", neuron)
    n_images, n_steps = SIZES[chosen]
    work = workload.build("mnist", images=n_images, steps=n_steps)
    trace = recorded(work, neuron, neurons, steps)
    asked = drives(trace, table.rest, table.figures["threshold_charge"])
    decks = [deck(cell, cards, POINT, drive) for drive in asked]
    many = [together(cell, decks[:in_one])] * timing.cores()
    agreeing = float((spikes(cell, asked, decks) == trace.spikes[:, 0].astype(int)).mean())

    neuron_steps = sum(t.neuron_steps for t in run(work, neuron, n_images, n_steps).tallies.values())
    at_once = 1

    def threads(count: int) -> None:
        nonlocal at_once
        at_once = count
        timing.torch_threads(count)

    def ngspice(of: list[Deck]) -> Callable[[], timing.Cost]:
        return lambda: processes.simulate(of, at_once=at_once, environment=processes.PINNED)[1]

    one, crowd = "ngspice, a process for each neuron", f"ngspice, {in_one} neurons in one deck"
    held = timing.race(
        {chosen: lambda: run(work, neuron, n_images, n_steps), one: ngspice(decks), crowd: ngspice(many)},
        work={chosen: neuron_steps, one: neurons * steps, crowd: len(many) * in_one * steps},
        seconds=seconds,
        set_threads=threads,
    )
    best = held.fastest([one, crowd])
    report = timing.Report(
        bench="spice",
        unit="neuron·steps/s",
        races={NEURON: held},
        ratios={"circuit_vs_ngspice": held.speed(chosen, over=best)},
        notes=[
            f"The {chosen} engine on {n_images} images × {n_steps} steps; faster of the ngspice ways: {best}.",
            f"ngspice and the engine give the same spikes in {agreeing:.1%} of {neurons * steps} neuron-steps.",
        ],
        facts={"same_spikes": agreeing, "engine": chosen},
    )
    timing.show(report, json=given.json)


if __name__ == "__main__":
    main()
