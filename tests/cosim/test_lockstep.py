"""Live neurons take part in their network step by step, and change nothing where they are what their table says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from snncircuit import lookup, shipped
from snncircuit.characterise.cell import NeuronCell, load_cell
from snncircuit.characterise.drive import OperatingPoint, Sample
from snncircuit.characterise.live import LiveCell
from snncircuit.cosim.live_account import LockStep, account
from snncircuit.cosim.live_neuron import LiveNeuron, live_trace
from snncircuit.cosim.lockstep import run_lockstep
from snncircuit.errors import EngineMissingError, SimulationError
from snncircuit.network.convert import convert
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.run import Run
from snncircuit.network.run_file import load_run, save_run
from snncircuit.network.simulate import simulate
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.step import Neuron
from snncircuit.reference import ideal_table
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.cards import load_models
from snncircuit.spice.discovery import Found, find_ngspice
from snncircuit.spice.live import LiveSession
from snncircuit.spice.netlist import ModelCards
from snncircuit.table import OperatingTable, TransferTable
from tests.network.nets import CLASSIFIER_SHAPE, classifier, images

STEPS = 6


@pytest.fixture(scope="module")
def network() -> SpikingNetwork:
    module = classifier(3)
    return convert(module, images(20, CLASSIFIER_SHAPE), name="little")


@pytest.fixture(scope="module")
def table() -> OperatingTable:
    table = ideal_table(-1.0)
    return replace(table, figures={**table.figures, "threshold_charge": 2e-13, "threshold": 0.5}, rest=0.25)


class Twin:
    """A circuit that is its table; with ``spikes`` it spikes in every step instead."""

    def __init__(self, table: OperatingTable, spikes: bool = False, fails_at: int = -1) -> None:
        self.table, self.spikes, self.fails_at = table, spikes, fails_at
        self.starts: list[tuple[int, float]] = []
        self.step = 0

    def begin(self, n_steps: int, v_mem: float) -> None:
        self.starts.append((n_steps, v_mem))
        self.v, self.step = 0.0, 0

    def send(self, q_exc: float, q_inh: float) -> None:
        charge = self.table.figures["threshold_charge"]
        self.asked = (q_exc / charge, q_inh / charge)

    def receive(self) -> Sample:
        self.step += 1
        if self.step == self.fails_at:
            return Sample(failure="the time step became too small")
        answer = lookup.step(self.table, self.v, *self.asked)
        before, self.v = self.v, float(answer.v_mem)
        volts = [self.table.rest + self.table.figures["threshold"] * v for v in (before, self.v)]
        return Sample(
            v_mem=(volts[0], volts[1]),
            spikes=(1 if self.spikes else int(answer.spikes),),
            energy=tuple((float(e),) for e in answer.energy),
        )


def run(network: SpikingNetwork, neurons: dict[str, Neuron], shown: Tensor, **record: tuple[int, ...]) -> Run:
    labels = torch.zeros(len(shown), dtype=torch.long)
    return simulate(
        network,
        neurons,
        shown,
        labels,
        steps=STEPS,
        engine="reference",
        batch=1,
        record=record,
        max_out_of_range=None,
    )


def test_neurons_that_are_their_table_change_nothing(network: SpikingNetwork, table: OperatingTable) -> None:
    shown = images(3, CLASSIFIER_SHAPE, seed=4)
    surrogate = CircuitNeuron(table)
    twins = {7: Twin(table), 2: Twin(table)}
    live = LiveNeuron(surrogate, twins, layer="conv2", steps=STEPS)
    plain = {layer.name: surrogate for layer in network.layers}
    record = {"fc2": (0, 1, 2, 3, 4), "conv2": (7, 2)}
    alone, together = (
        run(network, plain, shown, **record),
        run(network, plain | {"conv2": live}, shown, **record),
    )
    for layer in record:
        a, b = alone.traces[layer], together.traces[layer]
        assert np.array_equal(a.spikes, b.spikes)
        np.testing.assert_allclose(a.v_mem, b.v_mem, atol=1e-5)
    assert together.layers["conv2"].spikes == alone.layers["conv2"].spikes
    # Each image starts the circuit again, at rest.
    assert twins[7].starts == [(STEPS, 0.25)] * 3

    passages = list(live.passages())
    assert [(p.index, p.image) for p in passages] == [(7, 0), (7, 1), (7, 2), (2, 0), (2, 1), (2, 2)]
    kept = alone.traces["conv2"]
    for column, index in enumerate((7, 2)):
        trace = live_trace(table, [p for p in passages if p.index == index])
        np.testing.assert_allclose(trace.q_exc, kept.q_exc[:, :, column])
        np.testing.assert_allclose(trace.q_inh, kept.q_inh[:, :, column])
        np.testing.assert_allclose(trace.v_mem, kept.v_mem[:, :, column], atol=1e-5)
        np.testing.assert_allclose(trace.v_mem_surrogate, trace.v_mem, atol=1e-5)
        assert np.array_equal(trace.spikes, trace.spikes_surrogate)
        np.testing.assert_allclose(trace.energy, trace.energy_surrogate, rtol=1e-5)
    assert sum(p.sample.spikes != (0,) * STEPS for p in passages) > 0
    for passage in passages:
        found = account(table, passage).to_json()
        assert found["spikes"] == found["spikes_surrogate"] == sum(passage.sample.spikes)
        assert found["spikes_matched"] == 1
        assert found["v_mem_rmse"] == pytest.approx(0, abs=1e-5)
        assert found["energy_error"] == pytest.approx(0, abs=1e-5)


def test_the_spikes_of_a_live_neuron_reach_the_next_layer_in_the_same_step(
    network: SpikingNetwork, table: OperatingTable
) -> None:
    surrogate = CircuitNeuron(table)
    live = LiveNeuron(surrogate, {5: Twin(table, spikes=True)}, layer="fc1", steps=STEPS)
    neurons = {layer.name: surrogate for layer in network.layers} | {"fc1": live}
    every = {"fc1": tuple(range(8)), "fc2": tuple(range(5))}
    found = run(network, neurons, images(1, CLASSIFIER_SHAPE), **every)
    fc1, fc2 = (found.traces[name] for name in every)
    assert (fc1.spikes[:, 0, 5] == 1).all()
    assert found.layers["fc1"].spikes == fc1.spikes.sum()
    behind = network.layers[-1]
    for step in range(STEPS):
        q_exc, q_inh = behind.charges(torch.as_tensor(fc1.spikes[step]))
        np.testing.assert_array_equal(fc2.q_exc[step], q_exc.numpy())
        np.testing.assert_array_equal(fc2.q_inh[step], q_inh.numpy())
    # The surrogate beside it goes its own way, and the account says by how much.
    (passage,) = live.passages()
    told = account(table, passage)
    assert told.spikes == STEPS
    assert told.spikes_surrogate < STEPS
    assert told.agreement.missed == pytest.approx(1 - told.spikes_surrogate / STEPS)


def test_a_circuit_without_an_answer_is_named_with_its_step_and_image(
    network: SpikingNetwork, table: OperatingTable
) -> None:
    live = LiveNeuron(
        CircuitNeuron(table), {1: Twin(table), 3: Twin(table, fails_at=4)}, layer="fc1", steps=STEPS
    )
    neurons = {layer.name: CircuitNeuron(table) for layer in network.layers} | {"fc1": live}
    with pytest.raises(
        SimulationError, match="neuron fc1:3 gave no answer in step 4 of 6 of image 0: the time step became"
    ):
        run(network, neurons, images(2, CLASSIFIER_SHAPE))


def test_several_images_at_a_time_are_refused(table: OperatingTable) -> None:
    live = LiveNeuron(CircuitNeuron(table), {0: Twin(table)}, layer="fc1", steps=STEPS)
    with pytest.raises(SimulationError, match=r"2 images at a time at fc1.*expected 1"):
        live.step(*(torch.zeros(2, 4) for _ in range(3)))


@pytest.mark.parametrize(
    ("live", "told"),
    [
        ({}, "no live neuron is named; little has layers conv1, conv2, gap1, fc1, fc2"),
        ({"fc9": (1,)}, "no layer 'fc9' for a live neuron; little has conv1, conv2, gap1, fc1, fc2"),
        ({"fc1": (8,)}, r"live neurons \[8\] of fc1: expected different numbers from 0 to 7"),
        ({"fc1": (1, 1)}, r"live neurons \[1, 1\] of fc1: expected different numbers"),
    ],
)
def test_neurons_that_are_not_there_are_refused_with_those_that_are(
    live: dict[str, tuple[int, ...]],
    told: str,
    network: SpikingNetwork,
    table: OperatingTable,
    cell: NeuronCell,
) -> None:
    def none(corner: str) -> ModelCards:
        raise AssertionError(corner)

    with pytest.raises(SimulationError, match=told):
        run_lockstep(
            network,
            CircuitNeuron(table),
            live,
            cell,
            none,
            images(1, CLASSIFIER_SHAPE),
            torch.zeros(1).long(),
            cache=SampleCache(),
            steps=2,
        )


@pytest.fixture(scope="module")
def cell() -> NeuronCell:
    return load_cell(shipped.find("netlist", "nmp_clocked"))


@pytest.fixture(scope="module")
def cards(cell: NeuronCell) -> Callable[[str], ModelCards]:
    assert cell.models is not None
    path = cell.models
    return lambda corner: load_models(path, corner)


@pytest.fixture(scope="module")
def measured() -> OperatingTable:
    loaded = TransferTable.load(shipped.find("neuron", "nmp_clocked"))
    return loaded.at(corner="tt", temperature=27.0, v_dd=1.8, v_neg=-1.8)


@pytest.fixture(scope="module")
def found() -> Found:
    try:
        ngspice = find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))
    if ngspice.kind != "library":
        pytest.skip("needs libngspice")
    return ngspice


@pytest.mark.ngspice
def test_live_and_tabled_neurons_answer_the_same_pulse_in_the_same_step(
    found: Found, cell: NeuronCell, cards: Callable[[str], ModelCards], measured: OperatingTable
) -> None:
    pulses = [(0.0, 0.0), (1.4, 0.0), (0.0, 0.3), (0.0, 0.0), (0.7, 0.2), (0.6, 0.0), (0.0, 0.0)]
    surrogate = CircuitNeuron(measured)
    point = OperatingPoint(**measured.point)
    with LiveSession(found=found) as session:
        circuit = LiveCell(cell=cell, cards=cards("tt"), point=point, session=session)
        live = LiveNeuron(surrogate, {0: circuit}, layer="fc1", steps=len(pulses))
        v_mem, spikes = torch.zeros(1, 2), []
        for q_exc, q_inh in pulses:
            outcome = live.step(v_mem, torch.full((1, 2), q_exc), torch.full((1, 2), q_inh))
            v_mem = outcome.v_mem
            spikes.append(outcome.spikes[0].tolist())
            assert abs(float(v_mem[0, 0] - v_mem[0, 1])) < 0.01
            assert outcome.tally.spikes == sum(spikes[-1])
    # The neuron at place 0 is ngspice, the one at place 1 its table.
    assert [k for k, (a, b) in enumerate(spikes) if a] == [1, 5]
    assert [k for k, (a, b) in enumerate(spikes) if b] == [1, 5]


@pytest.mark.ngspice
def test_a_network_with_live_neurons_repeats_itself_and_gives_what_it_does_without(
    found: Found,
    network: SpikingNetwork,
    cell: NeuronCell,
    cards: Callable[[str], ModelCards],
    measured: OperatingTable,
    tmp_path: Path,
) -> None:
    ticks: list[tuple[int, int]] = []

    def once(name: str, ngspice: Found) -> LockStep:
        with SampleCache(tmp_path / name) as cache:
            return run_lockstep(
                network,
                CircuitNeuron(measured),
                {"fc2": (1,), "conv1": (100,)},
                cell,
                cards,
                images(2, CLASSIFIER_SHAPE),
                torch.zeros(2, dtype=torch.long),
                cache=cache,
                steps=5,
                found=ngspice,
                max_out_of_range=None,
                settings={"neuron": "nmp_clocked"},
                progress=lambda done, total: ticks.append((done, total)),
            )

    first, second = once("first", found), once("second", found)
    # What was kept is not simulated again: here there is no ngspice at all.
    third = once("second", replace(found, path="/no/such/libngspice.so"))
    assert ticks == [(k, 10) for k in range(1, 11)] * 3
    told, *others = (r.to_json() for r in (first, second, third))
    for again in others:
        again["image_steps_per_second"] = told["image_steps_per_second"]
        assert again == told
    assert [(a["layer"], a["index"], a["image"]) for a in told["live"]] == [
        ("conv1", 100, 0),
        ("conv1", 100, 1),
        ("fc2", 1, 0),
        ("fc2", 1, 1),
    ]
    assert told["settings"]["live"] == "conv1:100,fc2:1"
    assert told["output_identical"] == (told["output_spikes_differing"] == 0)
    assert told["classes_differing"] == 0
    for one in told["live"]:
        assert one["v_mem_rmse"] < 5e-3
        assert one["energy_error"] < 0.02
    # Both traces are in the file.
    path = tmp_path / "run.nc"
    save_run(first.run, path)
    back = load_run(path)
    assert [(t.layer, t.index) for t in back.live] == [("conv1", 100), ("fc2", 1)]
    for ours, theirs in zip(first.run.live, back.live, strict=True):
        for signal in ("q_exc", "v_mem", "v_mem_surrogate", "spikes", "energy_surrogate"):
            assert getattr(theirs, signal).shape == (5, 2)
            assert np.array_equal(getattr(ours, signal), getattr(theirs, signal))
        assert not np.array_equal(theirs.v_mem, theirs.v_mem_surrogate)
    assert load_run(path).to_json() == first.run.to_json()
