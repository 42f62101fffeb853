"""The event engine gives the run of the reference: spikes, membranes and every figure that is kept of them."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from snncircuit.lookup import pieces
from snncircuit.network import event
from snncircuit.network.outcome import SIGNALS, Outcome
from snncircuit.neuron.form import is_profile
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import Neuron, Tally
from snncircuit.table import OperatingTable

if not event.available():
    pytest.skip(event.unavailable_reason(), allow_module_level=True)

from tests.network.event.drawn import ENCODERS, TABLES, Drawn, modules, run

# Torch copies an image that it pads on one side more; that is nobody's concern here.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

SAME_SPIKES = 1e-3
"""Share of the spikes that rounding may move where circuit neurons stand at their edge."""


def assert_identical(one: Outcome, other: Outcome) -> None:
    for name, counts in one.counts.items():
        assert torch.equal(counts, other.counts[name]), name
    assert torch.equal(one.output, other.output)
    assert torch.equal(one.v_output, other.v_output)
    assert torch.equal(one.steps_used, other.steps_used)


def visits_of(tally: Tally, table: OperatingTable | None) -> NDArray[np.float64]:
    """How often nodes were visited; of a profile all that its sheets can tell: by node, and of each spike count by start and by charge."""
    visits: NDArray[np.float64] = tally.occupancy.numpy() if tally.occupancy is not None else np.zeros(0)
    if table is None or not is_profile(table):
        return visits
    visits = visits.reshape(table.residual.shape)
    counts = [visits[:, :, piece].sum(axis=2) for piece in pieces(table)]
    return np.concatenate([visits.sum(axis=(0, 1)), *(c.sum(axis=axis) for c in counts for axis in (0, 1))])


def assert_same_tally(
    one: Tally, other: Tally, *, places: float = 0.0, table: OperatingTable | None = None
) -> None:
    """``places``: thresholds by which membranes may differ by rounding; ``table``: of circuit neurons."""
    assert (one.neuron_steps, one.spikes, one.out_of_range) == (
        other.neuron_steps,
        other.spikes,
        other.out_of_range,
    )
    for figure in ("q_exc", "q_inh", "clipped_charge"):
        assert getattr(one, figure) == pytest.approx(
            getattr(other, figure), rel=1e-5, abs=places * one.neuron_steps
        )
    assert (one.v_low, one.v_high) == pytest.approx((other.v_low, other.v_high), abs=places)
    assert (one.occupancy is None) == (other.occupancy is None)
    if one.occupancy is not None and other.occupancy is not None:
        assert float(one.occupancy.sum()) == pytest.approx(one.neuron_steps, rel=1e-5)
        # Overdrives of spikes lie beyond 64 on the axis of nodes, where single precision counts in 8e-6: of a cell, some 3e-5.
        np.testing.assert_allclose(
            visits_of(one, table), visits_of(other, table), rtol=0, atol=3e-5 * one.neuron_steps
        )


def assert_same_energies(neuron: Neuron, one: Tally, other: Tally) -> None:
    expected, found = neuron.energies(one), neuron.energies(other)
    assert expected.keys() == found.keys()
    for supply, terms in expected.items():
        largest = max(abs(joule) for joule in terms.values())
        # Cells beside the firing edge are 1e-3 wide and steep: a membrane that differs by its last bit moves a visit by 1e-4 there.
        assert found[supply] == pytest.approx(terms, abs=2e-5 * largest)


@settings(max_examples=40)
@given(
    modules(),
    st.sampled_from(ENCODERS),
    st.sampled_from([None, 0.0, -0.5]),
    st.sampled_from(["subtract", "zero"]),
)
def test_ideal_neurons_spike_as_those_of_the_other_engines(
    drawn: Drawn, encoder: str, v_lb: float | None, reset: str
) -> None:
    network = drawn.spiking()
    neuron = IdealNeuron(v_lb=v_lb, reset=reset)
    found = run("event", network, neuron, encoder)
    for engine in ("reference", "dense"):
        expected = run(engine, network, neuron, encoder)
        assert_identical(expected, found)
        for name, tally in expected.tallies.items():
            assert_same_tally(tally, found.tallies[name])


@pytest.mark.parametrize("table", TABLES)
@settings(max_examples=6)
@given(drawn=modules(), encoder=st.sampled_from(ENCODERS))
def test_circuit_neurons_spike_as_those_of_the_other_engines(drawn: Drawn, encoder: str, table: str) -> None:
    network = drawn.spiking()
    neuron = TABLES[table]
    every = {layer.name: tuple(range(torch.Size(layer.out_shape).numel())) for layer in network.layers}
    expected, found = (
        run(engine, network, neuron, encoder, count=2, record=every) for engine in ("dense", "event")
    )
    moved = sum(
        np.abs(trace.spikes - found.traces[name].spikes).sum() for name, trace in expected.traces.items()
    )
    assert moved <= 2 + SAME_SPIKES * sum(tally.spikes for tally in expected.tallies.values())
    if moved:
        return
    assert torch.equal(expected.output, found.output)
    assert float((expected.v_output - found.v_output).abs().max()) < 1e-4
    for name, tally in expected.tallies.items():
        assert_same_tally(tally, found.tallies[name], places=1e-4, table=neuron.table)
        assert_same_energies(neuron, tally, found.tallies[name])


@settings(max_examples=10)
@given(modules(), st.sampled_from(ENCODERS), st.sampled_from(["ideal", "two spikes", "clocked"]), st.data())
def test_recorded_neurons_are_those_of_the_dense_engine(
    drawn: Drawn, encoder: str, kind: str, data: st.DataObject
) -> None:
    network = drawn.spiking()
    neuron = IdealNeuron(v_lb=-0.3) if kind == "ideal" else TABLES[kind]
    record = {}
    for layer in network.layers[: data.draw(st.integers(1, len(network.layers)))]:
        numbers = st.integers(0, torch.Size(layer.out_shape).numel() - 1)
        record[layer.name] = tuple(data.draw(st.lists(numbers, min_size=1, max_size=4)))
    expected, found = (run(engine, network, neuron, encoder, record=record) for engine in ("dense", "event"))
    assert expected.traces.keys() == found.traces.keys() == record.keys()
    for name, trace in expected.traces.items():
        assert trace.neurons == found.traces[name].neurons
        for signal in SIGNALS:
            np.testing.assert_allclose(
                getattr(trace, signal),
                getattr(found.traces[name], signal),
                rtol=0,
                atol=0 if kind == "ideal" else 1e-4,
            )
    assert_identical(run("event", network, neuron, encoder), found)


@settings(max_examples=15)
@given(
    modules(),
    st.sampled_from(ENCODERS),
    st.sampled_from(["ideal", "clocked"]),
    st.integers(1, 6),
)
def test_an_image_that_stops_early_leaves_what_it_does_in_the_reference(
    drawn: Drawn, encoder: str, kind: str, margin: int
) -> None:
    network = drawn.spiking()
    assume(torch.Size(network.layers[-1].out_shape).numel() > 1)
    neuron = IdealNeuron(v_lb=-0.2) if kind == "ideal" else TABLES[kind]
    expected, found = (
        run(engine, network, neuron, encoder, steps=43, count=5, exit_margin=margin)
        for engine in ("reference", "event")
    )
    assert torch.equal(expected.steps_used, found.steps_used)
    assert torch.equal(expected.output, found.output)
    for name, tally in expected.tallies.items():
        assert torch.equal(expected.counts[name], found.counts[name])
        assert_same_tally(tally, found.tallies[name], places=0 if kind == "ideal" else 1e-4)


@settings(max_examples=20)
@given(modules(), st.sampled_from(ENCODERS), st.sampled_from([None, -0.4]))
def test_weights_without_a_grid_give_the_dense_run_but_for_rounding(
    drawn: Drawn, encoder: str, v_lb: float | None
) -> None:
    network = drawn.spiking()
    loose = dataclasses.replace(
        network,
        layers=tuple(
            dataclasses.replace(
                layer,
                grid=0.0,
                **{
                    side: getattr(layer, side) * 1.0123
                    for side in ("weight_exc", "weight_inh", "bias_exc", "bias_inh")
                },
            )
            for layer in network.layers
        ),
    )
    expected, found = (run(engine, loose, IdealNeuron(v_lb=v_lb), encoder) for engine in ("dense", "event"))
    moved = sum(float((counts - found.counts[name]).abs().sum()) for name, counts in expected.counts.items())
    assert moved <= max(2.0, 0.002 * sum(counts.numel() for counts in expected.counts.values()))
    for name, tally in expected.tallies.items():
        there = found.tallies[name]
        assert (tally.q_exc, tally.q_inh) == pytest.approx((there.q_exc, there.q_inh), rel=0.01, abs=3.0)
