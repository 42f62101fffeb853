"""What is measured of a mismatched neuron is what made it one: ``varied_step`` answers in ngspice's place and is found again."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from snncircuit import lookup
from snncircuit.characterise.drive import Drive, Sample
from snncircuit.characterise.scale import Scale
from snncircuit.characterise.variation import Response, respond, variation
from snncircuit.reference import ideal_table
from snncircuit.table import OperatingTable, TransferTable

NOMINAL = (1.0, 1.0, 1.0, 0.0, 1.0)
SHIPPED = Path(__file__).parents[2] / "models" / "neurons"


def scale(table: OperatingTable) -> Scale:
    return Scale(rest=table.rest, volts=table.figures["threshold"], charge=table.figures["threshold_charge"])


def answer(table: OperatingTable, numbers: tuple[float, ...]) -> Callable[[Drive], Sample]:
    def sample(drive: Drive) -> Sample:
        s = scale(table)
        found = lookup.varied_step(
            table, numbers, s.membrane(drive.v_mem), drive.q_exc[0] / s.charge, drive.q_inh[0] / s.charge
        )
        after = table.rest + float(found.v_mem) * s.volts
        return Sample(v_mem=(drive.v_mem, after), spikes=(int(found.spikes),), energy=())

    return sample


def response(table: OperatingTable, sample: Callable[[Drive], Sample]) -> Response:
    run = respond(scale(table))
    asked = next(run)
    while True:
        try:
            asked = run.send([sample(d) for d in asked])
        except StopIteration as end:
            return end.value


@cache
def measured(name: str) -> tuple[OperatingTable, Response]:
    table = TransferTable.load(SHIPPED / f"{name}.nc").at(v_neg=-1.8)
    return table, response(table, answer(table, NOMINAL))


numbers = st.tuples(
    st.floats(0.7, 1.4),
    st.floats(0.7, 1.4),
    st.floats(0.93, 1.07),
    st.floats(-0.02, 0.02),
    st.floats(0.9, 1.1),
)


@given(numbers=numbers)
def test_the_numbers_of_an_ideal_neuron_come_back(numbers: tuple[float, ...]) -> None:
    table = ideal_table(-2.0)
    nominal = response(table, answer(table, NOMINAL))
    found = variation(table, nominal, response(table, answer(table, numbers)))
    np.testing.assert_allclose(found, numbers, atol=1.5e-4)


@pytest.mark.parametrize(("name", "within"), [("nmp_clocked", 0.01), ("nmp", 0.01), ("nmp_simple", 0.03)])
@settings(max_examples=4)
@given(numbers=numbers)
def test_the_numbers_of_a_measured_neuron_come_back(
    name: str, within: float, numbers: tuple[float, ...]
) -> None:
    # Gains are what a charge of half a threshold does, so that a compressing mirror costs them a little: one of two transistors more.
    table, nominal = measured(name)
    answered = response(table, answer(table, numbers))
    assume(answered.failure is None)  # so little excitation beside so high a threshold that nothing fires
    np.testing.assert_allclose(variation(table, nominal, answered), numbers, atol=within)


def test_the_nominal_neuron_is_nominal() -> None:
    table, nominal = measured("nmp_clocked")
    np.testing.assert_allclose(variation(table, nominal, nominal), NOMINAL, atol=1e-12)


def test_what_fires_where_it_must_not_or_cannot_be_simulated_is_no_neuron() -> None:
    table = ideal_table(-2.0)
    early = response(table, answer(table, (1.0, 1.0, 0.6, 0.0, 1.0)))
    assert early.failure == "fires 1 times in a step in which the nominal neuron fires 0 times"
    broken = response(table, lambda _: Sample(failure="timestep too small"))
    assert broken.failure == "timestep too small"

    def sulking(drive: Drive) -> Sample:
        # Answers the five questions, but not the search for its edge.
        one = answer(table, NOMINAL)(drive)
        known = {(0.0, 0.0), (0.0, 0.5), (0.75, 0.0), (0.7, 0.5)}
        return one if (drive.v_mem, drive.q_exc[0]) in known else replace(one, failure="hung")

    assert response(table, sulking).failure == "hung"
