"""A Run is repeated spike for spike, image by image, whatever made it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from snncircuit.cosim.repeat import Repetition
from snncircuit.cosim.sampling import Place, sample
from snncircuit.errors import SimulationError
from snncircuit.network import event
from snncircuit.network.convert import calibrate, spiking
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.simulate import simulate
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.shipped import find
from snncircuit.table import OperatingTable, TransferTable
from tests.network import nets

SHAPE = nets.CLASSIFIER_SHAPE
ENGINES = ["dense", *(["event"] if event.available() else [])]


@pytest.fixture(scope="module")
def table() -> OperatingTable:
    return TransferTable.load(find("neuron", "nmp_clocked")).at(v_dd=1.8, v_neg=-1.8)


@pytest.fixture(scope="module")
def network() -> SpikingNetwork:
    module = nets.classifier(3)
    return spiking(module, calibrate(module, nets.images(20, SHAPE)), SHAPE)


def repetition(network: SpikingNetwork, table: OperatingTable, **options: Any) -> Repetition:
    neuron, images = CircuitNeuron(table), nets.images(6, SHAPE, seed=4)
    labels = torch.zeros(6, dtype=torch.int64)
    settings = {"steps": 24, **options}
    run = simulate(network, neuron, images, labels, max_out_of_range=None, **settings)
    return Repetition(run=run, network=network, neuron=neuron, images=images)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("encoder", ["constant", "poisson"])
def test_counts_are_those_of_the_run(
    network: SpikingNetwork, table: OperatingTable, engine: str, encoder: str
) -> None:
    again = repetition(network, table, engine=engine, encoder=encoder, seed=7)
    counts = again.counts(range(6))
    for name, figures in again.run.layers.items():
        assert counts[name].shape[0] == 6
        assert counts[name].sum() / 6 == pytest.approx(figures.spikes, rel=1e-12)
    alone = again.counts([4])
    assert all((alone[name][0] == counts[name][4]).all() for name in counts)


@pytest.mark.parametrize("engine", ENGINES)
def test_passages_are_the_traces_of_the_run_and_follow_the_definition(
    network: SpikingNetwork, table: OperatingTable, engine: str
) -> None:
    again = repetition(network, table, engine=engine)
    places = sample(again.counts([1, 5]), (1, 5), 12, seed=2)
    passages = again.passages(places)
    assert [p.place for p in passages] == list(places)
    conv = tuple(sorted({p.index for p in places if p.layer == "conv1"}))
    traced = simulate(
        network,
        again.neuron,
        again.images,
        torch.zeros(6, dtype=torch.int64),
        steps=24,
        engine=engine,
        record={"conv1": conv},
        max_out_of_range=None,
    ).traces["conv1"]
    for passage in passages:
        place = passage.place
        assert passage.spikes.sum() == place.spikes
        difference, steps = passage.rounding(table)
        assert difference < 1e-5  # thresholds; the engines work in single precision
        assert steps == 0
        own = passage.free_run(table)
        assert own.energy.shape == (len(table.supplies), 24)
        if place.layer == "conv1":
            column = conv.index(place.index)
            for signal in ("q_exc", "q_inh", "v_mem", "spikes"):
                expected = getattr(traced, signal)[:, place.image, column]
                np.testing.assert_array_equal(getattr(passage, signal), expected)
    assert sum(p.place.spikes for p in passages) > 20


def test_an_image_that_stopped_early_is_followed_until_then(
    network: SpikingNetwork, table: OperatingTable
) -> None:
    again = repetition(network, table, exit_margin=2)
    used = again.run.steps_used
    assert min(used) < 24
    image = used.index(min(used))
    counts = again.counts([image])
    index = int(counts["fc2"][0].argmax())
    place = Place(layer="fc2", index=index, image=image, stratum="high", spikes=int(counts["fc2"][0, index]))
    (passage,) = again.passages([place])
    assert passage.q_exc.size == passage.spikes.size == min(used)
    assert passage.spikes.sum() == place.spikes


def test_a_run_that_went_otherwise_is_refused(network: SpikingNetwork, table: OperatingTable) -> None:
    again = repetition(network, table)
    other = replace(again, run=replace(again.run, steps_used=(16, *again.run.steps_used[1:])))
    with pytest.raises(SimulationError) as caught:
        other.counts([0])
    assert str(caught.value) == (
        "image 0 of the Run cannot be repeated: expected it to stop after 16 steps, found 24; "
        "run the network again with this snncircuit"
    )


def test_a_passage_of_another_table_is_no_passage_of_this_one(
    network: SpikingNetwork, table: OperatingTable
) -> None:
    again = repetition(network, table)
    places = sample(again.counts([0]), (0,), 8, seed=0)
    other = replace(table, residual=table.residual + 0.01)
    assert max(p.rounding(other)[0] for p in again.passages(places)) == pytest.approx(0.01, rel=0.01)
    early = replace(table, edge=table.edge - 0.3)
    assert sum(p.rounding(early)[1] for p in again.passages(places)) > 0
