"""A sample does not depend on who simulated it: how many workers, how often replaced, or a fresh process for each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import which

import pytest

from snncircuit.characterise.cell import load_cell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample
from snncircuit.characterise.run import Laboratory
from snncircuit.errors import EngineMissingError
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.discovery import Found, find_ngspice
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.netlist import load_models

pytestmark = pytest.mark.ngspice
ROOT = Path(__file__).parents[2]
POINT = OperatingPoint(v_dd=1.8, v_neg=0.0)
DRIVES = [
    Drive(v_mem=v, q_exc=exc, q_inh=inh)
    for v in (0.1, 0.7)
    for exc, inh in (((2e-13,), (0.0,)), ((5e-13, 1e-13), (0.0, 3e-13)))
]


@pytest.fixture(scope="module")
def found() -> Found:
    try:
        return find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Callable[[EnginePool], list[Sample]]:
    cell = load_cell(ROOT / "netlists" / "zmp")
    assert cell.models is not None
    cards = {POINT.corner: load_models(cell.models, POINT.corner)}

    def measure(pool: EnginePool) -> list[Sample]:
        store = SampleCache(tmp_path_factory.mktemp("cache") / "samples.sqlite")
        with pool, store as cache:
            laboratory = Laboratory(cell=cell, cards=cards, pool=pool, cache=cache)
            answers = dict(laboratory.answer([(POINT, drive) for drive in DRIVES]))
        assert laboratory.reused == 0
        return [answers[k] for k in range(len(DRIVES))]

    return measure


@pytest.fixture(scope="module")
def expected(found: Found, samples: Callable[[EnginePool], list[Sample]]) -> list[Sample]:
    measured = samples(EnginePool(found=found))
    assert {s.failure for s in measured} == {None}
    assert sum(sum(s.spikes) for s in measured) > 0
    return measured


@pytest.mark.parametrize(("jobs", "recycle"), [(1, 1), (2, 2), (3, 2000)])
def test_workers_give_the_same_samples_however_many_and_however_often_replaced(
    found: Found,
    samples: Callable[[EnginePool], list[Sample]],
    expected: list[Sample],
    jobs: int,
    recycle: int,
) -> None:
    assert samples(EnginePool(jobs, recycle=recycle, found=found)) == expected


def test_a_fresh_process_for_each_point_gives_the_same_samples(
    found: Found, samples: Callable[[EnginePool], list[Sample]], expected: list[Sample]
) -> None:
    program = which("ngspice")
    if program is None:
        pytest.skip("no program ngspice")
    for sample, other in zip(
        samples(EnginePool(found=replace(found, kind="program", path=program))), expected, strict=True
    ):
        assert sample.spikes == other.spikes
        assert sample.v_mem == pytest.approx(other.v_mem, abs=1e-6)
        for joules, others in zip(sample.energy, other.energy, strict=True):
            assert joules == pytest.approx(others, abs=1e-18)
