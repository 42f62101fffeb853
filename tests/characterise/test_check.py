"""A look at a cell finds each mistake that was made on purpose, with its device and its place, and nothing in a good one."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snncircuit import shipped
from snncircuit.characterise.cell import NeuronCell, load_cell, parse_cell
from snncircuit.characterise.check import check_cell, default_point, first_drive
from snncircuit.characterise.findings import Finding
from snncircuit.characterise.stress import stress_findings, terminal_limits, time_above
from snncircuit.characterise.structure import structural_findings
from snncircuit.cli import main
from snncircuit.errors import CellError, EngineMissingError
from snncircuit.spice.cards import load_models
from snncircuit.spice.deck import Deck
from snncircuit.spice.discovery import find_ngspice
from snncircuit.spice.instances import Device, open_circuit
from snncircuit.spice.netlist import parse_netlist_text
from snncircuit.spice.waveforms import Failure
from tests.strategies import CARDS, CELL, NETLIST

GATE = "Mx vdd a gnd gnd nch w=1u l=1u ad=1p as=1p pd=1u ps=1u"


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    path = tmp_path / "cards.lib"
    path.write_text(CARDS)
    return path


def toy(netlist: str) -> NeuronCell:
    return parse_cell(CELL, Path("x/cell.toml"), parse_netlist_text(netlist, "x/neuron.cir"))


def structure(netlist: str, cards: Path) -> list[Finding]:
    cell = toy(netlist)
    return structural_findings(cell, open_circuit(cell.netlist, cell.subckt, load_models(cards, "tt")))


def bad(findings: Sequence[Finding]) -> list[tuple[str, str, str, str]]:
    return [(f.check, f.level, f.device, f.node) for f in findings if f.level != "ok"]


def test_a_good_netlist_passes_every_structural_check(cards: Path) -> None:
    found = structure(NETLIST, cards)
    assert bad(found) == []
    assert [f.check for f in found] == ["ports", "bulk", "junction_area", "floating"]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("MN spk vm gnd gnd", "MN spk vm gnd vm", [("bulk", "error", "mn", "vm")]),
        ("MN spk vm gnd gnd", "MN spk vm gnd 0", []),
        ("MP spk vm vdd vdd", "MP spk vm exc exc", [("bulk", "error", "mp", "exc"), ("ports", "warning", "", "vdd")]),
        ("MP spk vm vdd vdd", "Rw vdd w 1k\nMP spk vm w w", [("bulk", "warning", "mp", "w")]),
        ("MP spk vm vdd vdd", "Rw vdd w 1k\nMP spk vm vdd w", [("bulk", "error", "mp", "w")]),
        ("ad=1p as=1p pd=5u ps=5u", "ad=1p as=1p", [("junction_area", "warning", "mp", "")]),
        ("Re exc vm 1k", "Re exc vm 1k\nCx lone vm 1f", [("floating", "error", "cx", "lone")]),
        ("Re exc vm 1k", "Re exc vm 1k\nCx a vm 1f\nCy a gnd 1f", [("floating", "error", "cx", "a")]),
        ("Re exc vm 1k", f"Re exc vm 1k\n{GATE}\nCx a vm 1f", [("floating", "error", "mx", "a")]),
        ("Re exc vm 1k", "Ce exc vm 1f", [("floating", "error", "ce", "exc")]),
        ("Rl vm vneg 1e12", "Rl vm gnd 1e12", [("ports", "warning", "", "vneg")]),
        # Two nodes that hold each other and nothing else.
        ("Re exc vm 1k", "Re exc vm 1k\nRx a b 1k\nCx a vm 1f\nCy b vm 1f",
         [("floating", "error", "rx", "a"), ("floating", "error", "rx", "b")]),
    ],
)  # fmt: skip
def test_a_structural_mistake_is_found_with_device_and_node(
    old: str, new: str, found: list[tuple[str, str, str, str]], cards: Path
) -> None:
    assert old in NETLIST
    findings = structure(NETLIST.replace(old, new), cards)
    assert sorted(bad(findings)) == sorted(found)
    assert all(f.place.startswith(("netlist:", "x/neuron.cir:")) for f in findings if f.device)


def device(name: str, kind: str, *nodes: str, model: str = "n") -> Device:
    return Device(
        name=name,
        letter=name[0],
        nodes=nodes,
        model=model,
        kind=kind,
        given=frozenset(),
        place="x:1",
        line="",
    )


def test_the_time_above_a_level_is_that_of_the_straight_lines() -> None:
    time = np.array([0.0, 1.0, 2.0, 4.0])
    assert time_above(time, np.array([0.0, 1.0, 1.0, 0.0]), 0.5) == pytest.approx(0.5 + 1.0 + 1.0)
    assert time_above(time, np.array([0.0, 0.0, 0.0, 0.0]), 0.0) == 0.0
    assert time_above(time, np.array([1.0, 1.0, 1.0, 1.0]), 0.5) == 4.0


TIME = np.linspace(0.0, 1e-6, 1001)


def pulse(low: float, high: float, share: float) -> np.ndarray:
    return np.where(np.arange(1001) < 1000 * share, high, low)


@pytest.mark.parametrize(
    ("bulk", "source", "level"),
    [(0.0, -0.6, "error"), (0.0, -0.3, "warning"), (0.0, -0.2, "ok"), (-1.8, 0.0, "ok")],
)
@pytest.mark.parametrize("kind", ["nmos", "pmos"])
def test_a_junction_that_conducts_is_found_for_either_polarity(
    bulk: float, source: float, level: str, kind: str
) -> None:
    sign = 1 if kind == "nmos" else -1
    volts = {"b": sign * bulk, "s": sign * source, "d": sign * 1.8, "g": 0.0}
    found = stress_findings(
        [device("m1", kind, "d", "g", "s", "b")], TIME, lambda n: np.full_like(TIME, volts[n]), 9.0, {}
    )
    (junction,) = [f for f in found if f.check == "junction"]
    assert junction.level == level
    if level != "ok":
        assert junction.value == pytest.approx(bulk - source)
        assert "bulk-source junction of m1" in junction.text


def test_a_brief_kick_across_a_junction_is_a_warning() -> None:
    signals = {"a": pulse(0.0, 0.7, 0.005), "c": np.zeros_like(TIME)}
    (junction, _) = stress_findings([device("d1", "d", "a", "c")], TIME, lambda n: signals[n], 9.0, {})
    assert (junction.level, junction.device) == ("warning", "d1")
    assert "brief kick" in junction.text


@pytest.mark.parametrize(
    ("high", "share", "level"),
    [
        (3.60, 1.0, "ok"),
        (3.70, 1.0, "warning"),
        (3.90, 1.0, "error"),
        (4.10, 0.01, "warning"),
        (4.50, 0.01, "error"),
    ],
)
def test_a_voltage_beyond_the_limit_is_graded_by_how_far_and_how_long(
    high: float, share: float, level: str
) -> None:
    signals = {"g": pulse(0.0, high, share), "0": np.zeros_like(TIME)}
    found = stress_findings(
        [device("m1", "nmos", "0", "g", "0", "0")], TIME, lambda n: signals[n], 3.63, {"other": 1.0}
    )
    (voltage,) = [f for f in found if f.check == "voltage"]
    assert voltage.level == level
    if level != "ok":
        assert voltage.value == pytest.approx(high)
        assert f"for {999 * share:.0f}" in voltage.text or share < 1


def test_the_limit_of_a_model_counts_where_it_is_smaller(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        "schema = 1\n[N]\nterminal = 1.98\n[p]\na_vt = 5\n[q]\nterminal = 'no'\n"
    )
    limits = terminal_limits(tmp_path / "c.lib")
    assert limits == {"n": 1.98}
    found = stress_findings(
        [device("m1", "nmos", "g", "0", "0", "0")],
        TIME,
        lambda n: np.full_like(TIME, 2.5 if n == "g" else 0.0),
        3.63,
        limits,
    )
    assert [(f.level, f.limit) for f in found if f.check == "voltage"] == [("error", 1.98)]
    assert terminal_limits(tmp_path / "absent.lib") == {}
    (tmp_path / "c.toml").write_text("[")
    with pytest.raises(CellError, match=r"c\.toml: not TOML"):
        terminal_limits(tmp_path / "c.lib")


def test_a_simulation_that_fails_is_an_error_with_its_reason(cards: Path) -> None:
    class Broken:
        def run(self, deck: Deck) -> Failure:
            assert "v(xcell." not in " ".join(deck.save)
            return Failure(reason="timestep too small")

    cell = toy(NETLIST)
    found = check_cell(cell, load_models(cards, "tt"), default_point(cell), Broken())
    assert [f.text for f in found.errors] == ["the first 18 steps could not be simulated: timestep too small"]
    told = found.to_json()
    assert (told["ok"], told["spikes"], told["spike_energy"], told["lowest_membrane"]) == (
        False,
        [],
        None,
        None,
    )


def test_the_point_is_the_middle_of_v_dd_and_the_lowest_v_neg_unless_told() -> None:
    cell = toy(NETLIST)
    assert (default_point(cell).v_dd, default_point(cell).v_neg) == (1.8, -1.8)
    assert default_point(cell, v_dd=1.7, v_neg=0.0).v_dd == 1.7
    drive = first_drive(replace(cell, membrane=replace(cell.membrane, capacitance=1e-12)))
    assert drive.q_exc[1] + drive.q_exc[2] > 1e-12 * 0.9 > drive.q_exc[2]


def told(name: str, capsys: pytest.CaptureFixture[str], code: int) -> dict[str, object]:
    try:
        find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))
    assert main(["check-cell", name, "--json"]) == code
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.ngspice
def test_the_grounded_bulks_of_the_negative_control_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    found = told("nmp_grounded_bulk", capsys, 2)
    assert found["ok"] is False
    findings = found["findings"]
    assert isinstance(findings, list)
    conducting = {f["device"] for f in findings if (f["check"], f["level"]) == ("junction", "error")}
    assert conducting == {"mn1", "mn2", "mr1"}
    assert [f["level"] for f in findings if f["check"] == "floor"] == ["warning"]
    assert all("neuron.cir:" in f["place"] for f in findings if f["level"] == "error")


@pytest.mark.ngspice
@pytest.mark.parametrize(("name", "shifters"), [("nmp_simple", {"ms3", "ms4"}), ("nmp_clocked", set())])
def test_a_good_neuron_fires_and_its_known_overshoots_are_warnings_with_their_duration(
    name: str, shifters: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(name, capsys, 0)
    assert found["ok"] is True
    assert found["first_spike"] == 2
    spike, idle = found["spike_energy"], found["idle_energy"]
    assert isinstance(spike, float)
    assert isinstance(idle, float)
    assert 1e-13 < idle < spike < 1e-11
    findings = found["findings"]
    assert isinstance(findings, list)
    over = {f["device"]: f for f in findings if (f["check"], f["level"]) == ("voltage", "warning")}
    assert shifters <= over.keys()
    assert all(
        4.0 < over[shifter]["value"] < 4.15 and " ns of 18 µs" in over[shifter]["text"]
        for shifter in shifters
    )
    assert "error" not in {f["level"] for f in findings}


@pytest.mark.ngspice
def test_check_cell_for_people_names_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    told("zmp", capsys, 0)
    assert main(["check-cell", "zmp"]) == 0
    out = capsys.readouterr().out
    for check in ("ports", "bulk", "junction_area", "floating", "spike", "floor", "junction", "voltage"):
        assert f" {check} " in out
    assert "first spike in step 2: 1.7" in out


def test_a_point_outside_the_range_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-cell", "nmp_simple", "--vneg", "-3"]) == 2
    assert "outside the legal range" in capsys.readouterr().err


def test_shipped_cells_have_no_structural_mistake() -> None:
    for name in shipped.names("netlist"):
        cell = load_cell(shipped.find("netlist", name))
        if cell.models is None:
            continue
        devices = open_circuit(cell.netlist, cell.subckt, load_models(cell.models, "tt"))
        assert [f for f in structural_findings(cell, devices) if f.level == "error"] == []
