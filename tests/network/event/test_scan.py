"""The compiled scan of the dense engine is ``IdealNeuron.step``, step by step."""

import numpy as np
import pytest
import torch

from snncircuit.network import event
from snncircuit.neuron.ideal import IdealNeuron
from tests.network.event.drawn import usable

if not event.available():
    pytest.skip(event.unavailable_reason(), allow_module_level=True)

from snncircuit.network.event import _kernel


@pytest.mark.parametrize("size", [1, 4, 17, 63, 64, 65, 200])
@pytest.mark.parametrize("v_lb", [None, 0.0, -0.4])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("repeated", [False, True])
def test_a_scan_is_the_neuron_step_by_step(
    size: int, v_lb: float | None, reset: str, repeated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(size)
    neuron, steps = IdealNeuron(v_lb=v_lb, reset=reset), 21
    net = torch.round(64 * torch.randn(1 if repeated else steps, size, generator=generator)) / 64
    start = torch.round(64 * torch.rand(size, generator=generator)) / 64
    v, expected_spikes, expected_membranes, clipped = start, [], [], 0.0
    for t in range(steps):
        charge = net[0 if repeated else t]
        step = neuron.step(v, charge.clamp(min=0), (-charge).clamp(min=0))
        v = step.v_mem
        expected_spikes.append(step.spikes)
        expected_membranes.append(v)
        clipped += step.tally.clipped_charge
    membranes = torch.stack(expected_membranes)
    for name in usable(monkeypatch):
        monkeypatch.setenv("SNNCIRCUIT_SIMD", name)
        for threads in (1, 2, 3):
            v_mem, counts = start.clone(), torch.full((size,), 2.0)
            spikes, kept = torch.full((steps, size), -1.0), torch.full((steps, size), -9.0)
            found = _kernel.scan_ideal(
                net=net.numpy(),
                v_mem=v_mem.numpy(),
                counts=counts.numpy(),
                spikes=spikes.numpy(),
                membranes=kept.numpy() if threads != 2 else None,
                v_lb=-np.inf if v_lb is None else v_lb,
                to_zero=reset == "zero",
                threads=threads,
            )
            assert torch.equal(spikes, torch.stack(expected_spikes))
            assert torch.equal(counts, 2 + spikes.sum(dim=0))
            assert torch.equal(v_mem, v)
            assert threads == 2 or torch.equal(kept, membranes)
            assert found == (
                pytest.approx(clipped, rel=1e-6),
                float(membranes.min()),
                float(membranes.max()),
            )
