"""The parts of a table add up to it, and each rung moves one of them."""

from dataclasses import fields, replace

import numpy as np
import pytest

from snncircuit import lookup
from snncircuit.reference import ideal_table
from snncircuit.study import rungs
from snncircuit.study.rungs import (
    BOUND,
    DEAD_TIME,
    LEAK,
    MIRRORS,
    PARTS,
    RESET,
    Parts,
    assemble,
    rails,
    split,
)
from snncircuit.table import OperatingTable
from tests.network.event.drawn import measured

TABLES = {
    "clocked": measured("nmp_clocked", -1.8),
    "clocked, no negative rail": measured("nmp_clocked", 0.0),
    "two spikes": measured("nmp", -0.9),
}


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> OperatingTable:
    return TABLES[request.param]


def upto(part: str | None) -> tuple[str, ...]:
    return () if part is None else PARTS[: PARTS.index(part) + 1]


def drives(table: OperatingTable, count: int = 4000) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(0)
    v = random.uniform(table.start[0], 0.99, count)
    exc, inh = random.gamma(1.0, 0.5, (2, count))
    return v, exc, inh


def test_the_parts_add_up_to_the_residual(table: OperatingTable) -> None:
    parts = split(table)
    total = sum(getattr(parts, f.name) for f in fields(Parts))
    np.testing.assert_allclose(total, table.residual, rtol=0, atol=1e-12)


def test_each_part_has_its_sign_and_its_nodes(table: OperatingTable) -> None:
    parts = split(table)
    silent, once, more = table.count == 0, table.count == 1, table.count > 1
    assert parts.bound.min() >= 0
    assert parts.rail.max() <= 0
    assert not parts.bound[..., ~silent].any()
    assert not parts.rail[..., ~once].any()
    assert not parts.reset[..., ~once].any()
    assert not parts.mirrors[..., more].any()
    assert not parts.beyond[..., ~more].any()
    assert (parts.leak == parts.leak[:, :1, :1]).all()


def test_all_parts_are_the_table_itself(table: OperatingTable) -> None:
    assert assemble(table, PARTS) is table
    assert assemble(table, tuple(reversed(PARTS))) is table


def test_without_any_part_a_table_is_the_ideal_neuron(table: OperatingTable) -> None:
    random = np.random.default_rng(1)
    v = random.uniform(-60, 60, 5000)
    exc, inh = random.gamma(2, 1.0, (2, 5000))
    found = lookup.step(assemble(table, ()), v, exc, inh)
    x = v + (exc - inh)
    spikes = (x >= 1).astype(int)
    assert np.array_equal(found.spikes, spikes)
    assert np.array_equal(found.v_mem, x - spikes)


def test_the_lower_bound_is_the_ideal_neurons(table: OperatingTable) -> None:
    """But for the cells of the table in which the bound lies."""
    v_lb = rails(table)[0]
    v, exc, inh = drives(table)
    bounded = lookup.step(assemble(table, upto(BOUND)), v, exc, inh)
    x = v + (exc - inh)
    spikes = (x >= 1).astype(int)
    assert np.array_equal(bounded.spikes, spikes)
    nodes = 1 + table.overdrive[table.count == 0]
    low, high = nodes[nodes <= v_lb].max(), nodes[nodes >= v_lb].min()
    outside = (x <= low) | (x >= high)
    np.testing.assert_allclose(
        bounded.v_mem[outside], np.maximum(x - spikes, v_lb)[outside], rtol=0, atol=1e-12
    )
    assert (bounded.v_mem >= v_lb - 1e-12).all()


def test_mirrors_move_the_silent_side_and_the_gain_alone(table: OperatingTable) -> None:
    before, after = (assemble(table, upto(part)) for part in (BOUND, MIRRORS))
    assert before.figures["gain_inh"] == 1.0
    assert after.figures["gain_inh"] == table.figures["gain_inh"]
    kept = table.count <= 1
    changed = np.concatenate(
        [split(table).mirrors[..., kept], split(table).mirrors[..., kept][..., -1:]], axis=-1
    )
    np.testing.assert_allclose(after.residual - before.residual, changed, rtol=0, atol=1e-12)
    assert same_but(before, after, "residual", "figures")


def test_the_reset_error_moves_what_a_spike_takes_alone(table: OperatingTable) -> None:
    before, after = (assemble(table, upto(part)) for part in (MIRRORS, RESET))
    assert same_but(before, after, "residual")
    change = after.residual - before.residual
    assert not change[..., after.count == 0].any()
    np.testing.assert_allclose(
        change[..., after.count == 1], change[..., -1:] + 0 * change[..., after.count == 1]
    )


def test_without_reset_error_nothing_but_one_threshold_is_lost_across_the_edge(table: OperatingTable) -> None:
    made = assemble(table, [part for part in PARTS if part not in (RESET, DEAD_TIME)])
    once = np.argmax(made.count == 1)
    np.testing.assert_allclose(made.residual[..., once], made.residual[..., once - 1], rtol=0, atol=1e-12)


def test_dead_time_moves_edges_and_upper_end_and_keeps_the_rails_where_they_are(
    table: OperatingTable,
) -> None:
    before, after = (assemble(table, upto(part)) for part in (RESET, DEAD_TIME))
    assert (before.edge == 1).all()
    assert before.count.max() == 1
    for sheet in ("edge", "count", "overdrive"):
        assert np.array_equal(getattr(after, sheet), getattr(table, sheet))
    v_lb = rails(table)[0]
    for made in (
        before,
        after,
    ):  # the rest of the residual stays, once the bound is taken off at its own place
        silent = made.count == 0
        x = made.edge[0][..., None] + made.overdrive[silent]
        rest = made.residual[..., silent] - np.maximum(v_lb - x, 0)
        np.testing.assert_allclose(rest, split(table).mirrors[..., table.count == 0], rtol=0, atol=1e-12)
    assert before.figures == after.figures


def test_the_leak_moves_a_start_alone_and_without_it_a_silent_membrane_stays(table: OperatingTable) -> None:
    before, after = (assemble(table, upto(part)) for part in (DEAD_TIME, LEAK))
    assert after is table
    assert same_but(before, after, "residual")
    change = after.residual - before.residual
    np.testing.assert_allclose(change, np.broadcast_to(change[:, :1, :1], change.shape), rtol=0, atol=1e-12)
    starts = table.start[(table.start < table.edge[0, :, 0]) & (table.start >= rails(table)[0])]
    still = lookup.step(before, starts, 0.0, 0.0)
    np.testing.assert_allclose(still.v_mem, starts, rtol=0, atol=1e-12)


def test_energies_are_the_measured_ones_wherever_a_circuit_can_be(table: OperatingTable) -> None:
    v, exc, inh = drives(table)
    exc, inh = np.minimum(exc, 1.5), np.minimum(inh, 0.2 * exc)
    ideal = assemble(table, ())
    x = v + exc - inh
    here = (np.abs(table.edge - 1).max() < np.abs(x - 1)) & (x > table.start[0] + 0.2) & (x < 1.8)
    found, expected = (lookup.step(t, v[here], exc[here], inh[here]).energy for t in (ideal, table))
    total = expected.sum(axis=0)
    assert np.abs(found.sum(axis=0) - total).mean() < 0.05 * np.abs(total).mean()


def test_below_the_bound_an_unbounded_step_costs_what_one_costs_that_ends_there() -> None:
    table = TABLES["clocked"]
    made = assemble(table, ())
    deep, deeper = (lookup.step(made, -3.0, 0.0, q).energy - made.energy_inh * q for q in (1.0, 50.0))
    rounding = 1e-12 * 50 * np.abs(made.energy_inh).max()
    np.testing.assert_allclose(deep, deeper, rtol=1e-9, atol=rounding)


def test_the_ideal_neuron_written_as_a_table_has_its_bound_as_a_part() -> None:
    table = ideal_table(-1.0)
    table = replace(table, point={**table.point, "v_dd": 100.0})  # far above any membrane of it
    parts = split(table)
    expected = np.maximum(-1.0 - (1.0 + table.overdrive), 0.0) * (table.count == 0)
    np.testing.assert_allclose(parts.bound, np.broadcast_to(expected, parts.bound.shape), rtol=0, atol=1e-12)
    for name in ("rail", "mirrors", "reset", "leak", "beyond"):
        assert np.abs(getattr(parts, name)).max() < 1e-8


def test_single_precision_tells_membranes_apart_as_far_as_tables_are_stretched() -> None:
    assert float(np.spacing(np.float32(rungs.FAR))) <= 1 / 64


def same_but(one: OperatingTable, other: OperatingTable, *names: str) -> bool:
    """Whether two tables differ in these fields alone."""
    for f in fields(OperatingTable):
        here, there = getattr(one, f.name), getattr(other, f.name)
        equal = np.array_equal(here, there) if isinstance(here, np.ndarray) else here == there
        if f.name in names:
            assert not equal, f.name
        elif not equal:
            return False
    return True
