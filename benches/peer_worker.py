"""One peer in a process of its own, told by peers.py in lines of JSON what to run; not to be called by hand.

Every peer gets the same: the net weights (excitation less inhibition, one convolution), the first layer's charges worked out once, and
many steps of its synapses in one convolution. It simulates every layer of neurons, the first included, by its own stock code.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from counts import count
from handover import Handover, NetLayer, read
from install_peers import FOLDER
from torch import Tensor, nn

Sequencer = Callable[[], nn.Module]


class NetSynapses(nn.Module):
    """Synapses without sign lines, over the first two axes (steps and images) at once."""

    def __init__(self, layer: NetLayer) -> None:
        super().__init__()
        self.before, self.operator, self.after = layer.before, layer.operator, layer.after
        self.register_buffer("weight", layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = x.flatten(0, 1)
        for operator in self.before:
            y = operator(y)
        y = self.operator(y, self.weight)
        for operator in self.after:
            y = operator(y)
        return y.unflatten(0, x.shape[:2])


def spikingjelly(grid: float) -> tuple[Sequencer, Callable[[nn.Module], None], int]:
    """Multi-step IF nodes with soft reset; steps are the first axis."""
    from spikingjelly.activation_based import functional, neuron

    return lambda: neuron.IFNode(v_threshold=1.0, v_reset=None, step_mode="m"), functional.reset_net, 0


def snntorch(grid: float) -> tuple[Sequencer, Callable[[nn.Module], None], int]:
    """Leaky neurons that do not leak. They fire above the threshold, not at it, so they start half a step of the grid higher."""
    import snntorch as snn

    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.node = snn.Leaky(beta=1.0, threshold=1.0, reset_mechanism="subtract")
            self.v_mem: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            v_mem = torch.full_like(x[0], grid / 2) if self.v_mem is None else self.v_mem
            spikes = []
            for charge in x:
                fired, v_mem = self.node(charge, v_mem)
                spikes.append(fired)
            self.v_mem = v_mem
            return torch.stack(spikes)

    def reset(chain: nn.Module) -> None:
        for node in chain.modules():
            if isinstance(node, Sequence):
                node.v_mem = None

    return Sequence, reset, 0


def sinabs(grid: float) -> tuple[Sequencer, Callable[[nn.Module], None], int]:
    """IAF layers with single spikes; steps are the second axis."""
    from sinabs.activation import SingleSpike
    from sinabs.layers import IAF

    def reset(chain: nn.Module) -> None:
        for node in chain.modules():
            if isinstance(node, IAF) and node.is_state_initialised():
                node.reset_states()

    return lambda: IAF(spike_fn=SingleSpike), reset, 1


MAKERS = {"spikingjelly": spikingjelly, "snntorch": snntorch, "sinabs": sinabs}


class Chain(nn.Module):
    """First neurons, then synapses and neurons in turn; a chunk of steps at a time."""

    def __init__(self, layers: Sequence[NetLayer], make: Sequencer) -> None:
        super().__init__()
        self.first = make()
        self.synapses = nn.ModuleList(NetSynapses(layer) for layer in layers)
        self.nodes = nn.ModuleList(make() for _ in layers)

    def forward(self, current: Tensor) -> list[Tensor]:
        x = self.first(current)
        spikes = [x]
        for synapses, node in zip(self.synapses, self.nodes, strict=True):
            x = node(synapses(x))
            spikes.append(x)
        return spikes


class Peer:
    """A peer with a workload."""

    def __init__(self, name: str, work: Handover, *, compiled: bool) -> None:
        make, self.reset, self.time_axis = MAKERS[name.split("-")[0]](work.grid)
        self.current, self.steps = work.current, work.steps
        self.chain = Chain(work.layers, make).eval()
        self.call = torch.compile(self.chain) if compiled else self.chain
        self.best: dict[int, tuple[int, int, bool]] = {}

    def lay_out(self, channels_last: bool) -> None:
        """Weights and charges in one layout or the other; spikes follow."""
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.current = self.current.contiguous(memory_format=layout)
        for synapses in self.chain.synapses:
            if synapses.weight.ndim == 4:
                synapses.weight = synapses.weight.contiguous(memory_format=layout)

    def advance(self, current: Tensor, steps: int) -> list[Tensor]:
        """One chunk of steps; spikes of each layer."""
        shape = list(current.shape)
        shape.insert(self.time_axis, steps)
        result: list[Tensor] = self.call(current.unsqueeze(self.time_axis).expand(shape))
        return result

    def run(self, batch: int, chunk: int) -> float:
        """All images through all steps; spikes of the last layer, which are the answer."""
        answer = 0.0
        for current in self.current.split(batch):
            self.reset(self.chain)
            for start in range(0, self.steps, chunk):
                answer += float(self.advance(current, min(chunk, self.steps - start))[-1].sum())
        return answer

    def scan(self, batches: Sequence[int], chunks: Sequence[int], largest: int) -> list[dict[str, Any]]:
        """Seconds for an image and step of every batch, chunk and layout; the fastest is kept for this number of threads."""
        found = []
        for channels_last in (False, True):
            self.lay_out(channels_last)
            for batch, chunk in itertools.product(batches, chunks):
                if batch > len(self.current) or chunk > self.steps or batch * chunk > largest:
                    continue
                self.reset(self.chain)
                clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
                took = []
                for _ in range(3):  # the first warms up
                    started = clock()
                    self.advance(self.current[:batch], chunk)
                    took.append((clock() - started) / (batch * chunk))
                found.append(
                    {"batch": batch, "chunk": chunk, "channels_last": channels_last, "seconds": min(took[1:])}
                )
        best = min(found, key=lambda entry: entry["seconds"])
        self.choose(best["batch"], best["chunk"], best["channels_last"])
        return sorted(found, key=lambda entry: entry["seconds"])

    def choose(self, batch: int, chunk: int, channels_last: bool) -> None:
        """Use these from now on with the present number of threads."""
        self.best[torch.get_num_threads()] = (batch, chunk, channels_last)
        self.lay_out(channels_last)

    def threads(self, count: int) -> None:
        """Use so many threads, and what was chosen for them."""
        torch.set_num_threads(count)
        if count in self.best:
            self.lay_out(self.best[count][2])

    def timed(self) -> dict[str, float]:
        """Seconds of one run as it was chosen."""
        batch, chunk, _ = self.best[torch.get_num_threads()]
        cpu, wall = time.process_time(), time.perf_counter()
        self.run(batch, chunk)
        return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}

    def counts(self, images: int) -> list[dict[str, Any]]:
        """Spikes of each layer for the first images: how many, and the hash of every neuron's count."""
        self.reset(self.chain)
        totals: list[Tensor] | None = None
        for _ in range(self.steps):
            spikes = [x.sum(dim=self.time_axis) for x in self.advance(self.current[:images], 1)]
            totals = spikes if totals is None else [a + b for a, b in zip(totals, spikes, strict=True)]
        return [count(total) for total in totals or []]


def main() -> None:
    """Answer each line of standard input with a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer")
    parser.add_argument("--compiled", action="store_true")
    given = parser.parse_args()
    answers, sys.stdout = sys.stdout, sys.stderr  # what a peer prints is no answer
    sys.path.insert(0, str(FOLDER / given.peer))
    peer: Peer | None = None
    for line in sys.stdin:
        order = json.loads(line)
        verb, told = order.pop("do"), None
        try:
            with torch.no_grad():
                if verb == "load":
                    peer = Peer(given.peer, read(Path(order["path"])), compiled=given.compiled)
                elif peer is None:
                    raise RuntimeError("no workload loaded")
                else:
                    told = getattr(peer, verb)(**order)
        except Exception as error:  # whatever a peer does is for the bench to tell
            told = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
