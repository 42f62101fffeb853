"""Image·steps a second of this package's event engine against the ideal neurons of other simulators.

    python benches/install_peers.py && python benches/peers.py [--quick] [--json]

Every peer runs stock code at its best: multi-step mode, its best batch, chunk of steps and memory layout (scanned at the start, for
each number of threads), net weights in one convolution, no gradients. All get the charges of the first, analog layer worked out once
and all simulate its neurons; the event engine works them out within its time. Spike counts of ideal neurons are checked to be equal,
neuron by neuron. Circuit neurons are tables of 128 points that spike as ideal neurons with a lower bound do, excitation and inhibition
apart, with the energy of every supply.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import handover
import timing
import workload
from circuit_neurons import table_neuron
from counts import count
from install_peers import PEERS, installed
from peer import COMPILED, Worker

from snncircuit.network.outcome import Outcome
from snncircuit.neuron.ideal import IdealNeuron

CHECKED_IMAGES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is run.

    Attributes:
        images: of each run of the event engine, and of every peer.
        steps: network steps.
        batches: tried for every peer.
        chunks: of steps, tried for every peer.
        largest: image·steps that a peer may hold at once.
        seconds: of each race.
        scan_all: let every peer scan on every number of threads; otherwise SpikingJelly alone does, on one, and the rest follow it.
    """

    images: Mapping[str, int]
    steps: int
    batches: Sequence[int]
    chunks: Sequence[int]
    largest: Mapping[str, int]
    seconds: float
    scan_all: bool


FULL = Size(
    images={"mnist": 16, "cifar10": 8},
    steps=64,
    batches=(1, 2, 4, 8, 16),
    chunks=(1, 4, 8, 16, 32),
    largest={"mnist": 512, "cifar10": 128},
    seconds=180,
    scan_all=True,
)
QUICK = Size(
    images={"mnist": 8, "cifar10": 2},
    steps=32,
    batches=(2, 8),
    chunks=(4, 16),
    largest={"mnist": 128, "cifar10": 32},
    seconds=1,
    scan_all=False,
)


def compare(
    name: str, workers: list[Worker], size: Size, engine: str
) -> tuple[timing.Race, list[str], dict[str, Any]]:
    """The race on one network, what is to be said of it, and what each peer chose."""
    work = workload.build(name, images=size.images[name], steps=size.steps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workload.safetensors"
        handover.write(work, path)
        for worker in workers:
            worker.tell("load", path=str(path))
        for worker in workers:
            worker.answer()
    chosen = _scan(name, workers, size)
    ideal = workload.runner(work, IdealNeuron(), engine)
    circuit = workload.runner(work, table_neuron(), engine)
    notes = _check_counts(name, ideal(), workers)
    running = [worker for worker in workers if not worker.failure]
    activities = ", ".join(f"{k} {v:.1%}" for k, v in workload.activity_of(ideal()).items())
    notes.append(
        f"{name}: spikes per neuron-step {activities}; circuit neurons {_total(circuit()):.1%} in all"
    )
    rivals: dict[str, Callable[[], object]] = {
        f"{engine} engine, circuit neurons": circuit,
        f"{engine} engine, ideal neurons": ideal,
        **{worker.name: worker.timed for worker in running},
    }

    def set_threads(count: int) -> None:
        timing.torch_threads(count)
        for worker in running:
            worker.ask("threads", count=count)

    race = timing.race(rivals, work=work.image_steps, seconds=size.seconds, set_threads=set_threads)
    return race, notes, chosen


def _scan(name: str, workers: list[Worker], size: Size) -> dict[str, Any]:
    """Let every peer find its best, one after the other, for one thread and for all."""
    chosen: dict[str, Any] = {}
    tried = {"batches": size.batches, "chunks": size.chunks, "largest": size.largest[name]}
    for worker in workers:
        stock = worker.name.removesuffix(COMPILED)
        for threads in dict.fromkeys((1, timing.cores())):
            worker.ask("threads", count=threads)
            known = chosen.get(
                f"{stock}, threads {threads}"
            )  # by the same, not compiled: a minute for each shape
            if known is None and not size.scan_all:
                known = chosen.get(f"{stock}, threads 1")
                if known is None and not stock.startswith("spikingjelly"):
                    known = chosen.get(f"{workers[0].name}, threads 1")
            if known:
                worker.ask("choose", **{key: known[0][key] for key in ("batch", "chunk", "channels_last")})
            elif not worker.failure:
                found = worker.ask("scan", **tried)
                if found:
                    chosen[f"{stock}, threads {threads}"] = found
        if worker.name.endswith(COMPILED) and not worker.failure:
            worker.ask("timed")
    return chosen


def _check_counts(name: str, ours: Outcome, workers: list[Worker]) -> list[str]:
    """Hold every neuron's count against the peers'; a sentence for each."""
    expected = [count(total[:CHECKED_IMAGES]) for total in ours.counts.values()]
    notes = []
    for worker in workers:
        found = None if worker.name.endswith(COMPILED) else worker.ask("counts", images=CHECKED_IMAGES)
        if worker.failure:
            notes.append(f"{name}: {worker.name} does not run: {worker.failure}")
        elif found is not None and found != expected:
            sums = [[layer["spikes"] for layer in told] for told in (found, expected)]
            msg = f"{name}: {worker.name} counts other spikes: {sums[0]} instead of {sums[1]}"
            raise SystemExit(msg)
    same = [worker.name for worker in workers if not worker.failure and not worker.name.endswith(COMPILED)]
    return [f"{name}: every neuron of {', '.join(same)} spikes as often as here", *notes]


def _total(outcome: Outcome) -> float:
    tallies = outcome.tallies.values()
    return sum(tally.spikes for tally in tallies) / sum(tally.neuron_steps for tally in tallies)


def ratios_of(name: str, race: timing.Race) -> dict[str, timing.Ratio]:
    """Speed of both neurons over each peer, and over the faster SpikingJelly."""
    circuit, ideal, *peers = race.work
    stock = [peer for peer in peers if not peer.endswith(COMPILED)]
    families = dict.fromkeys(peer.split("-")[0] for peer in stock)
    against = {
        family: race.fastest([peer for peer in stock if peer.startswith(family)]) for family in families
    }
    for peer in peers[len(stock) :]:
        against["spikingjelly_compiled"] = peer
    return {
        f"{kind}_vs_{family}_{name}": race.speed(ours, over=peer)
        for family, peer in against.items()
        for kind, ours in (("circuit", circuit), ("ideal", ideal))
    }


def main() -> None:
    """Run both comparisons and show them."""
    parser = timing.arguments(__doc__)
    parser.add_argument("--network", choices=list(workload.NETWORKS), help="one network alone")
    parser.add_argument("--engine", default="event", help="event or dense")
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="SpikingJelly with torch.compile"
    )
    given = parser.parse_args()
    size = QUICK if given.quick else FULL
    missing = [name for name in PEERS if name not in installed()]
    if missing:
        parser.error(f"not installed: {', '.join(missing)}; python benches/install_peers.py does it")
    names = list(PEERS)
    if given.compile if given.compile is not None else not given.quick:
        names.append(names[0] + COMPILED)
    races, ratios, notes, scans = {}, {}, [], {}
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(name)) for name in names]
        for name in [given.network] if given.network else list(workload.NETWORKS):
            race, said, chosen = compare(name, workers, size, given.engine)
            races[name], scans[name] = race, chosen
            ratios |= ratios_of(name, race)
            notes += said + [_best(name, peer, found) for peer, found in chosen.items() if found]
    if given.quick and not given.compile:
        notes.append(
            "torch.compile takes longer than a minute to compile; --compile or no --quick includes it"
        )
    timing.show(
        timing.Report(
            bench="peers",
            unit="image·steps/s",
            races=races,
            ratios=ratios,
            notes=notes,
            facts={"scans": scans},
        ),
        json=given.json,
    )


def _best(name: str, peer: str, found: Sequence[Mapping[str, Any]]) -> str:
    best = found[0]
    layout = "channels_last" if best["channels_last"] else "NCHW"
    return f"{name}: {peer}: best of {len(found)}: batch {best['batch']}, chunk {best['chunk']}, {layout}"


if __name__ == "__main__":
    main()
