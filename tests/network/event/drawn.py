"""Networks of every kind of synapse and tables of every size, for comparing the event engine with the others."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch import nn

from snncircuit import shipped
from snncircuit.errors import SimulationError
from snncircuit.network import engines, event
from snncircuit.network.convert import convert
from snncircuit.network.encode import Encoder, make_encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import Outcome
from snncircuit.network.populations import Neurons
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.form import choose
from snncircuit.reference import ideal_table
from snncircuit.table import MEASURED, OperatingTable, TransferTable
from tests.network.nets import alive, images, randomised

Shape = tuple[int, int, int]
ENCODERS = ("constant", "if", "poisson")


def run(
    engine: str, network: SpikingNetwork, neuron: Neurons, encoder: str | Encoder, **options: Any
) -> Outcome:
    coder = make_encoder(encoder, 5) if isinstance(encoder, str) else encoder
    pictures = images(options.pop("count", 3), network.input_shape, seed=1)
    settled = {"first_image": 0, "steps": 19, "record": {}, "exit_margin": None, **options}
    with torch.inference_mode():
        return engines.engine(engine)(network, neuron, coder, pictures, **settled)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A module, the shape of its images and how it is converted."""

    module: nn.Module
    shape: Shape
    percentile: float
    levels: int | None

    def spiking(self) -> SpikingNetwork:
        assume(alive(self.module, self.shape))
        return convert(self.module, images(20, self.shape), percentile=self.percentile, levels=self.levels)


@st.composite
def modules(draw: st.DrawFn) -> Drawn:
    """A random chain of convolutions, transposed convolutions, pools and matrices, with odd channel counts and shapes."""
    wide = draw(st.booleans())  # many channels or many pixels
    most = 3 if wide else 9
    shape = (draw(st.sampled_from([1, 2, 3, 7])), draw(st.integers(2, most)), draw(st.integers(2, most)))
    counts = [1, 3, 33, 50, 100] if wide else [1, 2, 4, 7]
    layers: list[nn.Module] = []
    channels = shape[0]
    for _ in range(draw(st.integers(1, 3))):
        layer, channels = draw(_weighted(channels, counts))
        layers.append(layer)
        place = draw(
            st.sampled_from(["none", "behind", "before"])
        )  # of the weights, or of those of the next layer
        pool = [draw(_pool())] if place != "none" else []
        layers += [*pool, nn.ReLU()] if place == "behind" else [nn.ReLU(), *pool]
    tail = draw(st.sampled_from(["images", "vectors", "global", "pooled"]))
    if tail == "images" and not isinstance(layers[-1], nn.ReLU):
        layers.pop()  # a pool belongs to the weights behind it
    if tail == "global":
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if tail == "pooled":
        layers += [nn.AvgPool2d(2, stride=1, padding=1), nn.Flatten()]
    if tail == "vectors":
        layers += [nn.Flatten()]
    if tail != "images":
        layers += [nn.Linear(_size(layers, shape), draw(st.sampled_from([1, 7, 40]))), nn.ReLU()]
    _size(layers, shape)
    return Drawn(
        module=randomised(nn.Sequential(*layers), draw(st.integers(0, 1000))),
        shape=shape,
        percentile=draw(st.sampled_from([99.9, 80.0])),
        levels=draw(st.sampled_from([None, None, 3])),
    )


@st.composite
def _weighted(draw: st.DrawFn, channels: int, counts: list[int]) -> tuple[nn.Module, int]:
    groups = draw(st.sampled_from([1, 1, channels]))
    out = groups * draw(st.integers(1, 2)) if groups > 1 else draw(st.sampled_from(counts))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 2)))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    bias = draw(st.booleans())
    if draw(st.booleans()):
        dilation = draw(st.integers(1, 2))
        if draw(st.booleans()):
            return nn.Conv2d(
                channels, out, kernel, padding="same", dilation=dilation, groups=groups, bias=bias
            ), out
        return nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias), out
    extra = tuple(draw(st.integers(0, s - 1)) for s in stride)
    return nn.ConvTranspose2d(channels, out, kernel, stride, padding, extra, groups, bias), out


@st.composite
def _pool(draw: st.DrawFn) -> nn.Module:
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    stride = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    return nn.AvgPool2d(kernel, stride, padding=tuple(draw(st.integers(0, k // 2)) for k in kernel))


def _size(layers: list[nn.Module], shape: Shape) -> int:
    """Numbers behind the layers; an image smaller than a kernel is no example."""
    size = 0
    try:
        with torch.no_grad():
            size = nn.Sequential(*layers)(torch.zeros(1, *shape)).numel()
    except RuntimeError:
        pass
    assume(0 < size < 4000)
    return size


def measured(name: str, v_neg: float) -> OperatingTable:
    return TransferTable.load(shipped.find("neuron", name)).at(v_neg=v_neg)


def smooth(starts: int, commons: int, nodes: tuple[int, ...], *, even: bool = False) -> OperatingTable:
    """A leaky neuron with crooked edges on a grid of so many nodes; ``nodes``: of each spike count."""
    start, common = np.linspace(-2.0, 2.0, starts), np.linspace(0.0, 6.0, commons)
    ends = [(-6.0, -1e-3), *[(0.0, 0.999)] * (len(nodes) - 2), (0.0, 4.0)]
    bend = 1.0 if even else 1.3
    pieces = [a + (b - a) * np.linspace(0, 1, n) ** bend for (a, b), n in zip(ends, nodes, strict=True)]
    count = np.repeat(np.arange(len(nodes)), nodes)
    overdrive = np.concatenate(pieces)
    v, q, y = np.meshgrid(start, common, overdrive, indexing="ij")
    residual = 0.03 * np.sin(v + y) - 0.02 * np.cos(q) + np.maximum(-1.5 - y, 0) * (count == 0)
    crooked = 1 + 0.02 * np.sin(start)[:, None] + 0.01 * np.cos(common)
    random = np.random.default_rng(3)
    ideal = ideal_table(-2.0, net=4.0, v_high=2.0)
    return replace(
        ideal,
        start=start,
        q_common=common,
        count=count,
        overdrive=overdrive,
        edge=np.stack([crooked + n for n in range(len(nodes) - 1)]),
        residual=residual,
        energy=random.uniform(0.5e-12, 1e-12, (1, *residual.shape)),
        state=np.full(residual.shape, MEASURED, np.int8),
        figures={**ideal.figures, "gain_inh": 0.9},
    )


def profile(nodes: tuple[int, int]) -> OperatingTable:
    """A leaky neuron of one function of the overdrive, plus something linear in start and common charge; crooked edges."""
    table = smooth(2, 2, nodes, even=True)
    fired = table.count == 1
    sheets = []
    for sheet in (table.residual, *table.energy):
        size = float(np.abs(sheet).max())
        of_start, of_common = (
            size * np.array([a, b])[fired.astype(int)] for a, b in ((0.1, -0.2), (0.05, 0.3))
        )
        v, c = np.arange(2)[:, None, None], np.arange(2)[None, :, None]
        sheets.append(sheet[:1, :1] + v * of_start + c * of_common)
    return replace(table, residual=sheets[0], energy=np.stack(sheets[1:]))


def tables() -> dict[str, OperatingTable]:
    """One for each way in which the kernel looks up, and some of the shipped neurons."""
    return {
        "clocked": measured("nmp_clocked", -1.8),
        "clocked without a negative rail": measured("nmp_clocked", 0.0),
        "two spikes": measured("nmp", -0.9),
        "chosen form": choose(measured("nmp_clocked", -1.8), tolerance=1.0).table,
        "even": smooth(2, 2, (65, 33), even=True),
        "even, three spikes": smooth(2, 2, (33, 9, 9, 17), even=True),
        "2 x 2, not even": smooth(2, 2, (20, 12)),
        "profile": profile((65, 33)),
        "profile of 128 cells": profile((100, 29)),
        "profile of too many cells": profile((100, 30)),
        "33 nodes": smooth(9, 9, (20, 13)),
        "34 nodes": smooth(9, 9, (20, 14)),
        "65 nodes": smooth(9, 4, (40, 25)),
        "66 nodes": smooth(3, 3, (40, 26)),
        "10 starts": smooth(10, 3, (16, 9)),
        "17 starts, 40 nodes": smooth(17, 9, (27, 13)),
        "18 starts": smooth(18, 3, (16, 9)),
        "10 common charges": smooth(3, 10, (16, 9)),
        "8 spikes": smooth(5, 5, (12, *[4] * 7, 8)),
    }


TABLES = {name: CircuitNeuron(table) for name, table in tables().items()}


def usable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The instruction sets that build and processor share, from the plainest to the widest."""
    found = []
    for name in ("generic", "avx2", "avx512"):
        monkeypatch.setenv("SNNCIRCUIT_SIMD", name)
        try:
            found.append(event.simd())
        except SimulationError:
            continue
    monkeypatch.delenv("SNNCIRCUIT_SIMD")
    return found
