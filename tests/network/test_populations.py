"""Networks with other neurons in each layer: every engine gives each layer its own."""

import pytest
import torch

from snncircuit.errors import SimulationError
from snncircuit.network import engines, event
from snncircuit.network.convert import convert
from snncircuit.network.encode import make_encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import Outcome
from snncircuit.network.populations import Neurons
from snncircuit.network.simulate import simulate
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import Neuron, Step
from snncircuit.reference import ideal_table
from tests.network.nets import CLASSIFIER_SHAPE, classifier, images

BUILT = [name for name in engines.NAMES if name != "event" or event.available()]
NETWORK = convert(classifier(), images(20, CLASSIFIER_SHAPE))
NAMES = [layer.name for layer in NETWORK.layers]
MIXED: dict[str, Neuron] = {
    "conv1": IdealNeuron(v_lb=-0.5),
    "conv2": CircuitNeuron(ideal_table(-1.0)),
    "gap1": IdealNeuron(reset="zero"),
    "fc1": CircuitNeuron(ideal_table(-0.25)),
    "fc2": IdealNeuron(),
}


class Foreign:
    """An ideal neuron that the event engine does not know."""

    def step(self, v_mem: torch.Tensor, q_exc: torch.Tensor, q_inh: torch.Tensor) -> Step:
        return IdealNeuron().step(v_mem, q_exc, q_inh)

    def energies(self, tally: object) -> dict[str, dict[str, float]]:
        return {"vdd": {"static": 7.0}}


def run(engine: str, neuron: Neurons, encoder: str = "if", network: SpikingNetwork = NETWORK) -> Outcome:
    with torch.inference_mode():
        return engines.engine(engine)(
            network,
            neuron,
            make_encoder(encoder, 5),
            images(3, network.input_shape, seed=1),
            first_image=0,
            steps=15,
            record={},
            exit_margin=None,
        )


@pytest.mark.parametrize("engine", BUILT)
@pytest.mark.parametrize("encoder", ["constant", "if", "poisson"])
def test_the_same_neuron_in_each_layer_is_one_neuron(engine: str, encoder: str) -> None:
    for neuron in (IdealNeuron(v_lb=-0.5), MIXED["conv2"]):
        one, each = (run(engine, given, encoder) for given in (neuron, dict.fromkeys(NAMES, neuron)))
        assert torch.equal(one.output, each.output)
        assert torch.equal(one.v_output, each.v_output)
        for name, tally in one.tallies.items():
            assert tally.clipped_charge == each.tallies[name].clipped_charge
            assert (tally.occupancy is None) == (each.tallies[name].occupancy is None)


@pytest.mark.parametrize("engine", [name for name in BUILT if name != "reference"])
@pytest.mark.parametrize("encoder", ["constant", "if"])
def test_mixed_neurons_spike_alike_in_every_engine(engine: str, encoder: str) -> None:
    expected, found = run("reference", MIXED, encoder), run(engine, MIXED, encoder)
    assert torch.equal(expected.output, found.output)
    for name, tally in expected.tallies.items():
        assert torch.equal(expected.counts[name], found.counts[name])
        there = found.tallies[name]
        assert (tally.v_low, tally.v_high) == pytest.approx((there.v_low, there.v_high), abs=1e-6)


@pytest.mark.parametrize("engine", BUILT)
def test_each_layer_has_the_bound_of_its_own_neuron(engine: str) -> None:
    bounds = {"conv1": -0.1, "conv2": -0.2, "gap1": 0.0, "fc1": -0.05, "fc2": -0.15}
    tallies = run(engine, {name: IdealNeuron(v_lb=bound) for name, bound in bounds.items()}).tallies
    lows = {name: tally.v_low for name, tally in tallies.items()}
    assert lows == {name: pytest.approx(bound) for name, bound in bounds.items()}


def test_a_run_has_the_energy_of_each_layers_own_neuron() -> None:
    pictures, labels = images(3, CLASSIFIER_SHAPE), torch.tensor([0, 1, 2])
    found = simulate(NETWORK, MIXED, pictures, labels, steps=15)
    assert {name for name, layer in found.layers.items() if layer.energy} == {"conv2", "fc1"}
    for name in ("conv2", "fc1"):  # of this table: a joule for each spike
        joule = found.layers[name].energy["vdd"]
        assert sum(joule.values()) == pytest.approx(found.layers[name].spikes, rel=1e-5)


def test_auto_takes_the_event_engine_only_for_neurons_that_it_knows_all_of() -> None:
    foreign: dict[str, Neuron] = {**MIXED, "fc2": Foreign()}
    assert engines.choose("auto", MIXED) == ("event" if event.available() else "dense")
    assert engines.choose("auto", foreign) == "dense"
    if event.available():
        with pytest.raises(SimulationError, match="'event' knows ideal and circuit neurons, no Foreign"):
            engines.choose("event", foreign)


@pytest.mark.parametrize("engine", [*BUILT, "auto"])
def test_layers_that_are_left_out_or_do_not_exist_are_named(engine: str) -> None:
    wrong = {name: neuron for name, neuron in MIXED.items() if name not in ("gap1", "fc2")}
    pictures, labels = images(1, CLASSIFIER_SHAPE), torch.tensor([0])
    with pytest.raises(SimulationError) as missing:
        simulate(NETWORK, wrong, pictures, labels, steps=2, engine=engine)
    layers = "conv1, conv2, gap1, fc1, fc2"
    assert str(missing.value) == (
        f"neurons by layer: no neuron for 'gap1', 'fc2'; {NETWORK.name} has {layers}"
    )
    with pytest.raises(SimulationError) as unknown:
        simulate(NETWORK, {**MIXED, "conv9": IdealNeuron()}, pictures, labels, steps=2, engine=engine)
    assert str(unknown.value) == f"neurons by layer: no layer 'conv9'; {NETWORK.name} has {layers}"
