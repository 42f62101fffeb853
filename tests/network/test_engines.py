"""Both engines give the same spikes, whatever the network, the batch and the chunks."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from snncircuit.network import dense
from snncircuit.network.convert import convert
from snncircuit.network.encode import make_encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import Outcome
from snncircuit.network.simulate import ENGINES
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import Neuron, Step, Tally
from snncircuit.reference import ideal_table
from tests.network.nets import CLASSIFIER_SHAPE, alive, autoencoder, classifier, images, modules

Shape = tuple[int, int, int]


def run(
    engine: str, network: SpikingNetwork, neuron: Neuron, encoder: str, count: int, **options: Any
) -> Outcome:
    coder = make_encoder(encoder, 5)
    pictures = images(count, network.input_shape, seed=1)
    settled = {"first_image": 0, "steps": 15, "record": {}, **options}
    with torch.inference_mode():
        return ENGINES[engine](network, neuron, coder, pictures, **settled)


def same(one: Outcome, other: Outcome) -> bool:
    assert one.tallies.keys() == other.tallies.keys()
    for name, tally in one.tallies.items():
        there = other.tallies[name]
        assert (tally.neuron_steps, tally.spikes) == (there.neuron_steps, there.spikes)
        assert (tally.v_low, tally.v_high) == (there.v_low, there.v_high)
        assert (tally.q_exc, tally.q_inh, tally.clipped_charge) == pytest.approx(
            (there.q_exc, there.q_inh, there.clipped_charge), rel=1e-5
        )
        assert torch.equal(one.counts[name], other.counts[name])
    return torch.equal(one.output, other.output) and torch.equal(one.v_output, other.v_output)


@settings(max_examples=25)
@given(
    modules(),
    st.sampled_from(["constant", "if", "poisson"]),
    st.sampled_from([None, 0.0, -0.5]),
    st.sampled_from(["subtract", "zero"]),
)
def test_dense_gives_the_spikes_of_reference(
    drawn: tuple[nn.Module, Shape], encoder: str, v_lb: float | None, reset: str
) -> None:
    module, shape = drawn
    assume(alive(module, shape))
    network = convert(module, images(20, shape))
    neuron = IdealNeuron(v_lb=v_lb, reset=reset)
    assert same(run("reference", network, neuron, encoder, 3), run("dense", network, neuron, encoder, 3))


class Bursting:
    """Up to four spikes in a step: whatever fits."""

    def step(self, v_mem: torch.Tensor, q_exc: torch.Tensor, q_inh: torch.Tensor) -> Step:
        x = v_mem + (q_exc - q_inh)
        spikes = x.floor().clamp(0, 4)
        tally = Tally(
            neuron_steps=x.numel(),
            spikes=float(spikes.sum()),
            q_exc=0.0,
            q_inh=0.0,
            clipped_charge=0.0,
            out_of_range=0,
            v_low=0.0,
            v_high=0.0,
        )
        return Step(spikes=spikes, v_mem=x - spikes, tally=tally)

    def energies(self, tally: Tally) -> dict[str, dict[str, float]]:
        return {}


def test_dense_gives_the_spikes_of_reference_for_neurons_that_fire_several_times_in_a_step() -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE), "percentile", 50.0)
    one, other = (run(engine, network, Bursting(), "constant", 4) for engine in ("reference", "dense"))
    assert float(one.counts["conv1"].max()) > 15
    assert same(one, other)


def test_a_table_of_the_ideal_neuron_gives_the_ideal_network() -> None:
    from snncircuit.neuron.circuit import CircuitNeuron

    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    measured = CircuitNeuron(ideal_table(-1.0))
    for engine in ENGINES:
        ideal, table = (
            run(engine, network, neuron, "if", 4) for neuron in (IdealNeuron(v_lb=-1.0), measured)
        )
        assert all(torch.equal(ideal.counts[name], table.counts[name]) for name in ideal.counts)
        assert torch.equal(ideal.output, table.output)


@pytest.mark.parametrize("encoder", ["constant", "poisson"])
def test_dense_does_not_depend_on_its_chunks(encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = convert(autoencoder(), images(20, CLASSIFIER_SHAPE))
    record = {"conv1": (0, 7, 79), "convt2": (63,)}
    whole = run("dense", network, IdealNeuron(v_lb=-0.2), encoder, 5, record=record)
    monkeypatch.setattr(dense, "CHUNK_BYTES", 4 * 5 * dense.bytes_per_image_step(network))
    chunked = run("dense", network, IdealNeuron(v_lb=-0.2), encoder, 5, record=record)
    assert same(whole, chunked)
    assert all(np.array_equal(whole.traces[name].spikes, chunked.traces[name].spikes) for name in record)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("encoder", ["constant", "if", "poisson"])
def test_an_image_does_not_depend_on_its_batch(engine: str, encoder: str) -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    coder = make_encoder(encoder, 5)
    pictures = images(4, CLASSIFIER_SHAPE, seed=1)
    whole = run(engine, network, IdealNeuron(), encoder, 4)
    for image in range(4):
        with torch.inference_mode():
            alone = ENGINES[engine](
                network,
                IdealNeuron(),
                coder,
                pictures[image : image + 1],
                first_image=image,
                steps=15,
                record={},
            )
        assert torch.equal(alone.output[:, 0], whole.output[:, image])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_trace_is_the_whole_history_of_its_neurons(engine: str) -> None:
    network = convert(autoencoder(), images(20, CLASSIFIER_SHAPE))
    neurons = (3, 0, 41)
    record = dict.fromkeys(["conv1", "convt1", "convt2"], neurons)
    outcome = run(engine, network, IdealNeuron(v_lb=-0.3), "if", 2, record=record)
    for name, trace in outcome.traces.items():
        assert trace.neurons == neurons
        assert trace.q_exc.shape == trace.q_inh.shape == trace.v_mem.shape == trace.spikes.shape == (15, 2, 3)
        counts = outcome.counts[name].flatten(1)[:, list(neurons)]
        assert np.array_equal(trace.spikes.sum(axis=0), counts.numpy())
        v = np.zeros((2, 3), dtype=np.float32)
        for q_exc, q_inh, v_mem, spikes in zip(
            trace.q_exc, trace.q_inh, trace.v_mem, trace.spikes, strict=True
        ):
            v = np.maximum(v + (q_exc - q_inh) - spikes, np.float32(-0.3))
            assert np.array_equal(v, v_mem)
