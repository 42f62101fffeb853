"""The comparison finds no difference between a simulation and itself, and exactly the difference that was put in."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from snncircuit.cosim.likeness import Likeness, compare
from snncircuit.cosim.recording import Recording
from snncircuit.network.convert import convert
from snncircuit.network.run import Run
from snncircuit.network.simulate import simulate
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.table import TransferTable
from tests.network.nets import images, randomised

TABLE = Path(__file__).parents[2] / "models" / "neurons" / "nmp_clocked.nc"
STEPS, IMAGES = 30, 6
SIZES = {"fc1": 5, "fc2": 3}


@pytest.fixture(scope="module")
def neuron() -> CircuitNeuron:
    at = TransferTable.load(TABLE).at(corner="tt", temperature=27.0, v_dd=1.8, v_neg=-1.8)
    return CircuitNeuron(at, pump_efficiency=0.5)  # whose losses SPICE does not have


@pytest.fixture(scope="module")
def run(neuron: CircuitNeuron) -> Run:
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3))
    network = convert(randomised(module, 4), images(30, (1, 4, 4)))
    record = {name: tuple(range(size)) for name, size in SIZES.items()}
    shown = images(IMAGES, (1, 4, 4), seed=9)
    labels = torch.zeros(IMAGES, dtype=torch.int64)
    return simulate(network, neuron, shown, labels, steps=STEPS, record=record)


def recordings(run: Run, neuron: CircuitNeuron) -> dict[int, Recording]:
    """What SPICE would have recorded if it were the simulation."""
    volts, rest = neuron.table.figures["threshold"], neuron.table.rest
    energy = {
        name: {supply: sum(j for t, j in terms.items() if t != "pump") for supply, terms in f.energy.items()}
        for name, f in run.layers.items()
    }
    return {
        image: Recording(
            spikes={n: t.spikes[:, image].astype(np.int64) for n, t in run.traces.items()},
            v_mem={n: t.v_mem[:, image] * volts + rest for n, t in run.traces.items()},
            energy=energy,
            seconds=2.0,
        )
        for image in range(IMAGES)
    }


def held(found: dict[int, Recording], run: Run, neuron: CircuitNeuron) -> Likeness:
    labels = torch.zeros(IMAGES, dtype=torch.int64)
    return compare(found, run, neuron.table, labels, surrogate_rate=4000.0, failures={})


def test_a_simulation_is_like_itself(run: Run, neuron: CircuitNeuron) -> None:
    found = held(recordings(run, neuron), run, neuron)
    assert found.class_agreement == found.counts_within_one == found.counts_equal == found.steps_equal == 1
    assert found.accuracy == (run.by_step[-1], run.by_step[-1])
    assert found.energy_error == pytest.approx(0, abs=1e-12)
    assert found.rates[0] == pytest.approx(8 * STEPS / 2.0)
    assert found.to_json()["speed_ratio"] == pytest.approx(4000 / (8 * STEPS / 2.0))
    assert {n: pair[1] for n, pair in found.spikes.items()} == pytest.approx(
        {n: f.spikes for n, f in run.layers.items()}
    )


def test_spikes_and_energy_that_differ_are_found_and_placed(run: Run, neuron: CircuitNeuron) -> None:
    spice = recordings(run, neuron)
    counts = spice[4].spikes["fc1"]
    silent = np.nonzero(counts[:, 2] == 0)[0][:3]
    counts[silent, 2] += 1
    spice[0].energy["fc2"]["vdd"] *= 4  # type: ignore[index]
    found = held(spice, run, neuron)
    size = 8 * IMAGES
    assert found.counts_within_one == pytest.approx(1 - 1 / size)
    assert found.steps_equal == pytest.approx(1 - 3 / (size * STEPS))
    assert (found.worst.image, found.worst.layer, found.worst.neuron) == (4, "fc1", 2)
    assert found.worst.spice - found.worst.surrogate == 3
    ratio = [a / b for a, b in (found.energy["fc2"]["vdd"], found.energy["fc1"]["vdd"])]
    assert ratio == pytest.approx([4.0, 1.0])
    assert found.energy_error < -0.05
    assert found.to_json()["within"] == {"spike_counts": True, "energy": False, "class": True}


def test_another_class_is_found(run: Run, neuron: CircuitNeuron) -> None:
    spice = recordings(run, neuron)
    own = held(recordings(run, neuron), run, neuron).classes
    assert own is not None
    other = (own[3][1] + 1) % 3
    spice[3].spikes["fc2"][:, other] += 2
    found = held(spice, run, neuron)
    assert found.class_agreement == pytest.approx(1 - 1 / IMAGES)
    assert found.classes is not None
    assert found.classes[3] == (other, own[3][1])
    assert found.to_json()["within"]["class"] is False
