"""What ``validate`` asks, tells and keeps, with a circuit in place of ngspice that is the ideal neuron."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snncircuit import lookup
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample
from snncircuit.characterise.trains import KINDS, trains
from snncircuit.cli import agreements, given, main
from snncircuit.cli.validation import chosen
from snncircuit.cosim import validate as cosim
from snncircuit.cosim.agreement import errors_of, pool
from snncircuit.cosim.validate import Validation
from snncircuit.errors import TableError
from snncircuit.reference import ideal_table
from snncircuit.table import OperatingTable, TransferTable

Asked = list[tuple[list[OperatingPoint], dict[str, object]]]


def sample(table: OperatingTable, drive: Drive) -> Sample:
    """What a circuit that is its table answers."""
    v, spikes, energy = [0.0], [], []
    for a, b in zip(drive.q_exc, drive.q_inh, strict=True):
        answer = lookup.step(table, v[-1], a, b)
        v.append(float(answer.v_mem))
        spikes.append(int(answer.spikes))
        energy.append(float(answer.energy[0]))
    latency = tuple(2e-7 if n else None for n in spikes)
    return Sample(v_mem=tuple(v), spikes=tuple(spikes), energy=(tuple(energy),), latency=latency)


@pytest.fixture
def own_table(table: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(table, tmp_path / "own.nc"))


@pytest.fixture
def circuit(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Asked]:
    """Puts a circuit in place of ngspice: the ideal neuron, to which every table adds ``offset`` thresholds a step at v_neg = -0.9 V."""
    asked: Asked = []

    def put(offset: float = 0.0) -> Asked:
        def validate(
            table: TransferTable, _cell: object, _cards: object, points: list[OperatingPoint], **given: object
        ) -> Validation:
            asked.append((points, given))
            wholes, parts = [], []
            for p in points:
                at = table.at(v_dd=p.v_dd, v_neg=p.v_neg)
                off = replace(at, residual=at.residual + (offset if p.v_neg == -0.9 else 0.0))
                made = trains(at, 2, 30, 0)
                errors = [errors_of(off, drive, sample(at, drive)) for drive in made.drives(at)]
                wholes.append(pool(errors, ["hung"] if offset and p.v_neg == -0.9 else []))
                kinds = [(e, made.kind[n] == 0) for n, e in enumerate(errors)]
                parts.append({"random": pool([e.part(m) for e, m in kinds if m.any()])})
            given["progress"](2 * len(points), 2 * len(points))  # type: ignore[operator]
            return Validation(
                agreements=tuple(wholes),
                by_drive=tuple(parts),
                seed=3,
                n_steps=30,
                n_neurons=2,
                ngspice="ngspice-x",
                cards={"tt": "cards"},
            )

        monkeypatch.setattr(cosim, "validate", validate)
        return asked

    return put


def words(path: Path, *more: str) -> list[str]:
    return ["validate", str(path), "--netlist", "nmp_clocked", *more]


def test_every_operating_point_is_asked_unless_some_are_chosen(
    circuit: Callable[[], Asked], own_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = circuit()
    assert main(words(own_table, "--no-store", "--steps", "30")) == 0
    assert main(words(own_table, "--no-store", "--vneg", "-0.9,-1.8", "--corner", "tt", "--vdd", "1")) == 0
    capsys.readouterr()
    assert [[p.v_neg for p in points] for points, _ in asked] == [[0.0, -0.9, -1.8], [-0.9, -1.8]]
    assert [given["n_steps"] for _, given in asked] == [30, 1000]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--vneg", "-0.33"), "was not measured at v_neg = -0.33; it holds 0.0, -0.9, -1.8"),
        (("--corner", "tt, ss"), "was not measured at corner = ss; it holds tt"),
        (("--temperature", "hot"), "'hot' in 'hot' is neither a number nor a range"),
    ],
)
def test_a_point_that_the_table_lacks_is_told(
    own_table: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, str], told: str
) -> None:
    assert main(words(own_table, *more)) == 2
    assert told in capsys.readouterr().err


def test_points_with_no_common_combination_are_told(table: Path) -> None:
    points = [ideal_table(0.0), replace(ideal_table(-0.9), point={**ideal_table(-0.9).point, "v_dd": 2.0})]
    star = TransferTable.from_points("ideal", points, TransferTable.load(table).provenance)
    assert [p.v_neg for p in chosen(star, {"v_dd": [2.0]})] == [-0.9]
    with pytest.raises(TableError, match="table ideal holds no operating point with all of"):
        chosen(star, {"v_neg": [0.0], "v_dd": [2.0]})


def test_the_worst_of_each_figure_stands_at_the_top(
    circuit: Callable[[float], Asked], own_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    circuit(0.01)
    assert main(words(own_table, "--json")) == 0
    said = json.loads(capsys.readouterr().out)
    worst = said["points"][1]
    assert worst["v_neg"] == -0.9
    assert (
        said["teacher_forced"]["v_mem_rmse"] == worst["teacher_forced"]["v_mem_rmse"] == pytest.approx(0.01)
    )
    assert said["teacher_forced"]["bias"] == pytest.approx(0.01)
    assert said["free_running"]["spikes_matched"] == min(
        p["free_running"]["spikes_matched"] for p in said["points"]
    )
    assert said["energy_error"] == max(p["energy_error"] for p in said["points"])
    assert said["energy_error_by_supply"].keys() == {"vdd"}
    assert not said["within_bars"]
    assert not said["bars"]["bias"]["met"]
    assert said["bars"]["bias"]["found"] == pytest.approx(0.01)
    assert said["points"][0]["bars"]["bias"]["met"]
    assert said["failures"] == 1
    assert said["points"][0]["by_drive"]["random"]["bias"] == pytest.approx(0, abs=1e-12)
    assert next(iter(KINDS)) == "random"
    assert said["stored"] == str(own_table)


def test_people_see_which_bars_are_not_met_and_strictness_makes_it_a_mistake(
    circuit: Callable[[float], Asked], own_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    circuit(0.01)
    assert main(words(own_table, "--no-store")) == 0
    out = capsys.readouterr().out
    assert "against live ngspice" in out
    assert "ideal is not within the bars: one-step rmse 1 %, expected at most 0.2 %; bias per step 1 %" in out
    assert "failed at v_neg -0.9 V: hung" in out
    assert main(words(own_table, "--no-store", "--strict")) == 2
    assert "ideal is not within the bars" in capsys.readouterr().err
    circuit(0.0)
    assert main(words(own_table, "--no-store", "--strict")) == 0
    assert "\nwithin the bars\n" in capsys.readouterr().out


def test_the_result_is_kept_in_the_table_and_told_by_inspect_and_in_runs(
    circuit: Callable[[float], Asked], own_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(own_table)]) == 0
    assert "never validated" in capsys.readouterr().out
    assert given.population(str(own_table)).settings["table_validated"] == "never"
    before = own_table.read_bytes()
    circuit(0.01)
    assert main(words(own_table, "--no-store")) == 0
    assert own_table.read_bytes() == before
    assert main(words(own_table, "--vneg", "0,-0.9")) == 0
    capsys.readouterr()
    assert main(["inspect", str(own_table)]) == 0
    out = capsys.readouterr().out
    assert "validated: 2 operating points against ngspice-x, 1 within the bars, 1 never; at worst" in out
    assert "outside the bars at tt, 27 degC, v_dd 1 V, v_neg -0.9 V" in out
    assert main(["inspect", str(own_table), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["validation"]) == 2
    assert [p["validation"] and p["validation"]["seed"] for p in said["points"]] == [3, 3, None]
    settings = given.population(str(own_table), v_neg=-0.9).settings
    assert settings["table_validated"] == "outside the bars"
    assert settings["table_v_mem_rmse"] == pytest.approx(0.01)
    assert given.population(str(own_table), v_neg=0.0).settings["table_validated"] == "within the bars"
    assert given.population(str(own_table), v_neg=-1.8).settings["table_validated"] == "never"


def test_a_file_that_cannot_be_written_is_a_remark(
    circuit: Callable[[], Asked],
    own_table: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    circuit()
    before = own_table.read_bytes()
    monkeypatch.setattr("xarray.Dataset.to_netcdf", full)
    assert main(words(own_table, "--json")) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["stored"] is None
    assert "the validation is not kept in the table: cannot write table" in err
    assert own_table.read_bytes() == before


def test_a_validation_with_other_cards_than_those_of_the_table_is_not_kept(
    circuit: Callable[[], Asked], own_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    circuit()
    loaded = TransferTable.load(own_table)
    made = {**loaded.provenance, "cards": {"tt": "others"}}
    replace(loaded, dataset=loaded.dataset.assign_attrs(provenance=json.dumps(made))).save(own_table)
    assert main(words(own_table, "--json")) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["stored"] is None
    assert "the table was measured with other cards at tt than these" in err


def test_ctrl_c_says_that_simulations_are_kept(
    own_table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cosim, "validate", interrupt)
    assert main(words(own_table)) == 130
    assert "every finished simulation is kept in" in capsys.readouterr().err


def test_a_figure_that_could_not_be_found_is_the_worst() -> None:
    quiet = Drive(v_mem=0.0, q_exc=(0.0,), q_inh=(0.0,))
    good = pool([errors_of(ideal_table(-1.0), quiet, Sample(v_mem=(0, 0), spikes=(0,), energy=((0.0,),)))])
    none = pool([errors_of(ideal_table(-1.0), quiet, Sample(v_mem=(0, 0), spikes=(1,), energy=((1.0,),)))])
    for points in ([good, none], [none, good]):
        found = agreements.agreement([p.to_json() for p in points])
        assert np.isnan(found["teacher_forced"]["bias"])
        assert np.isnan(found["bars"]["v_mem_rmse"]["found"])
        assert not found["within_bars"]
