"""Mismatched neurons in networks: every engine runs them, and the kernel as exactly as it runs the nominal ones."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snncircuit.errors import SimulationError
from snncircuit.network import event
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import Outcome
from snncircuit.network.populations import by_layer
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.step import Neuron
from snncircuit.neuron.variation import NOMINAL, VariedNeuron, draw

if not event.available():
    pytest.skip(event.unavailable_reason(), allow_module_level=True)

from tests.network.event.drawn import ENCODERS, TABLES, Drawn, modules, run, usable
from tests.network.event.test_agreement import NETWORKS, assert_same
from tests.network.event.test_engine import SAME_SPIKES, assert_same_energies, assert_same_tally

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

SIGMAS = np.array([0.06, 0.06, 0.04, 0.005, 0.03])
KINDS = ("clocked", "two spikes", "even", "66 nodes")


def mismatched(network: SpikingNetwork, table: str, seed: int) -> dict[str, Neuron]:
    random = np.random.default_rng(seed)
    measured = NOMINAL + random.standard_normal((50, 5)) * SIGMAS
    return {
        layer.name: VariedNeuron.of(TABLES[table], draw(measured, layer.out_shape, random))
        for layer in network.layers
    }


def unvaried(network: SpikingNetwork, neuron: CircuitNeuron) -> dict[str, Neuron]:
    ones = torch.tensor(NOMINAL)
    return {
        layer.name: VariedNeuron.of(
            neuron, ones.reshape(5, *[1] * len(layer.out_shape)).repeat(1, *layer.out_shape)
        )
        for layer in network.layers
    }


def moved(one: Outcome, other: Outcome) -> float:
    return sum(
        float(np.abs(trace.spikes - other.traces[name].spikes).sum()) for name, trace in one.traces.items()
    )


def every(network: SpikingNetwork) -> dict[str, tuple[int, ...]]:
    return {layer.name: tuple(range(torch.Size(layer.out_shape).numel())) for layer in network.layers}


@pytest.mark.parametrize("table", KINDS)
@settings(max_examples=3)
@given(drawn=modules(), encoder=st.sampled_from(ENCODERS), seed=st.integers(0, 1000))
def test_mismatched_neurons_spike_alike_in_every_engine(
    drawn: Drawn, encoder: str, seed: int, table: str
) -> None:
    network = drawn.spiking()
    neurons = mismatched(network, table, seed)
    record = every(network)
    found = run("event", network, neurons, encoder, count=2, record=record)
    for engine in ("reference", "dense"):
        expected = run(engine, network, neurons, encoder, count=2, record=record)
        spikes = sum(tally.spikes for tally in expected.tallies.values())
        if moved(expected, found):
            assert moved(expected, found) <= 2 + SAME_SPIKES * spikes
            continue
        assert torch.equal(expected.output, found.output)
        assert float((expected.v_output - found.v_output).abs().max()) < 1e-4
        for name, tally in expected.tallies.items():
            assert_same_tally(tally, found.tallies[name], places=1e-4)
            assert_same_energies(neurons[name], tally, found.tallies[name])


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("table", ["clocked", "two spikes"])
@pytest.mark.parametrize("encoder", ["constant", "if"])
def test_neurons_that_do_not_vary_are_the_nominal_ones_bit_for_bit(
    kind: str, table: str, encoder: str
) -> None:
    network, neuron = NETWORKS[kind], TABLES[table]
    record = {network.layers[0].name: (0, 5)}
    for engine in ("event", "dense") if kind == "classifier" else ("event",):
        plain = run(engine, network, neuron, encoder, record=record)
        varied = run(engine, network, unvaried(network, neuron), encoder, record=record)
        assert torch.equal(plain.output, varied.output)
        assert torch.equal(plain.v_output, varied.v_output)
        for name, tally in plain.tallies.items():
            there = varied.tallies[name]
            assert torch.equal(plain.counts[name], varied.counts[name])
            assert (tally.clipped_charge, tally.out_of_range) == (there.clipped_charge, there.out_of_range)
            assert (tally.q_exc, tally.q_inh) == pytest.approx((there.q_exc, there.q_inh), rel=1e-12)
            assert tally.occupancy is not None
            assert there.occupancy is not None
            assert torch.equal(tally.occupancy, there.occupancy)
        for signal in ("q_exc", "q_inh", "v_mem", "spikes"):
            one, other = (getattr(o.traces[network.layers[0].name], signal) for o in (plain, varied))
            assert np.array_equal(one, other)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_chip_does_not_depend_on_threads_or_chunks(kind: str) -> None:
    from snncircuit.network.encode import make_encoder
    from snncircuit.network.event.engine import run_event
    from tests.network.nets import images

    network = NETWORKS[kind]
    neurons = mismatched(network, "clocked", 3)
    outcomes = []
    for number, chunk in ((1, 32), (3, 32), (2, 8), (2, 1)):
        torch.set_num_threads(number)
        with torch.inference_mode():
            outcomes.append(
                run_event(
                    network,
                    neurons,
                    make_encoder("poisson", 5),
                    images(5, network.input_shape, seed=1),
                    first_image=0,
                    steps=43,
                    record={},
                    exit_margin=None,
                    chunk=chunk,
                )
            )
    for other in outcomes[1:]:
        assert_same(outcomes[0], other)


def test_a_chip_does_not_depend_on_the_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS["classifier"]
    neurons = mismatched(network, "clocked", 4)
    outcomes = []
    for name in usable(monkeypatch):
        monkeypatch.setenv("SNNCIRCUIT_SIMD", name)
        outcomes.append(run("event", network, neurons, "constant"))
    for other in outcomes[1:]:
        assert torch.equal(outcomes[0].output, other.output)
        assert all(torch.equal(counts, other.counts[name]) for name, counts in outcomes[0].counts.items())


def test_other_chips_of_a_network_share_what_is_prepared() -> None:
    from snncircuit.network.event.prepared import prepared

    network = NETWORKS["classifier"]
    one, other = (prepared(network, mismatched(network, "clocked", seed), analog=True) for seed in (1, 2))
    assert one is other is prepared(network, TABLES["clocked"], analog=True)


@pytest.mark.parametrize("engine", ["event", "dense", "reference"])
def test_neurons_of_another_shape_than_their_layer_are_refused(engine: str) -> None:
    network = NETWORKS["classifier"]
    neurons = {**mismatched(network, "clocked", 1)}
    neurons["conv2"] = neurons["conv1"]
    with pytest.raises(SimulationError) as raised:
        run(engine, network, neurons, "if")
    shapes = {layer.name: layer.out_shape for layer in network.layers}
    assert str(raised.value) == (
        f"conv2 has neurons of shape {shapes['conv2']}; the mismatched ones given have {shapes['conv1']}"
    )
    assert by_layer(network, mismatched(network, "clocked", 1)).keys() == shapes.keys()
