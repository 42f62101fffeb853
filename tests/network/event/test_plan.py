"""The plan of a layer says what its synapses do: what spikes bring in all, and whether a sum may overflow."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snncircuit.errors import SimulationError
from snncircuit.network import event
from snncircuit.network.layers import Synapses
from snncircuit.neuron.ideal import IdealNeuron

if not event.available():
    pytest.skip(event.unavailable_reason(), allow_module_level=True)

from snncircuit.network.convert import convert
from snncircuit.network.event.memory import SLACK, Image, with_slack
from snncircuit.network.event.plan import LARGEST, plan
from snncircuit.network.event.prepared import KEPT, prepared
from tests.network.event.drawn import Drawn, modules
from tests.network.nets import CLASSIFIER_SHAPE, classifier, images

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

SIDES = ("weight_exc", "weight_inh", "bias_exc", "bias_inh")


def as_image(layer: Synapses) -> Image:
    channels, height, width = (*layer.in_shape, 1, 1)[:3]
    return channels, height, width


@settings(max_examples=25)
@given(modules(), st.integers(0, 1000))
def test_it_knows_what_all_neurons_receive_in_all(drawn: Drawn, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for layer in drawn.spiking().layers:
        spikes = torch.randint(0, 50, (1, *layer.in_shape), generator=generator).float()
        found = plan(layer, as_image(layer)).received(with_slack(spikes, as_image(layer))[0, :-SLACK], 50)
        assert tuple(found) == layer.total(spikes, 50)
        assert found.dtype == np.float64


@settings(max_examples=25)
@given(modules(), st.sampled_from([1, 2, 3, 40]))
def test_it_is_refused_just_where_a_sum_of_one_spike_of_each_input_may_overflow(
    drawn: Drawn, factor: int
) -> None:
    for drawn_layer in drawn.spiking().layers:
        layer = dataclasses.replace(
            drawn_layer, **{side: getattr(drawn_layer, side) * factor for side in SIDES}
        )
        every = torch.ones((1, *layer.in_shape), dtype=torch.float64)
        most = max(float(q.max()) for q in layer.to(torch.float64).charges(every)) / layer.grid
        if most <= LARGEST:
            plan(layer, as_image(layer))
        else:
            with pytest.raises(SimulationError, match=rf"{layer.name}: a sum of charges .* holds {LARGEST}"):
                plan(layer, as_image(layer))


def test_a_network_is_laid_out_once_for_all_neurons_and_batches() -> None:
    network, neuron = convert(classifier(), images(20, CLASSIFIER_SHAPE)), IdealNeuron()
    made = prepared(network, neuron, analog=False)
    assert prepared(network, neuron, analog=False) is made
    for _ in range(KEPT):
        assert prepared(network, IdealNeuron(), analog=False).plans is made.plans
    assert prepared(network, neuron, analog=False) is not made
    assert prepared(network, neuron, analog=False).plans is made.plans
    twin = dataclasses.replace(network)
    assert prepared(twin, neuron, analog=False).plans is not made.plans
    assert prepared(network, neuron, analog=True).plans[0].weights is None


def test_a_network_elsewhere_is_refused() -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE)).to(torch.device("meta"))
    with pytest.raises(
        SimulationError, match="runs on the processor and network is on meta; the dense engine"
    ):
        prepared(network, IdealNeuron(), analog=True)
