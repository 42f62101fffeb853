"""A Run says of the network what is true of it, and a run that would mean nothing is refused."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.network import event
from snncircuit.network.convert import convert
from snncircuit.network.dense import MAX_BATCH
from snncircuit.network.encode import PoissonSpikes, make_encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.reference import run_reference
from snncircuit.network.run import Run
from snncircuit.network.simulate import simulate
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import Step, Tally
from tests.network.nets import CLASSIFIER_SHAPE, autoencoder, classifier, images

LABELS = torch.tensor([0, 1, 2, 3, 4, 0])


@pytest.fixture(scope="module")
def network() -> SpikingNetwork:
    return convert(classifier(), images(50, CLASSIFIER_SHAPE), name="small")


@pytest.fixture
def pictures() -> Tensor:
    return images(6, CLASSIFIER_SHAPE, seed=2)


class Costly:
    """An ideal neuron that burns 1 nJ a spike and 1 pJ a step, and calls its first and last neuron out of range."""

    def step(self, v_mem: Tensor, q_exc: Tensor, q_inh: Tensor) -> Step:
        step = IdealNeuron().step(v_mem, q_exc, q_inh)
        return replace(step, tally=replace(step.tally, out_of_range=2))

    def energies(self, tally: Tally) -> dict[str, dict[str, float]]:
        return {
            "vdd": {"spikes": 1e-9 * tally.spikes, "static": 1e-12 * tally.neuron_steps},
            "vneg": {"static": 1e-15},
        }


def test_unbounded_ideal_neurons_classify_like_the_module(network: SpikingNetwork) -> None:
    pictures = images(100, CLASSIFIER_SHAPE, seed=6)
    with torch.no_grad():
        labels = classifier()(pictures).argmax(dim=1)
    run = simulate(network, IdealNeuron(), pictures, labels, steps=300)
    assert run.score == "accuracy"
    assert run.ann_score == 1
    assert run.by_step[-1] >= 0.95
    assert len(run.by_step) == 300
    assert run.engine == ("event" if event.available() else "dense")
    assert run.first_bad_layer is None
    assert run.energy is None


def test_an_autoencoder_has_an_error_that_falls_towards_the_modules() -> None:
    module, pictures = autoencoder(), images(10, CLASSIFIER_SHAPE, seed=6)
    network = convert(module, images(50, CLASSIFIER_SHAPE), "max", float_weights=True)
    with torch.no_grad():
        expected = float((module(pictures) - pictures).square().mean())
        own = simulate(network, IdealNeuron(), pictures, module(pictures), steps=400)
    run = simulate(network, IdealNeuron(), pictures, pictures, steps=400)
    assert run.score == "mse"
    assert run.ann_score == pytest.approx(expected, rel=1e-4)
    assert run.by_step[-1] == pytest.approx(expected, rel=0.05)
    assert own.ann_score < 1e-10
    assert own.by_step[-1] < 0.01 * own.by_step[3]


def test_neither_batch_nor_engine_changes_a_run(network: SpikingNetwork, pictures: Tensor) -> None:
    def figures(engine: str, batch: int | None) -> dict[str, Any]:
        record = {"fc1": (2, 0)}
        run = simulate(
            network,
            IdealNeuron(v_lb=-0.1),
            pictures,
            LABELS,
            steps=25,
            encoder="poisson",
            engine=engine,
            batch=batch,
            seed=4,
            record=record,
        )
        object_ = run.to_json()
        del object_["engine"], object_["image_steps_per_second"]
        return {**object_, "trace": run.traces["fc1"].v_mem.tolist()}

    one = figures("reference", None)
    for engine, batch in (("dense", None), ("dense", 1), ("dense", 4), ("reference", 4), ("auto", 6)):
        other = figures(engine, batch)
        assert other.pop("clipped_charge") == pytest.approx(one["clipped_charge"], rel=1e-5)
        assert other.pop("rate_rmse") == pytest.approx(one["rate_rmse"], rel=1e-6)
        assert other == {key: value for key, value in one.items() if key in other}


def test_figures_are_per_inference_and_energies_add_up(network: SpikingNetwork, pictures: Tensor) -> None:
    run = simulate(network, Costly(), pictures, LABELS, steps=20, max_out_of_range=None, rails=(-1.0, 2.0))
    neurons = sum(torch.Size(layer.out_shape).numel() for layer in network.layers)
    spikes = sum(figures.spikes for figures in run.layers.values())
    assert run.energy == pytest.approx(1e-9 * spikes + 1e-12 * 20 * neurons + 5e-15 / 6)
    assert run.energy == pytest.approx(sum(run.energy_terms.values()))
    assert run.energy == pytest.approx(
        sum(sum(supplies.values()) for supplies in run.energy_by_layer.values())
    )
    assert list(run.energy_terms) == ["spikes", "static"]
    assert list(run.energy_by_layer["conv1"]) == ["vdd", "vneg"]
    assert run.headroom is not None
    assert run.headroom["fc1"]["low"] == pytest.approx(run.layers["fc1"].v_low + 1)
    assert run.headroom["fc1"]["high"] == pytest.approx(2 - run.layers["fc1"].v_high)


def test_the_first_layer_with_wrong_rates_is_named(network: SpikingNetwork, pictures: Tensor) -> None:
    run = simulate(network, IdealNeuron(v_lb=0.0, reset="zero"), pictures, LABELS, steps=50)
    bad = [name for name, figures in run.layers.items() if figures.rate_rmse > 0.05]
    assert run.first_bad_layer == bad[0]


def test_clipped_charge_is_an_average_over_neurons_and_steps() -> None:
    network = convert(autoencoder(), images(50, CLASSIFIER_SHAPE))
    black = torch.zeros(3, *CLASSIFIER_SHAPE)
    run = simulate(network, IdealNeuron(v_lb=0.0), black, black, steps=10)
    first = network.layers[0]
    # Black pixels leave the bias alone, and every negative bias is clipped at once.
    expected = float((first.bias_inh - first.bias_exc).clamp(min=0).mean())
    assert expected > 0
    assert run.layers["conv1"].clipped_charge == pytest.approx(expected, rel=1e-5)


def test_a_run_remembers_its_settings(network: SpikingNetwork, pictures: Tensor) -> None:
    done: list[tuple[int, int]] = []
    run = simulate(
        network,
        IdealNeuron(),
        pictures,
        LABELS,
        steps=5,
        batch=4,
        encoder=PoissonSpikes(seed=2),
        settings={"v_neg": -1.8, "neuron": "nmp"},
        progress=lambda some, total: done.append((some, total)),
    )
    assert run.settings == {
        "network": "small",
        "steps": 5,
        "images": 6,
        "encoder": "PoissonSpikes",
        "seed": 0,
        "synapse_levels": None,
        "float_weights": False,
        "exit_margin": None,
        "v_neg": -1.8,
        "neuron": "nmp",
    }
    assert done == [(4, 6), (6, 6)]


def test_long_runs_take_fewer_images_at_a_time(network: SpikingNetwork) -> None:
    from snncircuit.network.dense import fitting_batch

    assert fitting_batch(network, 10) == MAX_BATCH
    assert fitting_batch(network, 10**5) < MAX_BATCH
    assert fitting_batch(network, 10**9) == 1


def test_a_run_outside_the_measured_range_is_refused(network: SpikingNetwork, pictures: Tensor) -> None:
    text = r"fc2: 20 of 300 neuron-steps \(6\.67%\) had charges or membranes outside .* more than the 2\.00% allowed"
    with pytest.raises(SimulationError, match=text):
        simulate(network, Costly(), pictures, LABELS, steps=10, max_out_of_range=0.02)
    allowed = simulate(network, Costly(), pictures, LABELS, steps=10, max_out_of_range=None)
    assert allowed.to_json()["out_of_range"] == 5 * 20
    assert allowed.to_json()["out_of_range_fraction"] == 20 / (6 * 5 * 10)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"engine": "magic"}, "no engine 'magic'; there are auto, reference, dense, event"),
    ({"exit_margin": 0}, "early exit at a margin of 0 spikes: expected 1 or more"),
    (
        {"exit_margin": 2, "record": {"fc2": (0,)}},
        "early exit and traces of fc2 exclude each other: a trace is of all steps",
    ),
    (
        {"exit_margin": 2, "targets": torch.zeros(6, 5)},
        "early exit is for classifiers with two classes or more",
    ),
    ({"steps": 0}, "steps 0 and batch None: expected 1 or more"),
    ({"batch": 0}, "steps 3 and batch 0: expected 1 or more"),
    ({"encoder": "morse"}, "no encoder 'morse'"),
    (
        {"images": torch.zeros(6, 1, 9, 8)},
        r"images of shape \(6, 1, 9, 8\); small takes one or more of shape \(1, 8, 8\)",
    ),
    ({"images": torch.zeros(0, 1, 8, 8)}, r"images of shape \(0, 1, 8, 8\)"),
    ({"images": torch.full((6, 1, 8, 8), 255.0)}, r"pixels from 255 to 255; expected \[0, 1\]"),
    ({"images": torch.full((6, 1, 8, 8), torch.nan)}, r"pixels from nan to nan; expected \[0, 1\]"),
    (
        {"targets": torch.tensor([0, 1])},
        r"targets of shape \(2,\) \(torch\.int64\); expected 6 labels below 5",
    ),
    ({"targets": torch.tensor([0, 1, 2, 3, 4, 5])}, "expected 6 labels below 5"),
    (
        {"targets": torch.zeros(6, 1, 8, 8)},
        r"targets of shape \(6, 1, 8, 8\) \(torch\.float32\); expected 6 images of 5 pixels",
    ),
    ({"record": {"conv9": (0,)}}, "cannot record layer 'conv9'; small has conv1, conv2, gap1, fc1, fc2"),
    ({"record": {"fc2": (5,)}}, r"cannot record neurons \[5\] of fc2; it has 0 to 4"),
    ({"record": {"fc2": ()}}, r"cannot record neurons \[\] of fc2"),
]


@pytest.mark.parametrize(("changes", "text"), BAD, ids=[text[:30] for _, text in BAD])
def test_input_that_does_not_fit_is_refused(
    network: SpikingNetwork, pictures: Tensor, changes: dict[str, Any], text: str
) -> None:
    settings: dict[str, Any] = {"images": pictures, "targets": LABELS, "steps": 3, **changes}
    with pytest.raises(SimulationError, match=text):
        simulate(network, IdealNeuron(), **settings)


def test_neurons_that_the_event_engine_does_not_know_run_on_the_dense_engine(
    network: SpikingNetwork, pictures: Tensor
) -> None:
    run = simulate(network, Costly(), pictures, LABELS, steps=2, max_out_of_range=None)
    assert run.engine == "dense"


def test_without_its_kernel_the_event_engine_is_refused_with_the_reason(
    network: SpikingNetwork, pictures: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event, "available", lambda: False)
    monkeypatch.setattr(event, "unavailable_reason", lambda: "there was no compiler")
    assert simulate(network, IdealNeuron(), pictures, LABELS, steps=2).engine == "dense"
    with pytest.raises(SimulationError, match="engine 'event' cannot run: there was no compiler"):
        simulate(network, IdealNeuron(), pictures, LABELS, steps=2, engine="event")


@pytest.mark.skipif(not event.available(), reason=event.unavailable_reason())
def test_the_event_engine_refuses_neurons_that_it_does_not_know(
    network: SpikingNetwork, pictures: Tensor
) -> None:
    with pytest.raises(SimulationError, match="knows ideal and circuit neurons, no Costly"):
        simulate(network, Costly(), pictures, LABELS, steps=2, engine="event")


def test_levels_are_reported_with_the_score_of_the_network_before_and_after() -> None:
    module, pictures = classifier(), images(60, CLASSIFIER_SHAPE, seed=6)
    with torch.no_grad():
        labels = module(pictures).argmax(dim=1)
    fine = convert(module, pictures)
    coarse = convert(module, pictures, levels=2)
    own = simulate(fine, IdealNeuron(), pictures, labels, steps=20)
    run = simulate(coarse, IdealNeuron(), pictures, labels, steps=20)
    *_, answer = coarse.activations(pictures)
    assert (own.ann_score, own.ann_score_quantised) == (1.0, None)
    assert run.ann_score == 1.0
    assert run.ann_score_quantised == float((answer.argmax(dim=1) == labels).float().mean().double())
    assert run.settings["synapse_levels"] == 2
    for name, figures in run.layers.items():
        there = own.layers[name]
        assert figures.rounding is not None
        assert there.rounding is not None
        assert figures.rounding >= there.rounding
    assert (own.layers["fc2"].grid, own.layers["fc2"].rounding) == (
        fine.layers[-1].grid,
        fine.layers[-1].rounding,
    )


def test_early_exit_saves_steps_and_energy(network: SpikingNetwork) -> None:
    pictures = images(30, CLASSIFIER_SHAPE, seed=6)
    labels = torch.zeros(30, dtype=torch.int64)
    options: dict[str, Any] = {"steps": 80, "max_out_of_range": None}
    full = simulate(network, Costly(), pictures, labels, **options)
    early = simulate(network, Costly(), pictures, labels, exit_margin=4, **options)
    shown = early.to_json()["steps_used"]
    assert full.to_json()["steps_used"] == {"mean": 80, "min": 80, "max": 80, "images": {"80": 30}}
    assert shown["min"] < shown["mean"] < 80
    assert sum(shown["images"].values()) == 30
    neurons = sum(torch.Size(layer.out_shape).numel() for layer in network.layers)
    static = 1e-12 * neurons * shown["mean"]
    spikes = sum(figures.spikes for figures in early.layers.values())
    assert full.energy is not None
    assert early.energy == pytest.approx(1e-9 * spikes + static + 5e-15 / 30)
    assert early.energy < full.energy


def test_rates_are_over_the_steps_that_an_image_used(network: SpikingNetwork, pictures: Tensor) -> None:
    run = simulate(
        network, IdealNeuron(), pictures, LABELS, steps=40, exit_margin=2, engine="reference", batch=6
    )
    with torch.inference_mode():
        outcome = run_reference(
            network,
            IdealNeuron(),
            make_encoder("constant"),
            pictures,
            first_image=0,
            steps=40,
            record={},
            exit_margin=2,
        )
    assert len(set(run.steps_used)) > 1
    for layer, answer in zip(network.layers, network.activations(pictures), strict=True):
        rates = torch.stack([c / t for c, t in zip(outcome.counts[layer.name], run.steps_used, strict=True)])
        expected = float((rates - answer.clamp(min=0)).double().square().mean().sqrt())
        assert run.layers[layer.name].rate_rmse == pytest.approx(expected, rel=1e-5)


def test_a_run_is_a_run(network: SpikingNetwork, pictures: Tensor) -> None:
    assert isinstance(simulate(network, IdealNeuron(), pictures, LABELS, steps=2), Run)
