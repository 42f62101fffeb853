"""Circuit neurons are their table: the same step as the definition, and the ideal network from an ideal table."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snncircuit import lookup
from snncircuit.errors import SimulationError
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.form import choose, is_profile
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import EMPTY
from snncircuit.reference import ideal_table
from snncircuit.table import HOLE, OperatingTable, Supply


def wavy_table(seed: int = 0) -> OperatingTable:
    """A table with two spikes, crooked edges and a random residual: nothing in it is zero or symmetric."""
    random = np.random.default_rng(seed)
    start, common = np.array([-2.0, -0.3, 0.4, 1.5]), np.array([0.0, 0.5, 2.0])
    overdrive = np.array([-6.0, -2.0, -0.5, -0.01, 0.01, 0.4, 0.98, 0.01, 1.0, 5.0])
    count = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    shape = (start.size, common.size, count.size)
    edge = 1.0 + random.normal(0, 0.02, (2, start.size, common.size))
    edge[1] += 1.0
    supplies = (
        Supply(name="vdd", kind="rail", voltage=1.8),
        Supply(name="vneg", kind="rail", voltage=-0.9),
        Supply(name="ev", kind="clock", voltage=1.8),
    )
    return replace(
        ideal_table(-2.0),
        start=start,
        q_common=common,
        count=count,
        overdrive=overdrive,
        edge=edge,
        residual=random.normal(0, 0.05, shape),
        energy=random.uniform(0.1, 1.0, (3, *shape)) * 1e-12,
        energy_exc=np.array([3e-12, 0.0, 0.0]),
        energy_inh=np.array([0.0, 2e-12, 0.0]),
        state=np.ones(shape, np.int8),
        supplies=supplies,
    )


def population(n: int = 4000, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    drawn = (random.uniform(-2.0, 1.2, n), random.uniform(0, 4, n), random.uniform(0, 3, n))
    return tuple(torch.as_tensor(a) for a in drawn)  # type: ignore[return-value]


def test_a_step_is_the_look_up_of_the_table() -> None:
    table = wavy_table()
    v, exc, inh = population()
    step = CircuitNeuron(table, dtype=torch.float64).step(v, exc, inh)
    answer = lookup.step(table, v.numpy(), exc.numpy(), inh.numpy())
    np.testing.assert_array_equal(step.spikes.numpy(), answer.spikes)
    np.testing.assert_allclose(step.v_mem.numpy(), answer.v_mem, atol=1e-12)


def test_the_energies_of_the_visits_are_the_energies_of_the_steps() -> None:
    table = wavy_table()
    neuron = CircuitNeuron(table, dtype=torch.float64, pump_efficiency=0.5)
    v, exc, inh = population()
    energies = neuron.energies(neuron.step(v, exc, inh).tally)
    answer = lookup.step(table, v.numpy(), exc.numpy(), inh.numpy()).energy.sum(axis=1)
    delivered = {s: sum(e for term, e in terms.items() if term != "pump") for s, terms in energies.items()}
    np.testing.assert_allclose([delivered[s.name] for s in table.supplies], answer, rtol=1e-9)
    assert energies["vneg"]["pump"] == pytest.approx(delivered["vneg"], rel=1e-9)
    assert set(energies["ev"]) == {"reset_drive"}
    assert "pump" not in energies["vdd"]


def test_tallies_of_two_halves_add_up_to_the_whole() -> None:
    neuron = CircuitNeuron(wavy_table(), dtype=torch.float64)
    v, exc, inh = population()
    whole = neuron.step(v, exc, inh).tally
    halves = [neuron.step(v[h], exc[h], inh[h]).tally for h in (slice(0, 1000), slice(1000, None))]
    both = EMPTY + halves[0] + halves[1]
    assert both.spikes == whole.spikes
    assert both.neuron_steps == whole.neuron_steps
    assert both.out_of_range == whole.out_of_range
    assert (both.v_low, both.v_high) == (whole.v_low, whole.v_high)
    assert both.clipped_charge == pytest.approx(whole.clipped_charge)
    assert both.q_exc == pytest.approx(float(exc.sum()))
    assert both.q_inh == pytest.approx(float(inh.sum()))
    assert both.occupancy is not None
    assert whole.occupancy is not None
    torch.testing.assert_close(both.occupancy, whole.occupancy)
    assert float(whole.occupancy.sum()) == pytest.approx(whole.neuron_steps)


def test_what_lies_outside_the_table_is_counted() -> None:
    neuron = CircuitNeuron(ideal_table(-1.0, v_high=2.0))
    v = torch.tensor([0.0, 0.0, 0.0, 3.0])
    exc, inh = torch.tensor([9.0, 0.0, 1.0, 0.0]), torch.tensor([0.0, 9.0, 1.0, 0.0])
    assert neuron.step(v, exc, inh).tally.out_of_range == 3
    assert neuron.step(torch.tensor([-1.5]), exc[2:3], inh[2:3]).tally.out_of_range == 1
    assert neuron.step(v[:1], torch.tensor([8.5]), torch.tensor([8.5])).tally.out_of_range == 1


@settings(max_examples=12)
@given(v_lb=st.sampled_from([-2.0, -0.7, 0.0]), seed=st.integers(0, 1000))
def test_an_ideal_table_spikes_exactly_like_the_ideal_neuron(v_lb: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    circuit = CircuitNeuron(ideal_table(v_lb), dtype=torch.float64)
    ideal = IdealNeuron(v_lb=v_lb)
    v = w = torch.zeros(50, dtype=torch.float64)
    for _ in range(40):
        exc, inh = (torch.as_tensor(random.gamma(2, 0.3, 50)) for _ in range(2))
        mine, theirs = circuit.step(v, exc, inh), ideal.step(w, exc, inh)
        assert torch.equal(mine.spikes, theirs.spikes)
        assert mine.tally.clipped_charge == pytest.approx(theirs.tally.clipped_charge, abs=1e-6)
        v, w = mine.v_mem, theirs.v_mem


def test_a_table_with_holes_is_refused() -> None:
    table = ideal_table(-1.0)
    state = table.state.copy()
    state[0, 0, 0] = HOLE
    with pytest.raises(
        SimulationError, match=r"has 1 holes of \d+ nodes; characterise it again. First: singular matrix"
    ):
        CircuitNeuron(replace(table, state=state, reasons=("singular matrix",)))


def test_an_efficiency_that_is_no_fraction_is_refused() -> None:
    with pytest.raises(SimulationError, match=r"pump efficiency 70\.0 is no fraction"):
        CircuitNeuron(ideal_table(-1.0), pump_efficiency=70.0)


def test_a_table_that_reaches_too_far_is_refused() -> None:
    table = ideal_table(-1.0, v_high=92.0)  # as far as it likes beyond the last edge
    CircuitNeuron(table)
    twice = replace(
        table,
        count=np.concatenate([table.count, [2, 2]]),
        overdrive=np.concatenate([table.overdrive, table.overdrive[-2:]]),
        edge=np.concatenate([table.edge, table.edge + 1]),
        residual=np.concatenate([table.residual, table.residual[..., -2:]], axis=-1),
        state=np.concatenate([table.state, table.state[..., -2:]], axis=-1),
    )
    with pytest.raises(
        SimulationError, match="reaches an overdrive of 100 thresholds between two spike counts"
    ):
        CircuitNeuron(twice)


def test_neurons_without_visits_have_no_energy() -> None:
    assert CircuitNeuron(ideal_table(-1.0)).energies(EMPTY) == {}


def test_the_chosen_form_is_the_simplest_one_that_holds() -> None:
    table = wavy_table()
    e, i, y = np.meshgrid(table.start, table.q_common, table.overdrive, indexing="ij")
    assert choose(replace(table, residual=0.1 * e - 0.2 * i + 0.01 * y)).name == "linear"
    assert choose(replace(table, residual=np.sin(e) - i**2 + np.exp(-(y**2)))).name == "separable"
    crooked = choose(replace(table, residual=e * i * y))
    assert (crooked.name, crooked.error) == ("full", 0.0)
    assert choose(table, tolerance=10.0).name == "linear"
    assert choose(replace(table, state=np.zeros_like(table.state))).error == 0.0


def test_a_profile_is_a_function_of_the_overdrive_plus_something_linear() -> None:
    table = ideal_table(-2.0)
    assert table.start.size == table.q_common.size == 2
    v, c, y = np.meshgrid(table.start, table.q_common, table.overdrive, indexing="ij")
    sheet = 0.1 * v - 0.2 * c * (table.count == 1) + np.sin(y)
    assert is_profile(replace(table, residual=sheet, energy=np.stack([1e-12 * sheet])))
    for other in (sheet + 1e-6 * v * c, sheet + 1e-6 * v * y, sheet + 1e-6 * c * y):
        assert not is_profile(replace(table, residual=other))
        assert not is_profile(replace(table, residual=sheet, energy=np.stack([other])))
    assert not is_profile(measured_like(table, starts=3))


def measured_like(table: OperatingTable, *, starts: int) -> OperatingTable:
    """The same neuron on more starts."""
    shape = (starts, *table.residual.shape[1:])
    return replace(
        table,
        start=np.linspace(table.start[0], table.start[-1], starts),
        residual=np.broadcast_to(table.residual[:1], shape),
        energy=np.broadcast_to(table.energy[:, :1], (len(table.energy), *shape)),
    )
