"""A validation meets every operating point and every kind of drive, resumes, and tells what failed."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from snncircuit.characterise.cell import NeuronCell, load_cell
from snncircuit.characterise.drive import OperatingPoint
from snncircuit.characterise.trains import KINDS
from snncircuit.cosim.validate import Validation, check_origin, validate
from snncircuit.errors import TableError
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.cards import load_models
from snncircuit.spice.deck import Deck
from snncircuit.spice.engine import EnginePool, Failure, Outcome
from snncircuit.spice.netlist import ModelCards
from snncircuit.table import TransferTable

ROOT = Path(__file__).parents[2]
POINT = OperatingPoint(v_dd=1.8, v_neg=-0.9)
SMALL = {"n_steps": 20, "n_neurons": 2}


def cards(corner: str) -> ModelCards:
    return load_models(ROOT / "models" / "devices" / "generic180.lib", corner)


@pytest.fixture(scope="module")
def table() -> TransferTable:
    return TransferTable.load(ROOT / "models" / "neurons" / "nmp_clocked.nc")


@pytest.fixture(scope="module")
def cell() -> NeuronCell:
    return load_cell(ROOT / "netlists" / "nmp_clocked")


@pytest.fixture(scope="module")
def kept(
    table: TransferTable, cell: NeuronCell, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Validation, Path]:
    """A validation by ngspice, and the cache that it left."""
    path = tmp_path_factory.mktemp("cache") / "samples.sqlite"
    with SampleCache(path) as cache, EnginePool(2, 120) as pool:
        return validate(table, cell, cards, [POINT], pool=pool, cache=cache, **SMALL), path


@pytest.mark.ngspice
def test_ngspice_and_the_table_agree_on_every_kind_of_drive(kept: tuple[Validation, Path]) -> None:
    ((found,), (parts,)) = kept[0].agreements, kept[0].by_drive
    assert found.n_trains == 2
    assert found.n_steps == sum(part.n_steps for part in parts.values()) == 40
    assert parts.keys() == KINDS.keys()
    assert found.n_spikes == sum(part.n_spikes for part in parts.values()) > 0
    assert found.v_mem_rmse < 0.01
    assert found.energy_error < 0.05
    assert found.failures == ()
    # The comparator decides once a step, between the edges of its clock.
    assert 450e-9 < found.latency.p50 <= found.latency.max < 650e-9
    (said,) = kept[0].to_json()
    assert said["by_drive"]["silence"]["n_steps"] == parts["silence"].n_steps
    ((label, record),) = kept[0].records().items()
    assert label == "tt, 27 degC, v_dd 1.8 V, v_neg -0.9 V"
    assert record["v_mem_rmse"] == found.v_mem_rmse
    assert record["within_bars"] is all(bar.met for bar in found.bars().values())
    assert (record["seed"], record["steps"], record["neurons"], record["n_steps"]) == (0, 20, 2, 40)


@pytest.mark.ngspice
def test_a_repeated_validation_starts_no_ngspice_and_another_seed_asks_anew(
    table: TransferTable, cell: NeuronCell, kept: tuple[Validation, Path]
) -> None:
    done: list[tuple[int, int]] = []
    with SampleCache(kept[1]) as cache, EnginePool(1, 120) as pool:
        again = validate(
            table,
            cell,
            cards,
            [POINT],
            pool=pool,
            cache=cache,
            progress=lambda n, of: done.append((n, of)),
            **SMALL,
        )
        assert pool.started == 0
        assert again == kept[0]
        assert done == [(1, 2), (2, 2)]
        asked = Refusing("asked")
        with pytest.raises(TableError):
            validate(table, cell, cards, [POINT], pool=asked, cache=cache, seed=1, **SMALL)
    assert asked.asked == 2


class Refusing:
    """A pool whose every simulation fails, but the first ``good`` ones, which it leaves to ngspice."""

    def __init__(self, reason: str, good: EnginePool | None = None) -> None:
        self.reason, self.good, self.asked = reason, good, 0
        self.version = good.version if good else "none"

    def map(self, decks: Iterable[Deck]) -> Iterator[tuple[int, Outcome]]:
        for index, deck in enumerate(decks):
            self.asked += 1
            if self.good is not None and index == 0:
                yield index, self.good.run(deck)
            else:
                yield index, Failure(reason=self.reason)


@pytest.mark.ngspice
def test_one_failure_is_told_and_the_rest_is_compared(
    table: TransferTable, cell: NeuronCell, own_cache: Path
) -> None:
    with SampleCache(own_cache / "s.sqlite") as cache, EnginePool(1, 120) as pool:
        found = validate(
            table, cell, cards, [POINT], pool=Refusing("hung", pool), cache=cache, n_steps=6, n_neurons=2
        )
    assert found.agreements[0].failures == ("hung",)
    assert found.agreements[0].n_trains == 1
    assert found.records()["tt, 27 degC, v_dd 1.8 V, v_neg -0.9 V"]["failures"] == 1
    assert set(found.by_drive[0]) == set(list(KINDS)[:3])


def test_nothing_but_failures_is_an_error_that_says_where(
    table: TransferTable, cell: NeuronCell, own_cache: Path
) -> None:
    with (
        SampleCache(own_cache / "s.sqlite") as cache,
        pytest.raises(
            TableError, match=r"nmp_clocked at tt, 27 degC, .*: no simulation succeeded, .*: singular matrix"
        ),
    ):
        validate(table, cell, cards, [POINT], pool=Refusing("singular matrix"), cache=cache, **SMALL)


def test_a_table_is_not_held_against_another_netlist_or_where_it_was_not_measured(
    table: TransferTable, cell: NeuronCell, own_cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "netlists" / "nmp_clocked", tmp_path / "other")
    text = (tmp_path / "other" / "neuron.cir").read_text()
    (tmp_path / "other" / "neuron.cir").write_text(text.replace("500f", "510f"))
    check_origin(table, cell)
    with pytest.raises(TableError, match=r"measured from another netlist than .*: expected the SHA-256"):
        check_origin(table, load_cell(tmp_path / "other"))
    elsewhere = OperatingPoint(v_dd=1.8, v_neg=-0.33)
    with (
        SampleCache(own_cache / "s.sqlite") as cache,
        pytest.raises(TableError, match=r"not measured at v_neg = -0\.33; it holds"),
    ):
        validate(table, cell, cards, [elsewhere], pool=Refusing(""), cache=cache)
