"""The experiment finds what was put into a neuron: here an analytic neuron answers in ngspice's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from snncircuit import lookup
from snncircuit.characterise import figures
from snncircuit.characterise.cell import NeuronCell, load_cell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample, sources
from snncircuit.characterise.experiment import experiment
from snncircuit.characterise.scale import Experiment, Scale, find_floor, find_scale, find_top
from snncircuit.errors import CharacterisationError
from snncircuit.table import OperatingTable

T = TypeVar("T")
POINT = OperatingPoint(v_dd=1.8, v_neg=-0.9)
SUPPLIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Analytic:
    """A neuron with a soft floor, a leak, an inhibitory gain and an energy, all known in closed form; V and C."""

    capacitance: float = 480e-15
    trip: float = 0.87
    floor: float = -0.85
    gain_inh: float = 1.02
    leak: float = 0.002
    most: int = 1
    softness: float = 0.02

    def __call__(self, drive: Drive, n_sources: int) -> Sample:
        v, spikes, energy = [drive.v_mem], [], []
        for exc, inh in zip(drive.q_exc, drive.q_inh, strict=True):
            x = v[-1] * (1 - self.leak) + (exc - self.gain_inh * inh) / self.capacitance
            x = self.floor + self.softness * np.logaddexp(0.0, (x - self.floor) / self.softness)
            n = 0
            while x - n * self.trip >= self.trip and n < self.most:
                n += 1
            v.append(float(x - n * self.trip))
            spikes.append(n)
            energy.append(1e-13 * (1 + 3 * n + exc / 1e-12))
        return Sample(v_mem=tuple(v), spikes=tuple(spikes), energy=(tuple(energy),) * n_sources)


def drive(run: Experiment[T], answer: Callable[[Drive], Sample]) -> tuple[T, int]:
    """Run an experiment to its end; also how many samples it took."""
    asked, n = next(run), 0
    while True:
        n += len(asked)
        try:
            asked = run.send([answer(d) for d in asked])
        except StopIteration as end:
            return end.value, n


@pytest.fixture(scope="module")
def cell() -> NeuronCell:
    return load_cell(Path(__file__).parents[2] / "netlists" / "nmp_clocked")


def measure(cell: NeuronCell, neuron: Analytic) -> OperatingTable:
    cell = replace(cell, spike=replace(cell.spike, max_per_step=neuron.most))
    return drive(experiment(cell, POINT), lambda d: neuron(d, len(sources(cell, POINT))))[0]


def test_the_figures_are_those_of_the_neuron(cell: NeuronCell) -> None:
    neuron = Analytic()
    table = measure(cell, neuron)
    assert table.figures["threshold"] == pytest.approx(neuron.trip, rel=2e-4)
    assert table.figures["threshold_charge"] == pytest.approx(neuron.trip * neuron.capacitance, rel=2e-4)
    assert table.figures["lowest_membrane"] == pytest.approx(neuron.floor, abs=0.03)
    assert table.figures["reset_charge"] == pytest.approx(1.0, abs=2e-3)
    assert table.figures["gain_inh"] == pytest.approx(neuron.gain_inh, rel=5e-3)
    assert table.figures["one_step_memory"] == pytest.approx(0.0, abs=1e-9)
    assert table.figures["held_out_error"] < 5e-3
    assert table.holes == 0


def test_a_spike_that_begins_in_one_step_and_ends_in_the_next_is_no_part_of_the_threshold(
    cell: NeuronCell,
) -> None:
    neuron = Analytic()

    def late(d: Drive) -> Sample:
        sample = neuron(d, len(sources(cell, POINT)))
        began = sample.spikes == (0,) and sample.v_mem[1] > 0.999 * neuron.trip
        return replace(sample, v_mem=(sample.v_mem[0], sample.v_mem[1] - 0.01)) if began else sample

    scale, _ = drive(find_scale(cell, POINT), late)
    assert scale.volts == pytest.approx(neuron.trip, rel=2e-3)


def test_a_neuron_that_fires_at_any_charge_has_no_threshold(cell: NeuronCell) -> None:
    neuron = Analytic(trip=1e-6)
    with pytest.raises(CharacterisationError, match=r"has no threshold: it fires with .* C"):
        drive(find_scale(cell, POINT), lambda d: neuron(d, len(sources(cell, POINT))))


@pytest.mark.parametrize("most", [1, 3])
def test_the_table_steps_like_the_neuron(cell: NeuronCell, most: int) -> None:
    neuron = Analytic(most=most)
    table = measure(cell, neuron)
    volts, charge = table.figures["threshold"], table.figures["threshold_charge"]
    random = np.random.default_rng(3)
    v = random.uniform(table.figures["v_low"], 0.98, 300)
    exc, inh = random.uniform(0, 2, 300), random.uniform(0, 2, 300)
    truth = [
        neuron(Drive(v_mem=a * volts, q_exc=(e * charge,), q_inh=(i * charge,)), 1)
        for a, e, i in zip(v, exc, inh, strict=True)
    ]
    answer = lookup.step(table, v, exc, inh)
    same = answer.spikes == [s.spikes[0] for s in truth]
    assert same.mean() > 0.99
    errors = (answer.v_mem - [s.v_mem[1] / volts for s in truth])[same]
    assert np.sqrt(np.mean(errors**2)) < 5e-3
    energies = np.array([s.energy[0][0] for s in truth])
    np.testing.assert_allclose(answer.energy[0][same], energies[same], rtol=0.05)


@pytest.mark.parametrize("softness", [0.05, 0.1])
def test_the_bend_of_the_floor_is_that_of_the_neuron(cell: NeuronCell, softness: float) -> None:
    neuron = Analytic(softness=softness, leak=0.0, gain_inh=1.0)
    scale = Scale(rest=0.0, volts=neuron.trip, charge=neuron.trip * neuron.capacitance)
    bend, _ = drive(find_floor(cell, scale, 4.0), lambda d: neuron(d, SUPPLIES))
    assert bend.at == pytest.approx(neuron.floor / neuron.trip, rel=1e-3)
    assert bend.width == pytest.approx(softness / neuron.trip, rel=1e-2)


def test_the_upper_end_is_where_the_strongest_excitation_leaves_the_membrane() -> None:
    scale = Scale(rest=0.0, volts=1.0, charge=1.0)

    def ended(d: Drive) -> Sample:
        x = d.v_mem + d.q_exc[0]
        return Sample(v_mem=(d.v_mem, 1.0 - 0.1 * float(np.logaddexp(0.0, (2.0 - x) / 0.1))), spikes=(1,))

    bend, _ = drive(find_top(scale, 4.0, 1), ended)
    assert bend.at == pytest.approx(2.0, abs=1e-6)
    assert bend.width == pytest.approx(0.1, rel=1e-6)
    blind, _ = drive(find_top(scale, 4.0, 1), lambda _: Sample(failure="no convergence"))
    assert blind.at > bend.at


def test_a_failed_simulation_is_a_visible_hole(cell: NeuronCell) -> None:
    neuron, asked = Analytic(), []

    def sometimes(d: Drive) -> Sample:
        asked.append(d)
        return (
            Sample(failure="no convergence")
            if len(d.q_exc) == 1 and 0.1 < d.v_mem < 0.6 and d.q_exc[0] > 0
            else neuron(d, 20)
        )

    n = len(sources(cell, POINT))
    table, _ = drive(
        experiment(cell, POINT),
        lambda d: replace(s, energy=s.energy[:n]) if not (s := sometimes(d)).failure else s,
    )
    assert table.holes > 0
    assert any("no convergence" in r for r in table.reasons)


def test_a_neuron_that_never_fires_has_no_threshold(cell: NeuronCell) -> None:
    with pytest.raises(
        CharacterisationError,
        match=r"has no threshold: expected no spike without input and one with .* found 0 and 0",
    ):
        drive(experiment(cell, POINT), lambda d: Analytic(trip=50.0)(d, SUPPLIES))


def test_a_failing_search_is_an_error_with_the_reason(cell: NeuronCell) -> None:
    with pytest.raises(CharacterisationError, match="search for its threshold failed: singular matrix"):
        drive(experiment(cell, POINT), lambda _: Sample(failure="singular matrix"))

    def floorless(d: Drive) -> Sample:
        return Analytic()(d, SUPPLIES) if len(d.q_exc) == 1 else Sample(failure="timestep too small")

    with pytest.raises(
        CharacterisationError, match="strongest inhibition, 4 thresholds a step, failed: timestep too small"
    ):
        drive(experiment(cell, POINT), floorless)


def test_the_firing_curve_of_a_linear_neuron_is_a_line(cell: NeuronCell) -> None:
    curve = figures.firing_curve(measure(cell, Analytic(leak=0.0)))
    assert curve.linearity_error < 0.02
    assert np.all(np.diff(curve.rate) >= -1e-9)
    assert curve.rate[-1] == pytest.approx(1.0, abs=0.02)


def test_a_leak_droops_the_membrane_geometrically(cell: NeuronCell) -> None:
    neuron = Analytic(leak=0.01, floor=-2.0)
    droop = figures.retention(measure(cell, neuron), np.array([0.5, -0.5]), n_steps=20)
    assert droop.shape == (21, 2)
    np.testing.assert_allclose(droop[-1], np.array([0.5, -0.5]) * 0.99**20, rtol=0.02)
