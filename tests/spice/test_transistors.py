"""Every transistor of a cell is found once for each instance, and gets a mismatch of its own, in ngspice too."""

from pathlib import Path

import numpy as np
import pytest

from snncircuit.errors import NetlistError
from snncircuit.spice.deck import Deck, Tran
from snncircuit.spice.discovery import Found
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.gate import check_deck
from snncircuit.spice.mismatch_cards import MismatchCards, Pelgrom
from snncircuit.spice.netlist import parse_netlist, parse_netlist_text
from snncircuit.spice.transistors import transistors, vary
from snncircuit.spice.waveforms import Waveforms
from tests.strategies import CARDS

ROOT = Path(__file__).parents[2]
KNOWN = MismatchCards(
    path=Path("cards.toml"),
    sha256="",
    devices={"nch": Pelgrom(a_vt=4e-9, a_beta=1e-8), "pfet": Pelgrom(a_vt=4e-9, a_beta=2e-8, unit=1e-6)},
)
NESTED = """\
.param wide=2u
.subckt cell vm out vdd
Rm vm vdd 1k
Xa vm mid vdd inv
Xb mid out vdd inv w={2*wide}
MN out vm 0 0 nch w=wide l='0.5u' m=2
.ends
.subckt inv in out vdd w=1u
M1 out in 0 0 nch w={w} l=1u delvto=1m
X2 out in vdd vdd pfet w=1 l=0.25 mult=4
MD out out 0 0 other w=1u l=1u
.ends inv
"""


def test_each_instance_is_its_own_device() -> None:
    found = transistors(parse_netlist_text(NESTED), "cell", KNOWN)
    assert [t.path for t in found] == ["mn", "xa.m1", "xa.x2", "xb.m1", "xb.x2"]
    assert [t.model for t in found] == ["nch", "nch", "pfet", "nch", "pfet"]
    assert found[2].area == pytest.approx(1e-12)  # 1 um x 0.25 um, four of them
    assert found[0].area is None  # a parameter, which ngspice resolves
    assert found[0].nodes == ("out", "vm", "0", "0")


def test_the_shift_of_a_device_is_that_of_pelgrom() -> None:
    netlist = parse_netlist_text(".subckt c a b\nM1 a b 0 0 nch w=4u l=1u m=2\n.ends")
    (device,) = transistors(netlist, "c", KNOWN)
    vt, beta = (float(text) for text in device.shifts(1.5, -2.0))
    assert vt == pytest.approx(1.5 * 4e-9 / np.sqrt(2 * 8e-12))
    assert beta == pytest.approx(1 - 2 * 1e-8 / np.sqrt(2 * 8e-12))


def test_nothing_but_the_transistors_changes() -> None:
    netlist = parse_netlist(ROOT / "netlists" / "nmp_clocked" / "neuron.cir")
    known = MismatchCards(
        path=Path("cards.toml"),
        sha256="",
        devices={"nch33": KNOWN.devices["nch"], "pch33": KNOWN.devices["nch"]},
    )
    n = len(transistors(netlist, "nmp_clocked", known))
    before = netlist.text.splitlines()
    after = vary(netlist, "nmp_clocked", known, [(0.0, 0.0)] * n).text.splitlines()
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert new in (old, f"{old} delvto=0.0 mulu0=1.0")
    assert sum("delvto" in line for line in after) == n == sum(line[0] == "M" for line in before)


def test_a_varied_netlist_is_a_netlist_that_the_gate_lets_pass() -> None:
    netlist = parse_netlist_text(NESTED)
    varied = vary(netlist, "cell", KNOWN, [(1.0, 1.0)] * 5)
    again = parse_netlist_text(varied.text)
    assert set(again.subckts) == {"cell", "inv__1", "inv__2"}
    circuit = f"{varied.text}\nxcell a b c cell"
    check_deck(Deck(circuit=circuit, save=("v(a)",), tran=Tran(step=1e-9, stop=1e-8, max_step=1e-9)))


def test_a_cell_without_known_transistors_or_without_sizes_is_refused() -> None:
    bare = parse_netlist_text(".subckt c a b\nM1 a b 0 0 strange w=1u l=1u\n.ends")
    with pytest.raises(
        NetlistError, match=r"no transistor of c has its mismatch in cards\.toml, which has: nch, pfet"
    ):
        transistors(bare, "c", KNOWN)
    sizeless = parse_netlist_text(".subckt c a b\nM1 a b 0 0 nch w=1u\n.ends")
    with pytest.raises(NetlistError, match="M1: expected a transistor with w and l"):
        transistors(sizeless, "c", KNOWN)


def currents(found: Found, z: list[tuple[float, float]]) -> np.ndarray:
    """Drain currents (A) of an n transistor, the same in a nested cell, and a p transistor, on toy cards."""
    text = """\
.subckt cell dn dx dp g h s
MN dn g 0 0 nch w=2u l=2u
X1 dx g inner size=2u
MP dp h s s pch w={4u} l=1u
.ends
.subckt inner d g size=1u
MI d g 0 0 nch w={size} l={size}
.ends
"""
    known = MismatchCards(
        path=Path("c"), sha256="", devices=dict.fromkeys(("nch", "pch"), Pelgrom(a_vt=2e-8, a_beta=4e-8))
    )
    netlist = vary(parse_netlist_text(text), "cell", known, z)
    cards = "\n".join(line for line in CARDS.splitlines()[2:4]).replace(
        "level=1 vto=0.5 kp=100u", "level=14 vth0=0.5"
    )
    cards = cards.replace("level=1 vto=-0.5 kp=50u", "level=14 vth0=-0.5")
    lines = [cards, netlist.text, "xcell dn dx dp g h s cell", "vg g 0 1", "vh h 0 0.5", "vs s 0 1.5"]
    lines += [f"v{d} {d} 0 {v}" for d, v in (("dn", 1), ("dx", 1), ("dp", 0.5))]
    names = ("i(vdn)", "i(vdx)", "i(vdp)")
    deck = Deck(circuit="\n".join(lines), save=names, tran=Tran(step=1e-9, stop=1e-8, max_step=1e-9))
    with EnginePool(found=found) as pool:
        waves = pool.run(deck)
    assert isinstance(waves, Waveforms), waves
    return np.abs([waves.at(name, 5e-9) for name in names])


@pytest.mark.ngspice
def test_ngspice_shifts_each_device_alone_and_adds_delvto_to_the_signed_threshold(found: Found) -> None:
    nominal = currents(found, [(0.0, 0.0)] * 3)
    assert nominal[0] == pytest.approx(nominal[1], rel=1e-9)
    # In the order of the netlist: mn, mp, then what lies inside.
    slow, fast, inner = (
        currents(found, [(1.0 * (k == j), 0.0) for k in range(3)]) / nominal - 1 for j in range(3)
    )
    assert slow[0] < -0.01
    assert fast[2] > 0.01
    assert inner[1] == pytest.approx(slow[0], rel=1e-6)
    for others in (slow[1:], fast[:2], inner[[0, 2]]):
        assert np.abs(others).max() < 1e-9
    beta = currents(found, [(0.0, 1.0)] * 3) / nominal - 1
    assert beta[:2] == pytest.approx(4e-8 / np.sqrt(2 * 4e-12), rel=0.2)
