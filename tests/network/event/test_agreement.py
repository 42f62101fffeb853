"""What the event engine gives depends on neither threads, chunks nor instruction set; what it cannot run, it refuses."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from snncircuit.errors import SimulationError
from snncircuit.network import event
from snncircuit.network.convert import convert
from snncircuit.network.encode import make_encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import Outcome
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import Neuron
from tests.network.event.drawn import ENCODERS, TABLES, usable
from tests.network.nets import autoencoder, classifier, images, randomised

if not event.available():
    pytest.skip(event.unavailable_reason(), allow_module_level=True)

from snncircuit.network.event.engine import run_event

STEPS, COUNT = 43, 5
NEURONS: dict[str, Neuron] = {
    "ideal": IdealNeuron(v_lb=-0.3),
    "to zero": IdealNeuron(reset="zero"),
    "clocked": TABLES["clocked"],
    "two spikes": TABLES["two spikes"],
    "profile": TABLES["profile"],
}


def network(kind: str) -> SpikingNetwork:
    """One with pools, global average and matrices, one of transposed convolutions, one of two strips and blocks of lanes."""
    if kind == "wide":
        module = randomised(
            nn.Sequential(
                nn.Conv2d(1, 150, 3),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(150 * 36, 70),
                nn.ReLU(),
                nn.Linear(70, 9),
            ),
            1,
        )
    else:
        module = {"classifier": classifier, "autoencoder": autoencoder}[kind]()
    return convert(module, images(20, (1, 8, 8)))


NETWORKS = {kind: network(kind) for kind in ("classifier", "autoencoder", "wide")}


def run(
    network: SpikingNetwork, neuron: Neuron, encoder: str, *, margin: int | None = None, chunk: int = 32
) -> Outcome:
    return run_event(
        network,
        neuron,
        make_encoder(encoder, 5),
        images(COUNT, network.input_shape, seed=1),
        first_image=0,
        steps=STEPS,
        record={network.layers[0].name: (0, 5)},
        exit_margin=margin,
        chunk=chunk,
    )


def assert_same(one: Outcome, other: Outcome) -> None:
    """To the last bit, but for sums of single precision that a chunk ends."""
    assert torch.equal(one.output, other.output)
    assert torch.equal(one.v_output, other.v_output)
    assert torch.equal(one.steps_used, other.steps_used)
    for name, tally in one.tallies.items():
        there = other.tallies[name]
        assert torch.equal(one.counts[name], other.counts[name])
        assert (tally.spikes, tally.q_exc, tally.q_inh) == (there.spikes, there.q_exc, there.q_inh)
        assert (tally.v_low, tally.v_high) == (there.v_low, there.v_high)
        assert tally.out_of_range == there.out_of_range
        assert tally.clipped_charge == pytest.approx(there.clipped_charge, rel=1e-5)
        if tally.occupancy is not None and there.occupancy is not None:
            assert float((tally.occupancy - there.occupancy).abs().max()) <= 1e-6 * tally.neuron_steps
    for name, trace in one.traces.items():
        assert np.array_equal(trace.v_mem, other.traces[name].v_mem)
        assert np.array_equal(trace.spikes, other.traces[name].spikes)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("neuron", NEURONS)
class TestARunDoesNotDependOn:
    @pytest.mark.parametrize("encoder", ENCODERS)
    def test_its_threads(self, kind: str, neuron: str, encoder: str) -> None:
        outcomes = []
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            outcomes.append(run(NETWORKS[kind], NEURONS[neuron], encoder))
        for other in outcomes[1:]:
            assert_same(outcomes[0], other)
            for name, tally in outcomes[0].tallies.items():
                assert tally.clipped_charge == other.tallies[name].clipped_charge
                if tally.occupancy is not None:
                    assert torch.equal(tally.occupancy, other.tallies[name].occupancy)

    def test_its_chunks(self, kind: str, neuron: str) -> None:
        whole = run(NETWORKS[kind], NEURONS[neuron], "poisson", chunk=STEPS)
        for chunk in (1, 8, 16, 32, 40):
            assert_same(whole, run(NETWORKS[kind], NEURONS[neuron], "poisson", chunk=chunk))

    def test_its_instruction_set(self, kind: str, neuron: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for margin in (None, 2):
            widest = run(NETWORKS[kind], NEURONS[neuron], "if", margin=margin)
            for name in usable(monkeypatch):
                monkeypatch.setenv("SNNCIRCUIT_SIMD", name)
                found = run(NETWORKS[kind], NEURONS[neuron], "if", margin=margin)
                if isinstance(NEURONS[neuron], IdealNeuron):
                    assert_same(widest, found)
                    continue
                # Sums of products may be fused or not.
                assert torch.equal(widest.output, found.output)
                assert torch.allclose(widest.v_output, found.v_output, rtol=0, atol=1e-4)
                assert all(torch.equal(c, found.counts[layer]) for layer, c in widest.counts.items())
            monkeypatch.delenv("SNNCIRCUIT_SIMD")


@pytest.mark.parametrize("table", TABLES)
def test_every_way_to_look_up_is_the_same_in_every_instruction_set(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = []
    for name in usable(monkeypatch):
        monkeypatch.setenv("SNNCIRCUIT_SIMD", name)
        outcomes.append(run(NETWORKS["classifier"], TABLES[table], "constant"))
    for other in outcomes[1:]:
        assert torch.equal(outcomes[0].output, other.output)
        for name, tally in outcomes[0].tallies.items():
            assert torch.equal(outcomes[0].counts[name], other.counts[name])
            assert tally.out_of_range == other.tallies[name].out_of_range
            assert tally.occupancy is not None
            assert torch.allclose(tally.occupancy, other.tallies[name].occupancy, rtol=1e-4, atol=1e-2)


def test_runs_of_one_network_at_the_same_time_do_not_meet() -> None:
    expected = run(NETWORKS["wide"], IdealNeuron(), "poisson")
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(run, NETWORKS["wide"], IdealNeuron(), "poisson") for _ in range(8)]
    for future in found:
        assert_same(expected, future.result())


class Halves:
    analog = False

    def values(self, images: Tensor, first_image: int, start: int, steps: int) -> Tensor:
        return torch.full((steps, *images.shape), 0.5)


def test_an_encoder_of_other_than_spikes_is_refused() -> None:
    net = NETWORKS["classifier"]
    options = {"first_image": 0, "steps": 3, "record": {}, "exit_margin": None}
    with pytest.raises(
        SimulationError, match=r"Halves gives other values than 0 and 1; .* the dense engine any"
    ):
        run_event(net, IdealNeuron(), Halves(), images(1, net.input_shape), **options)


@pytest.mark.parametrize("line", ["weight_exc", "weight_inh", "bias_exc"])
@pytest.mark.parametrize("layer", [0, 1, 4])
def test_a_grid_on_which_a_sum_may_overflow_is_refused(line: str, layer: int) -> None:
    layers = list(NETWORKS["classifier"].layers)
    wide = getattr(layers[layer], line) * 64.0 + 8192 * layers[layer].grid * (line == "bias_exc") * 4
    layers[layer] = dataclasses.replace(layers[layer], **{line: wide})
    net = dataclasses.replace(NETWORKS["classifier"], layers=tuple(layers))
    with pytest.raises(SimulationError, match=f"{layers[layer].name}: a sum .* the event engine holds 32767"):
        run(net, IdealNeuron(), "if")


def test_a_neuron_it_does_not_know_and_one_of_too_many_spikes_are_refused() -> None:
    class Other(IdealNeuron.__base__):  # type: ignore[misc, name-defined]
        pass

    with pytest.raises(SimulationError, match="knows ideal and circuit neurons, no Other"):
        run(NETWORKS["classifier"], Other(), "if")
    table = TABLES["8 spikes"].table
    count = np.concatenate([table.count, [9, 9]])
    more = dataclasses.replace(
        table,
        count=count,
        overdrive=np.concatenate([table.overdrive, table.overdrive[-2:]]),
        edge=np.concatenate([table.edge, table.edge[-1:] + 1]),
        residual=np.concatenate([table.residual, table.residual[..., -2:]], axis=-1),
        energy=np.concatenate([table.energy, table.energy[..., -2:]], axis=-1),
        state=np.concatenate([table.state, table.state[..., -2:]], axis=-1),
    )
    with pytest.raises(SimulationError, match="a table of 9 spikes in a step; the event engine holds 8"):
        run(NETWORKS["classifier"], CircuitNeuron(more), "if")
