"""Mismatched neurons on real ngspice: the same draw always, theory's spread from single deviations, numbers that tell the next steps."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snncircuit.characterise.cell import load_cell
from snncircuit.characterise.closed_form import pairs, sensitivity
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample
from snncircuit.characterise.mismatch import Bench, deviates, draw, measure
from snncircuit.characterise.run import Laboratory
from snncircuit.cosim.mismatched import compare, hold
from snncircuit.errors import CharacterisationError, EngineMissingError
from snncircuit.reference import ideal_table
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.discovery import find_ngspice
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.mismatch_cards import load_mismatch
from snncircuit.spice.netlist import load_models
from snncircuit.table import VARIATION, TransferTable

ROOT = Path(__file__).parents[2]
POINT = OperatingPoint(v_dd=1.8, v_neg=-1.8)


def test_a_draw_depends_on_its_seed_and_number_alone() -> None:
    assert np.array_equal(deviates(3, 5, 40), deviates(3, 5, 40))
    assert not np.array_equal(deviates(3, 5, 40), deviates(3, 6, 40))
    assert not np.array_equal(deviates(3, 5, 40), deviates(4, 5, 40))
    spawned = np.random.SeedSequence(3).spawn(6)[5]
    assert np.array_equal(deviates(3, 5, 40), np.random.default_rng(spawned).standard_normal((40, 2)))


@pytest.fixture(scope="module")
def pool() -> Iterator[EnginePool]:
    try:
        found = find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))
    with EnginePool(found=found) as pool:
        yield pool


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, pool: EnginePool) -> Iterator[Bench]:
    """The clocked neuron, of which the excitatory mirror alone has mismatch: a model of its own, like the others but in name."""
    folder = tmp_path_factory.mktemp("cells") / "nmp_clocked"
    shutil.copytree(ROOT / "netlists" / "nmp_clocked", folder)
    text = (folder / "neuron.cir").read_text()
    text = re.sub(r"^(MP[13] .*)pch33", r"\1mirror", text, flags=re.MULTILINE)
    (folder / "neuron.cir").write_text(text)
    shipped = load_models(ROOT / "models" / "devices" / "generic180.lib", "tt")
    (card,) = (line for line in shipped.text.splitlines() if line.startswith(".model pch33"))
    cards = replace(shipped, text=f"{shipped.text}\n{card.replace('pch33', 'mirror', 1)}")
    (folder / "cards.toml").write_text("schema = 1\n[mirror]\na_vt = 8.0\na_beta = 1.2\n")
    table = TransferTable.load(ROOT / "models" / "neurons" / "nmp_clocked.nc")
    with SampleCache(folder / "samples.sqlite") as cache:
        cell = load_cell(folder)
        yield Bench(
            table=table.at(v_neg=-1.8),
            cell=cell,
            point=POINT,
            mismatch=load_mismatch(folder / "cards.toml"),
            laboratory=Laboratory(cell=cell, cards={"tt": cards}, pool=pool, cache=cache),
        )


@pytest.mark.ngspice
def test_single_deviations_of_a_mirror_give_the_spread_of_the_formula(bench: Bench, pool: EnginePool) -> None:
    theory = sensitivity(bench)
    assert [d.path for d in theory.devices] == ["mp1", "mp3"]
    pair = pairs(bench, pool)["gain_exc"]
    assert pair.devices == ("mp1", "mp3")
    assert theory.sigma[VARIATION.index("gain_exc")] == pytest.approx(pair.sigma, rel=0.05)
    # A mirror compares two devices: what one adds the other takes away, and nothing else in the neuron moves as much.
    gain = theory.slopes[:, :, VARIATION.index("gain_exc")]
    np.testing.assert_allclose(gain[0], -gain[1], rtol=0.15)
    assert theory.sigma[1:3].max() < 0.02 * pair.sigma
    assert dict(theory.shares("gain_exc")).keys() == {"mp1", "mp3"}
    assert sum(share for _, share in theory.shares("gain_exc")) == pytest.approx(1.0)
    np.testing.assert_allclose(np.sqrt(np.diag(theory.covariance)), theory.sigma)


@pytest.mark.ngspice
def test_the_pairs_of_a_neuron_are_its_mirrors_and_the_input_of_its_comparator(
    bench: Bench, pool: EnginePool
) -> None:
    cards = ROOT / "models" / "devices"
    cell = load_cell(ROOT / "netlists" / "nmp_clocked")
    known = load_mismatch(cards / "generic180.toml")
    found = pairs(
        replace(bench, cell=cell, mismatch=known, laboratory=replace(bench.laboratory, cell=cell)), pool
    )
    assert {n: p.devices for n, p in found.items()} == {
        "gain_exc": ("mp1", "mp3"),
        "gain_inh": ("mn1", "mn3"),
        "threshold": ("mc1", "mc2"),
    }
    input_area, mirror_area = 0.8e-6 * 0.35e-6, 6e-6 * 0.5e-6
    assert found["threshold"].sigma * bench.scale.volts == pytest.approx(8e-9 / input_area**0.5)
    mirror = found["gain_exc"]
    assert mirror.sigma_vt == pytest.approx(8e-9 / mirror_area**0.5)
    assert mirror.gm_over_id is not None
    assert 2.0 < mirror.gm_over_id < 30.0  # weak inversion is the limit
    assert mirror.sigma == pytest.approx(np.hypot(mirror.gm_over_id * mirror.sigma_vt, mirror.sigma_beta))


@pytest.mark.ngspice
def test_more_draws_leave_the_first_ones_as_they_were_and_tell_the_next_steps(bench: Bench) -> None:
    one, two = draw(bench, 1, 7), draw(bench, 2, 7)
    assert np.array_equal(one.values, two.values[:1])
    assert bench.laboratory.reused > 0
    (held,) = hold(bench, [(1, two.values[1])], seed=7, n_steps=20)
    assert held.draw == 1
    assert held.steps == 20
    assert held.v_mem_rmse < 0.01
    assert held.v_mem_rmse < held.nominal_v_mem_rmse


@pytest.mark.ngspice
def test_neurons_that_do_not_work_are_counted_and_never_taken_for_measured(bench: Bench) -> None:
    dead = np.array([[2000.0, 0.0], [0.0, 0.0]])
    found = measure(bench, [dead, np.zeros((2, 2))])
    assert found.numbers == (1,)
    assert found.failures[0].startswith("draw 0: ")
    np.testing.assert_allclose(found.values, [[1.0, 1.0, 1.0, 0.0, 1.0]], atol=1e-6)
    with pytest.raises(CharacterisationError, match="none of 1 mismatched neurons works: draw 0"):
        measure(bench, [dead])


def test_a_neuron_that_is_its_own_numbers_is_told_without_error() -> None:
    table = ideal_table(-1.0)
    drive = Drive(v_mem=0.0, q_exc=(0.6, 0.6, 0.6), q_inh=(0.0, 0.0, 0.0))
    # 1.2 times 0.6, twice, is above 1.1; the packet takes 0.9 of a threshold.
    sample = Sample(v_mem=(0.0, 0.72, 0.54, 0.36), spikes=(0, 1, 1), energy=())
    held = compare(table, 4, np.array([1.2, 1.0, 1.1, 0.0, 0.9]), drive, sample)
    assert held.v_mem_rmse < 1e-12
    assert (held.spikes_disagreeing, held.n_spikes, held.own_spikes) == (0.0, 2, 2)
    assert held.nominal_v_mem_rmse > 0.05
    assert held.nominal_spikes == 1
