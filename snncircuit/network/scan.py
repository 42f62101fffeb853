"""The neurons of one layer through many steps: a scan over time of charges that are already there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from snncircuit.network import event
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import EMPTY, Neuron, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a scan gives.

    Attributes:
        v_mem: membranes after the last step.
        counts: spikes of each neuron in all steps.
        membranes: at the end of each step; of no step where they are not kept.
        tally: of all steps.
    """

    v_mem: Float[Tensor, "n k"]
    counts: Float[Tensor, "n k"]
    membranes: Float[Tensor, "kept n k"]
    tally: Tally


def scan(
    neuron: Neuron,
    v_mem: Float[Tensor, "n k"],
    q_exc: Float[Tensor, "t n k"],
    q_inh: Float[Tensor, "t n k"],
    spikes: Float[Tensor, "t n k"],
    *,
    keep_membranes: bool,
) -> Scanned:
    """Any neuron, one step after the other; ``spikes`` is written."""
    membranes = torch.empty_like(spikes if keep_membranes else spikes[:0])
    tally = EMPTY
    for step in range(len(q_exc)):
        outcome = neuron.step(v_mem, q_exc[step], q_inh[step])
        v_mem = outcome.v_mem
        tally += outcome.tally
        spikes[step] = outcome.spikes
        if keep_membranes:
            membranes[step] = v_mem
    return Scanned(v_mem=v_mem, counts=spikes.sum(dim=0), membranes=membranes, tally=tally)


def scan_ideal(
    neuron: IdealNeuron,
    v_mem: Float[Tensor, "n k"],
    net: Float[Tensor, "t n k"],
    spikes: Float[Tensor, "t n k"],
    *,
    keep_membranes: bool,
) -> Scanned:
    """Ideal neurons, ``IdealNeuron.step``, from net charges alone; ``spikes`` is written and, as charges, left out of the tally.

    In the compiled kernel where it is built, in one pass over the charges; else in torch, where on a graphics card nothing waits for a
    result before the last step.
    """
    kernel = (
        event.available()
        and net.device.type == "cpu"
        and net.dtype == torch.float32
        and spikes.is_contiguous()
    )
    membranes = torch.empty_like(spikes if keep_membranes else spikes[:0])
    run = _scan_compiled if kernel else _scan_torch
    v, counts, clipped, low, high = run(neuron, v_mem.clone(), net, spikes, membranes)
    tally = Tally(
        neuron_steps=net.numel(),
        spikes=0.0,
        q_exc=0.0,
        q_inh=0.0,
        clipped_charge=clipped,
        out_of_range=0,
        v_low=low,
        v_high=high,
    )
    return Scanned(v_mem=v, counts=counts, membranes=membranes, tally=tally)


Ends = tuple[Tensor, Tensor, float, float, float]
"""Membranes, spikes of each neuron, clipped charge, lowest and highest membrane."""


def _scan_compiled(neuron: IdealNeuron, v: Tensor, net: Tensor, spikes: Tensor, membranes: Tensor) -> Ends:
    from snncircuit.network.event import _kernel

    counts = torch.zeros_like(v)
    repeated = net.stride(0) == 0 and len(net) > 1
    rows = (net[:1] if repeated else net).contiguous().flatten(1)
    clipped, low, high = _kernel.scan_ideal(
        net=rows.numpy(),
        v_mem=v.view(-1).numpy(),
        counts=counts.view(-1).numpy(),
        spikes=spikes.flatten(1).numpy(),
        membranes=membranes.flatten(1).numpy() if len(membranes) else None,
        v_lb=-math.inf if neuron.v_lb is None else neuron.v_lb,
        to_zero=neuron.reset == "zero",
        threads=torch.get_num_threads(),
    )
    return v, counts, clipped, low, high


def _scan_torch(neuron: IdealNeuron, v: Tensor, net: Tensor, spikes: Tensor, membranes: Tensor) -> Ends:
    extent, clipped = _Extent(), v.new_zeros((), dtype=torch.float64)
    for step in range(len(net)):
        fired = spikes[step]
        v.add_(net[step])
        torch.ge(v, 1, out=fired)
        if neuron.reset == "subtract":
            v.sub_(fired)
        else:
            v.masked_fill_(fired > 0, 0.0)
        if neuron.v_lb is not None:
            clipped += (neuron.v_lb - v).clamp_(min=0).sum(dtype=torch.float64)
            v.clamp_(min=neuron.v_lb)
        extent.see(v)
        if len(membranes):
            membranes[step] = v
    return v, spikes.sum(dim=0), float(clipped), *extent.ends()


@dataclass(frozen=True, slots=True)
class _Extent:
    """Lowest and highest value of many tensors, read once at the end."""

    seen: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def see(self, values: Tensor) -> None:
        if values.numel():
            self.seen.append(torch.aminmax(values))

    def ends(self) -> tuple[float, float]:
        if not self.seen:
            return torch.inf, -torch.inf
        lows, highs = zip(*self.seen, strict=True)
        return float(torch.stack(lows).min()), float(torch.stack(highs).max())
