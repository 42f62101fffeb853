"""All engines give the same spikes, whatever the network, the batch and the chunks."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from snncircuit.network import dense, engines, event
from snncircuit.network.convert import convert
from snncircuit.network.encode import make_encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import EXIT_INTERVAL, SIGNALS, Outcome
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import Neuron, Step, Tally
from snncircuit.reference import ideal_table
from tests.network.nets import CLASSIFIER_SHAPE, alive, autoencoder, classifier, images, modules

Shape = tuple[int, int, int]
BUILT = [name for name in engines.NAMES if name != "event" or event.available()]
OTHERS = [name for name in BUILT if name != "reference"]


def run(
    engine: str, network: SpikingNetwork, neuron: Neuron, encoder: str, count: int, **options: Any
) -> Outcome:
    coder = make_encoder(encoder, 5)
    pictures = images(count, network.input_shape, seed=1)
    settled = {"first_image": 0, "steps": 15, "record": {}, "exit_margin": None, **options}
    with torch.inference_mode():
        return engines.engine(engine)(network, neuron, coder, pictures, **settled)


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
    st.sampled_from([None, 2, 5]),
)
def test_all_engines_give_the_spikes_of_reference(
    drawn: tuple[nn.Module, Shape], encoder: str, v_lb: float | None, reset: str, levels: int | None
) -> None:
    module, shape = drawn
    assume(alive(module, shape))
    network = convert(module, images(20, shape), levels=levels)
    neuron = IdealNeuron(v_lb=v_lb, reset=reset)
    reference = run("reference", network, neuron, encoder, 3)
    for engine in OTHERS:
        assert same(reference, run(engine, network, neuron, encoder, 3))


@pytest.mark.parametrize("engine", OTHERS)
def test_without_a_grid_engines_agree_to_rounding(engine: str) -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE), float_weights=True)
    assert all(layer.grid == 0 for layer in network.layers)
    one, other = (run(name, network, IdealNeuron(), "if", 4) for name in ("reference", engine))
    for name, counts in one.counts.items():
        assert float((counts - other.counts[name]).abs().max()) <= 1
    changed = sum(float((one.counts[name] != other.counts[name]).sum()) for name in one.counts)
    assert changed <= 0.001 * sum(counts.numel() for counts in one.counts.values())


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("encoder", ["constant", "if"])
def test_a_recorded_layer_tells_the_same_as_one_that_is_not(engine: str, encoder: str) -> None:
    network = convert(autoencoder(), images(20, CLASSIFIER_SHAPE))
    record = {layer.name: (0, 5) for layer in network.layers}
    plain = run(engine, network, IdealNeuron(v_lb=-0.25), encoder, 4)
    assert same(plain, run(engine, network, IdealNeuron(v_lb=-0.25), encoder, 4, record=record))


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("encoder", ["constant", "poisson"])
@pytest.mark.parametrize("margin", [1, 5])
def test_early_exit_does_not_depend_on_engine_or_batch(engine: str, encoder: str, margin: int) -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    options: dict[str, Any] = {"steps": 43, "exit_margin": margin}
    whole = run("reference", network, IdealNeuron(v_lb=-0.2), encoder, 6, **options)
    assert len(set(whole.steps_used.tolist())) > (1 if margin > 1 else 0)
    assert int(whole.steps_used.min()) < 43
    other = run(engine, network, IdealNeuron(v_lb=-0.2), encoder, 6, **options)
    assert same(whole, other)
    assert torch.equal(whole.steps_used, other.steps_used)
    pictures = images(6, CLASSIFIER_SHAPE, seed=1)
    with torch.inference_mode():
        alone = engines.engine(engine)(
            network,
            IdealNeuron(v_lb=-0.2),
            make_encoder(encoder, 5),
            pictures[4:5],
            first_image=4,
            record={},
            **options,
        )
    assert torch.equal(alone.output[:, 0], whole.output[:, 4])
    assert torch.equal(alone.v_output[:, 0], whole.v_output[:, 4])


@pytest.mark.parametrize("engine", ["reference", "dense"])
@pytest.mark.parametrize("encoder", ["constant", "if", "poisson"])
def test_everything_is_made_on_the_device_of_the_network(engine: str, encoder: str) -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    pictures = images(3, CLASSIFIER_SHAPE, seed=1)
    options: dict[str, Any] = {"first_image": 0, "steps": 20, "record": {}, "exit_margin": 4}
    runs = []
    # A tensor made without a device would be of no value on "meta", and would not mix with those of the network.
    for elsewhere in ("cpu", "meta"):
        with torch.inference_mode(), torch.device(elsewhere):
            coder = make_encoder(encoder, 5)
            runs.append(engines.engine(engine)(network, IdealNeuron(v_lb=-0.2), coder, pictures, **options))
    assert same(*runs)


def test_charges_of_all_steps_follow_from_how_often_each_input_spiked() -> None:
    generator = torch.Generator().manual_seed(0)
    for module in (classifier(), autoencoder()):
        for layer in convert(module, images(20, CLASSIFIER_SHAPE)).layers:
            spikes = torch.randint(0, 2, (9, *layer.in_shape), generator=generator).double()
            q_exc, q_inh = layer.to(torch.float64).charges(spikes)
            total = layer.total(spikes.sum(dim=0, keepdim=True), 9)
            assert total == (float(q_exc.sum()), float(q_inh.sum()))


@pytest.mark.parametrize("engine", BUILT)
def test_an_image_stops_at_the_first_look_at_which_it_is_decided(engine: str) -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    steps, margin = 43, 3
    full = run(engine, network, IdealNeuron(), "constant", 6, steps=steps)
    early = run(engine, network, IdealNeuron(), "constant", 6, steps=steps, exit_margin=margin)
    counts = full.output.cumsum(dim=0)
    first, second = counts.topk(2, dim=2).values.unbind(dim=2)
    for image, used in enumerate(early.steps_used.tolist()):
        looks = [t for t in range(EXIT_INTERVAL, steps, EXIT_INTERVAL)]
        ahead = [t for t in looks if first[t - 1, image] - second[t - 1, image] >= margin]
        assert used == (ahead[0] if ahead else steps)
        assert torch.equal(early.output[:used, image], full.output[:used, image])
        assert not early.output[used:, image].any()
        assert torch.equal(early.counts["fc2"][image], counts[used - 1, image])
        assert (early.v_output[used:, image] == early.v_output[used - 1, image]).all()
    for layer in network.layers:
        neurons = torch.Size(layer.out_shape).numel()
        assert early.tallies[layer.name].neuron_steps == neurons * int(early.steps_used.sum())


@pytest.mark.parametrize("engine", BUILT)
def test_a_margin_out_of_reach_changes_nothing(engine: str) -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    plain = run(engine, network, IdealNeuron(), "if", 3)
    margin = run(engine, network, IdealNeuron(), "if", 3, exit_margin=1000)
    assert same(plain, margin)
    assert plain.steps_used.tolist() == margin.steps_used.tolist() == [15, 15, 15]


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
    for engine in BUILT:
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


@pytest.fixture
def torch_threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("margin", [None, 1])
@pytest.mark.parametrize("encoder", ["constant", "poisson"])
@pytest.mark.parametrize("engine", OTHERS)
def test_threads_change_nothing(
    engine: str, encoder: str, margin: int | None, torch_threads: Callable[[int], None]
) -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    options: dict[str, Any] = {
        "record": {} if margin else {"conv1": (0, 7, 79)},
        "exit_margin": margin,
        "steps": 40,
    }
    torch_threads(1)
    alone = run(engine, network, IdealNeuron(v_lb=-0.2), encoder, 5, **options)
    for threads in (2, 3, 8):
        torch_threads(threads)
        together = run(engine, network, IdealNeuron(v_lb=-0.2), encoder, 5, **options)
        assert torch.get_num_threads() == threads
        assert same(alone, together)
        assert torch.equal(alone.steps_used, together.steps_used)
        for name, trace in alone.traces.items():
            assert all(np.array_equal(getattr(trace, s), getattr(together.traces[name], s)) for s in SIGNALS)


def test_a_neuron_with_a_state_of_its_own_sees_all_images_on_any_number_of_threads(
    torch_threads: Callable[[int], None],
) -> None:
    class Seeing(Bursting):
        def step(self, v_mem: torch.Tensor, q_exc: torch.Tensor, q_inh: torch.Tensor) -> Step:
            seen.append(len(v_mem))
            return super().step(v_mem, q_exc, q_inh)

    seen: list[int] = []
    torch_threads(2)
    run("dense", convert(classifier(), images(20, CLASSIFIER_SHAPE)), Seeing(), "constant", 4)
    assert set(seen) == {4}


def test_an_error_in_one_thread_is_the_error_of_the_run(torch_threads: Callable[[int], None]) -> None:
    class Broken:
        analog = False

        def values(self, images: torch.Tensor, first_image: int, start: int, steps: int) -> torch.Tensor:
            if first_image == 2 and start:
                raise ArithmeticError
            return images.expand(steps, *images.shape)

    torch_threads(2)
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    with pytest.raises(ArithmeticError), torch.inference_mode():
        dense.run_dense(
            network,
            IdealNeuron(),
            Broken(),
            images(4, CLASSIFIER_SHAPE),
            first_image=0,
            steps=40,
            record={},
            exit_margin=9,
        )
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("engine", BUILT)
@pytest.mark.parametrize("encoder", ["constant", "if", "poisson"])
def test_an_image_does_not_depend_on_its_batch(engine: str, encoder: str) -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    coder = make_encoder(encoder, 5)
    pictures = images(4, CLASSIFIER_SHAPE, seed=1)
    whole = run(engine, network, IdealNeuron(), encoder, 4)
    for image in range(4):
        with torch.inference_mode():
            alone = engines.engine(engine)(
                network,
                IdealNeuron(),
                coder,
                pictures[image : image + 1],
                first_image=image,
                steps=15,
                record={},
                exit_margin=None,
            )
        assert torch.equal(alone.output[:, 0], whole.output[:, image])


@pytest.mark.parametrize("engine", BUILT)
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
