"""From the ideal neuron to the full circuit: both ends are what they are called, and the rungs add up."""

import pytest
import torch

from snncircuit.network import event
from snncircuit.network.run import Run
from snncircuit.network.simulate import simulate
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.study.chips import chip
from snncircuit.study.ladder import MOVES, Ladder, climb, stages
from snncircuit.study.rungs import PARTS
from tests.study.mismatched import data, network, neuron, unvaried

STEPS = 25
NETWORK, QUANTISED, DATA = network(), network(levels=4), data()
ENGINES = [name for name in ("event", "dense") if name != "event" or event.available()]


def climbed(engine: str = "auto", seed: int = 0, *, mismatch: bool = True) -> Ladder:
    return climb(
        NETWORK,
        QUANTISED,
        neuron() if mismatch else unvaried(),
        DATA.images,
        DATA.labels,
        steps=STEPS,
        engine=engine,
        seed=seed,
        settings={"neuron": "nmp_clocked"},
        max_out_of_range=None,
    )


LADDER = climbed()


def facts(run: Run) -> dict[str, object]:
    found = run.to_json()
    return {
        key: found[key]
        for key in ("accuracy_by_step", "spikes", "energy_by_layer", "clipped_charge", "v_low")
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_the_lowest_rung_is_the_ideal_neuron_spike_for_spike(engine: str) -> None:
    record = {layer.name: tuple(range(torch.Size(layer.out_shape).numel())) for layer in NETWORK.layers}
    lowest = next(stages(NETWORK, QUANTISED, neuron()))
    table, ideal = (
        simulate(
            NETWORK,
            neurons,
            DATA.images,
            DATA.labels,
            steps=STEPS,
            engine=engine,
            record=record,
            max_out_of_range=None,
        )
        for neurons in (lowest.neurons, IdealNeuron())
    )
    for name, trace in ideal.traces.items():
        assert trace.spikes.any()
        assert (trace.spikes == table.traces[name].spikes).all()
    assert min(layer.v_low for layer in ideal.layers.values()) < -2.5  # where no circuit can be


def test_the_last_rung_is_the_full_circuit() -> None:
    full = simulate(
        QUANTISED,
        chip(NETWORK, neuron(), seed=0),
        DATA.images,
        DATA.labels,
        steps=STEPS,
        max_out_of_range=None,
    )
    assert facts(LADDER.rungs[-1].run) == facts(full)


def test_the_rung_of_the_leak_is_the_plain_circuit() -> None:
    plain = simulate(NETWORK, unvaried(), DATA.images, DATA.labels, steps=STEPS, max_out_of_range=None)
    assert facts(LADDER.rungs[5].run) == facts(plain)


def test_there_is_a_rung_for_each_thing_and_each_moves_the_network() -> None:
    assert [rung.name for rung in LADDER.rungs] == list(MOVES)
    for below, rung in zip(LADDER.rungs, LADDER.rungs[1:], strict=False):
        assert facts(below.run) != facts(rung.run), rung.name


def test_changes_add_up() -> None:
    found = LADDER.to_json()["rungs"]
    for figure, change, whole in (
        ("accuracy", "delta", "delta_ideal"),
        ("energy", "energy_delta", "energy_delta_ideal"),
    ):
        total = 0.0
        for rung in found:
            total += rung[change]
            assert rung[whole] == pytest.approx(total, abs=1e-12)
            assert rung[figure] == pytest.approx(found[0][figure] + total, rel=1e-9)
    for rung in found:
        assert rung["energy"] == pytest.approx(sum(rung["energy_by_layer"].values()), rel=1e-9)
        changes = rung["energy_delta_by_layer"].values()
        assert rung["energy_delta"] == pytest.approx(sum(changes), abs=1e-9 * rung["energy"])


def test_a_ladder_is_the_same_again_and_its_seed_moves_the_mismatch_alone() -> None:
    again, other = climbed(), climbed(seed=1)
    for one, two, three in zip(LADDER.rungs, again.rungs, other.rungs, strict=True):
        assert facts(one.run) == facts(two.run)
        assert (facts(one.run) == facts(three.run)) == (one.name not in ("mismatch", "quantised synapses"))


def test_without_measured_mismatch_its_rung_is_left_out_and_said_how_to_measure_it() -> None:
    found = climbed(mismatch=False)
    assert [rung.name for rung in found.rungs] == ["ideal", *PARTS, "quantised synapses"]
    assert "'snncircuit mismatch TABLE --vneg -1.8 --draws 200'" in found.missing["mismatch"]
    plain = simulate(QUANTISED, unvaried(), DATA.images, DATA.labels, steps=STEPS, max_out_of_range=None)
    assert facts(found.rungs[-1].run) == facts(plain)
    assert LADDER.missing == {}
