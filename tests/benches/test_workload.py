"""What the benches compare is the same work: equal weights, equal spikes, the stated activity."""

from pathlib import Path

import circuit_neurons
import floor
import handover
import pytest
import scaling
import torch
import workload
from torch import nn

from snncircuit.network import event
from snncircuit.neuron.ideal import IdealNeuron

STEPS = 24
ENGINES = [
    "dense",
    pytest.param("event", marks=pytest.mark.skipif(not event.available(), reason="event engine not built")),
]


def tiny() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, stride=2, padding=1, bias=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 20, bias=False),
    )


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(workload.NETWORKS, "tiny", (tiny, (3, 12, 12)))


@pytest.mark.parametrize("activity", [0.02, 0.1, 0.4])
def test_every_layer_has_the_activity_that_was_asked(activity: float) -> None:
    work = workload.build("tiny", images=2, steps=STEPS, activity=activity)
    found = workload.activity_of(workload.runner(work, IdealNeuron(), "dense")())
    assert list(found)[:2] == ["conv1", "conv2"]
    for value in list(found.values())[:2]:  # the others have too few neurons to come closer than a spike
        assert value == pytest.approx(activity, rel=0.1)


def test_a_workload_is_the_same_every_time_and_an_image_does_not_depend_on_how_many() -> None:
    one, other = (workload.build("tiny", images=n, steps=STEPS) for n in (2, 5))
    for a, b in zip(one.network.layers, other.network.layers, strict=True):
        assert torch.equal(a.weight_exc, b.weight_exc)
        assert torch.equal(a.weight_inh, b.weight_inh)
    assert torch.equal(one.images, other.images[:2])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make", ["table_neuron", "full_neuron"])
def test_circuit_neurons_spike_as_ideal_ones_and_burn_energy(engine: str, make: str) -> None:
    work = workload.build("tiny", images=3, steps=STEPS)
    circuit = getattr(circuit_neurons, make)()
    ideal = workload.runner(work, IdealNeuron(v_lb=circuit_neurons.LOWEST), engine)()
    outcome = workload.runner(work, circuit, engine)()
    for layer, counts in ideal.counts.items():
        assert torch.equal(outcome.counts[layer], counts)
        tally = outcome.tallies[layer]
        assert tally.out_of_range <= 1e-3 * tally.neuron_steps
        supplies = circuit.energies(tally)
        assert len(supplies) == len(circuit.table.supplies)
        assert all(sum(terms.values()) > 0 for terms in supplies.values())
    assert torch.equal(outcome.output, ideal.output)


def test_a_peer_is_handed_the_very_same_numbers(tmp_path: Path) -> None:
    work = workload.build("tiny", images=2, steps=STEPS)
    path = tmp_path / "handed.safetensors"
    handover.write(work, path)
    handed = handover.read(path)
    first, *behind = work.network.layers
    q_exc, q_inh = first.current(work.images)
    assert torch.equal(handed.current, q_exc - q_inh)
    assert handed.steps == STEPS
    for layer, theirs in zip(behind, handed.layers, strict=True):
        assert torch.equal(theirs.weight, layer.weight_exc - layer.weight_inh)
        assert (tuple(theirs.before), theirs.operator, tuple(theirs.after)) == (
            layer.before,
            layer.operator,
            layer.after,
        )


def test_what_is_recorded_of_an_engine_is_its_convolutions_and_products() -> None:
    x, weight, matrix = torch.rand(1, 2, 5, 5), torch.rand(3, 2, 3, 3), torch.rand(4, 27)
    with floor.Recorder() as recorder:
        convolved = torch.relu(nn.functional.conv2d(x, weight))
        product = nn.functional.linear(convolved.flatten(1), matrix)
    again = [call() for call in recorder.calls]
    assert len(again) == 2
    assert torch.equal(torch.relu(again[0]), convolved)
    assert torch.equal(again[1], product)


def test_a_straight_line_is_found_straight() -> None:
    line = scaling.Line.through([1.0, 2.0, 4.0], [3.0, 5.0, 9.0])
    assert (line.slope, line.intercept, line.r2) == (
        pytest.approx(2.0),
        pytest.approx(1.0),
        pytest.approx(1.0),
    )
