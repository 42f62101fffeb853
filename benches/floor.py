"""The event engine against the bare dense convolutions of the same network, and the dense engine against its own.

    python benches/floor.py [--quick] [--json]

The floor of every simulator that convolves: one fp32 pass of the net weights of each layer over its spikes and nothing else, no
neurons, each layer in the best layout and batch that a scan finds. The first layer is analog and worked out once, so it is no part of
the floor. The dense engine is held against exactly those calls of torch that it makes itself, recorded from one run and repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import timing
import torch
import workload
from circuit_neurons import table_neuron
from torch import Tensor
from torch.overrides import TorchFunctionMode

from snncircuit.network.layers import Synapses
from snncircuit.neuron.ideal import IdealNeuron

IMAGES = {"mnist": 16, "cifar10": 8}
STEPS = 64
SECONDS = 120.0
BATCHES = (8, 16, 32, 64, 128)
QUICK_IMAGES = {"mnist": 8, "cifar10": 2}
QUICK_STEPS = 32
QUICK_SECONDS = 10.0
QUICK_BATCHES = (16, 64)
PASSES = 128
"""Image·steps of one run of the floor."""
LINEAR = (
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose2d",
    "linear",
    "matmul",
    "mm",
    "bmm",
    "addmm",
    "baddbmm",
)

Call = Callable[[], object]


class Recorder(TorchFunctionMode):
    """Keeps every convolution and matrix product that is called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__name__", "") in LINEAR:
            self.calls.append(lambda: function(*args, **kwargs))
        return function(*args, **kwargs)


def floor(work: workload.Workload, rates: Sequence[Tensor], batches: Sequence[int]) -> tuple[Call, list[str]]:
    """What runs every layer behind the first over ``PASSES`` images of spikes, each layer in its best way; and which those are."""
    best, said = [], []
    for layer, rate in zip(work.network.layers[1:], rates, strict=False):
        tried = [
            (_passes(layer, rate, batch, channels_last=last), batch, last)
            for batch in batches
            for last in (False, True)
            if layer.weight_exc.ndim == 4 or not last
        ]
        found = min(tried, key=lambda entry: _seconds(entry[0]))
        best.append(found[0])
        layout = ", channels_last" if found[2] else ""
        said.append(f"{layer.name} batch {found[1]}{layout}")

    def run() -> None:
        for passes in best:
            passes()

    return run, said


def _passes(layer: Synapses, rate: Tensor, batch: int, *, channels_last: bool) -> Call:
    generator = torch.Generator().manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.bernoulli(rate.expand(batch, *layer.in_shape), generator=generator)
    weight = layer.weight_exc - layer.weight_inh
    if channels_last:
        weight = weight.contiguous(memory_format=layout)
    x = x.contiguous(memory_format=layout) if x.ndim == 4 else x.contiguous()

    def once() -> None:
        y = x
        for operator in layer.before:
            y = operator(y)
        layer.operator(y, weight)

    def run() -> None:
        for _ in range(PASSES // batch):
            once()

    return run


def _seconds(run: Call) -> float:
    run()
    return min(timing.clock(run).cpu for _ in range(2))


def compare(
    name: str, images: int, steps: int, batches: Sequence[int], seconds: float, engine: str
) -> tuple[timing.Race, list[str]]:
    """The race on one network."""
    work = workload.build(name, images=images, steps=steps)
    timing.torch_threads(1)
    dense = workload.runner(work, IdealNeuron(), "dense")
    with Recorder() as recorder:
        outcome = dense()
    rates = [counts.mean(dim=0) / steps for counts in outcome.counts.values()]

    def convolutions() -> None:
        with torch.inference_mode():
            for call in recorder.calls:
                call()

    with torch.inference_mode():
        bare, said = floor(work, rates, batches)
        rivals: dict[str, Call] = {
            "floor": bare,
            f"{engine} engine, circuit neurons": workload.runner(work, table_neuron(), engine),
            f"{engine} engine, ideal neurons": workload.runner(work, IdealNeuron(), engine),
            "dense engine": dense,
            "its convolutions": convolutions,
        }
        amounts = dict.fromkeys(rivals, float(work.image_steps)) | {"floor": float(PASSES)}
        race = timing.race(rivals, work=amounts, seconds=seconds)
    return race, [
        f"{name}: floor with {'; '.join(said)}",
        f"{name}: {workload.hidden_activity(outcome):.1%} of the hidden neuron-steps spike; the dense engine calls "
        f"{len(recorder.calls)} convolutions and products",
    ]


def main() -> None:
    """Run the comparison on both networks and show it."""
    parser = timing.arguments(__doc__)
    parser.add_argument("--engine", default="event", help="event or dense")
    given = parser.parse_args()
    races, ratios, notes = {}, {}, []
    for name in workload.NETWORKS:
        images = (QUICK_IMAGES if given.quick else IMAGES)[name]
        steps = QUICK_STEPS if given.quick else STEPS
        batches = QUICK_BATCHES if given.quick else BATCHES
        seconds = QUICK_SECONDS if given.quick else SECONDS
        race, said = compare(name, images, steps, batches, seconds, given.engine)
        races[name] = race
        notes += said
        for kind in ("circuit", "ideal"):
            key = f"{kind}_vs_floor_{name}"
            ratios[key] = race.speed(f"{given.engine} engine, {kind} neurons", over="floor")
        ratios[f"dense_over_convolutions_{name}"] = race.speed("its convolutions", over="dense engine")
    timing.show(
        timing.Report(bench="floor", unit="image·steps/s", races=races, ratios=ratios, notes=notes),
        json=given.json,
    )


if __name__ == "__main__":
    main()
