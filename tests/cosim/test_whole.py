"""Small networks as one circuit in real ngspice: charges, passing on of spikes, energy, and the store."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from snncircuit.characterise.cell import NeuronCell, load_cell
from snncircuit.characterise.drive import Drive, OperatingPoint, deck
from snncircuit.characterise.drive import read as read_neuron
from snncircuit.cosim.circuit import Circuit, circuit_behind
from snncircuit.cosim.crossbar import Crossbar
from snncircuit.cosim.recording import Recording, read, revive
from snncircuit.cosim.whole import draw_network, hold_whole
from snncircuit.cosim.wiring import draw
from snncircuit.errors import SimulationError
from snncircuit.network.convert import convert
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.simulate import simulate
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.netlist import load_models
from snncircuit.spice.waveforms import Failure, Waveforms
from snncircuit.table import TransferTable

pytestmark = pytest.mark.ngspice
ROOT = Path(__file__).parents[2]
POINT = OperatingPoint(v_dd=1.8, v_neg=-1.8)
STEPS = 6
WEIGHT_EXC, WEIGHT_INH = np.array([[0.7, 0.0]]), np.array([[0.0, 0.3]])
BIAS = 0.25


@pytest.fixture(scope="module")
def cell() -> NeuronCell:
    return load_cell(ROOT / "netlists" / "nmp_clocked")


@pytest.fixture(scope="module")
def neuron() -> CircuitNeuron:
    table = TransferTable.load(ROOT / "models" / "neurons" / "nmp_clocked.nc")
    return CircuitNeuron(table.at(corner="tt", temperature=27.0, v_dd=1.8, v_neg=-1.8), pump_efficiency=1.0)


@pytest.fixture(scope="module")
def circuit(cell: NeuronCell, neuron: CircuitNeuron) -> Circuit:
    table = TransferTable.load(ROOT / "models" / "neurons" / "nmp_clocked.nc")
    path = ROOT / "models" / "devices" / "generic180.lib"
    return circuit_behind(table, neuron.table, cell, lambda corner: load_models(path, corner))


@pytest.fixture(scope="module")
def pair() -> tuple[Crossbar, Crossbar]:
    """Two neurons that spike at different steps, and behind them one that the first excites and the second inhibits.

    No membrane comes within 0.05 thresholds of firing or not.
    """
    none = np.zeros((2, 0))
    first = Crossbar(
        name="fc1",
        weight_exc=none,
        weight_inh=none,
        bias_exc=np.array([0.62, 0.87]),
        bias_inh=np.array([0.0, 0.1]),
    )
    last = Crossbar(
        name="fc2",
        weight_exc=WEIGHT_EXC,
        weight_inh=WEIGHT_INH,
        bias_exc=np.array([BIAS]),
        bias_inh=np.zeros(1),
    )
    return first, last


@pytest.fixture(scope="module")
def waves(circuit: Circuit, neuron: CircuitNeuron, pair: tuple[Crossbar, Crossbar]) -> Waveforms:
    """The pair in ngspice, with the currents of the array."""
    charge = neuron.table.figures["threshold_charge"]
    drawn = draw(circuit.cell, circuit.cards, circuit.point, pair, charge=charge, steps=STEPS)
    with EnginePool(1, 600) as pool:
        found = pool.run(replace(drawn, save=(*drawn.save, *CURRENTS)))
    assert isinstance(found, Waveforms), found
    return found


CURRENTS = ("@ge0_l1n0[i]", "@gi1_l1n0[i]", "@geb_l1n0[i]")


@pytest.fixture(scope="module")
def recording(cell: NeuronCell, pair: tuple[Crossbar, Crossbar], waves: Waveforms) -> Recording:
    return read(cell, POINT, pair, waves, steps=STEPS, seconds=1.0)


def test_each_spike_is_worth_its_charge_in_the_step_behind_and_nothing_else_is(
    neuron: CircuitNeuron, waves: Waveforms, recording: Recording
) -> None:
    charge = neuron.table.figures["threshold_charge"]
    exc, inh, bias = (
        np.array([waves.integral(name, k * 1e-6, (k + 1) * 1e-6) for k in range(STEPS + 1)]) / charge
        for name in CURRENTS
    )
    first = recording.spikes["fc1"]
    assert 0 < first[:, 0].sum() < first[:, 1].sum() < STEPS
    np.testing.assert_allclose(exc[1:], WEIGHT_EXC[0, 0] * first[:, 0], atol=1e-6)
    np.testing.assert_allclose(inh[1:], WEIGHT_INH[0, 1] * first[:, 1], atol=1e-6)
    np.testing.assert_allclose(bias[1:], BIAS, atol=1e-6)
    np.testing.assert_allclose([exc[0], inh[0], bias[0]], 0, atol=1e-9)


def test_the_circuit_spikes_as_the_table_does_one_step_after_the_other(
    neuron: CircuitNeuron, pair: tuple[Crossbar, Crossbar], recording: Recording
) -> None:
    table = neuron.table
    first, last = pair
    v = {s.name: torch.zeros(s.neurons, dtype=torch.float64) for s in pair}
    for step in range(STEPS):
        one = neuron.step(v["fc1"], torch.from_numpy(first.bias_exc), torch.from_numpy(first.bias_inh))
        sent = one.spikes.double().numpy()
        exc = torch.from_numpy(last.weight_exc @ sent + last.bias_exc)
        two = neuron.step(v["fc2"], exc, torch.from_numpy(last.weight_inh @ sent))
        for name, found in (("fc1", one), ("fc2", two)):
            np.testing.assert_array_equal(recording.spikes[name][step], found.spikes.numpy())
            volts = (recording.v_mem[name][step] - table.rest) / table.figures["threshold"]
            np.testing.assert_allclose(volts, found.v_mem.numpy(), atol=0.01)
            v[name] = found.v_mem
    assert recording.spikes["fc2"].sum() > 0


def test_a_network_of_one_neuron_is_that_neuron(circuit: Circuit) -> None:
    charge, steps = 464e-15, 4
    none = np.zeros((1, 0))
    alone = Crossbar(
        name="fc1", weight_exc=none, weight_inh=none, bias_exc=np.array([0.8]), bias_inh=np.array([0.2])
    )
    drive = Drive(v_mem=0.0, q_exc=(0.8 * charge,) * steps, q_inh=(0.2 * charge,) * steps)
    cell, cards = circuit.cell, circuit.cards
    with EnginePool(1, 600) as pool:
        together = pool.run(draw(cell, cards, POINT, (alone,), charge=charge, steps=steps))
        single = pool.run(deck(cell, cards, POINT, drive))
    assert isinstance(together, Waveforms)
    assert isinstance(single, Waveforms)
    found = read(cell, POINT, (alone,), together, steps=steps, seconds=0.0)
    wanted = read_neuron(cell, POINT, drive, single)
    assert sum(wanted.spikes) > 0
    assert found.spikes["fc1"][:, 0].tolist() == list(wanted.spikes)
    np.testing.assert_allclose(found.v_mem["fc1"][:, 0], wanted.v_mem[1:], atol=1e-3)
    energies = [sum(e) for e in wanted.energy]
    total = sum(energies)
    assert sum(found.energy["fc1"].values()) == pytest.approx(total, rel=2e-3)
    np.testing.assert_allclose(list(found.energy["fc1"].values()), energies, rtol=5e-3, atol=1e-4 * total)


def test_a_recording_survives_its_store(recording: Recording) -> None:
    again = revive(recording.record())
    for name in ("fc1", "fc2"):
        np.testing.assert_array_equal(again.spikes[name], recording.spikes[name])
        np.testing.assert_array_equal(again.v_mem[name], recording.v_mem[name])
        assert again.energy[name] == recording.energy[name]
    assert again.seconds == recording.seconds


@pytest.fixture(scope="module")
def network() -> SpikingNetwork:
    """Pixels, 2 neurons, 2 classes."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 2)).eval()
    with torch.no_grad():
        module[1].weight.copy_(torch.tensor([[1.0, 0.5, -0.5, 0.0], [0.0, -0.5, 0.5, 1.0]]))
        module[3].weight.copy_(torch.tensor([[1.0, -0.5], [-0.5, 1.0]]))
        for layer in (module[1], module[3]):
            layer.bias.fill_(0.05)
    return convert(module, PIXELS, "max")


PIXELS = torch.tensor([[0.8, 0.3, 0.1, 0.2], [0.1, 0.2, 0.4, 0.9]]).reshape(2, 1, 2, 2)


def test_an_image_is_simulated_once_and_compared_again_from_the_store(
    network: SpikingNetwork, neuron: CircuitNeuron, circuit: Circuit, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    labels = torch.tensor([0, 1])
    with SampleCache(tmp_path / "samples.sqlite") as cache, EnginePool(1, 600) as pool:
        # One image first: a command that was killed after it goes on behind it.
        one = hold_whole(network, neuron, circuit, PIXELS[:1], labels[:1], steps=3, pool=pool, cache=cache)
        found = hold_whole(
            network,
            neuron,
            circuit,
            PIXELS,
            labels,
            steps=3,
            pool=pool,
            cache=cache,
            progress=lambda done, every: told.append((done, every)),
        )
        started = pool.started
        again = hold_whole(network, neuron, circuit, PIXELS, None, steps=3, pool=pool, cache=cache)
        assert pool.started == started == 1
    assert told == [(1, 2), (2, 2)]
    assert again.energy == found.energy
    assert again.seconds == found.seconds > one.seconds > 0
    assert again.classes is None
    assert again.to_json()["class_agreement"] is None
    assert found.classes is not None
    assert [a for a, _ in found.classes] == [0, 1]
    assert found.accuracy == (1.0, 1.0)
    assert found.counts_within_one == found.steps_equal == 1.0
    assert found.spikes["fc2"][0] > 0
    assert abs(found.energy_error) < 0.01
    run = simulate(network, neuron, PIXELS, labels, steps=3)
    assert run.energy is not None
    assert found.energy_total[1] == pytest.approx(run.energy)
    said = found.to_json()
    assert all(said["within"].values())
    assert said["energy"]["spice"] == pytest.approx(
        sum(p["spice"] for layer in said["energy_by_layer"].values() for p in layer.values())
    )


class Broken:
    """A pool that loses an image, or all of them."""

    version, pids = "none", ()

    def __init__(self, kept: dict[str, Waveforms]) -> None:
        self._kept = kept

    def map(self, decks: object) -> list[tuple[int, Waveforms | Failure]]:
        found = [self._kept.get(deck.key, Failure(reason="it broke")) for deck in decks]  # type: ignore[attr-defined]
        return list(enumerate(found))


def test_a_lost_image_is_told_and_the_others_are_compared(
    network: SpikingNetwork, neuron: CircuitNeuron, circuit: Circuit, tmp_path: Path
) -> None:
    charge = neuron.table.figures["threshold_charge"]
    drawn, _ = draw_network(network, circuit, charge=charge, image=PIXELS[1:], steps=1)
    with EnginePool(1, 600) as pool:
        second = pool.run(drawn)
    assert isinstance(second, Waveforms)
    labels = torch.tensor([0, 1])
    with SampleCache(tmp_path / "samples.sqlite") as cache:
        found = hold_whole(
            network, neuron, circuit, PIXELS, labels, steps=1, pool=Broken({drawn.key: second}), cache=cache
        )
        assert found.images == 1
        assert found.failures == {0: "it broke"}
        assert found.worst.image == 1
        with pytest.raises(SimulationError, match=r"could run none of the 2 images.*the first: it broke"):
            hold_whole(network, neuron, circuit, PIXELS, labels, steps=2, pool=Broken({}), cache=cache)
