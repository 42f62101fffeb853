"""A circuit is opened down to its devices, with the nodes that ngspice gives them."""

from pathlib import Path

import pytest

from snncircuit.errors import NetlistError
from snncircuit.spice.cards import ModelCards, load_models
from snncircuit.spice.instances import Device, open_circuit
from snncircuit.spice.netlist import parse_netlist_text

CARDS = """\
.lib tt
.subckt nfet d g s b w=1 l=1 ad=0
mn d g s b nfet_model w={w} l={l} ad={ad}
rs s inner 1
.ends
.model nfet_model.1 nmos level=1
.model nfet_model.2 nmos level=1
.endl
"""
NETLIST = """\
.subckt top IN out vdd gnd
Xa IN mid vdd gnd stage
Xb mid out vdd gnd stage
Q1 out in gnd 0 qm
Dz gnd vdd dz
K1 l1 l2 0.9
Bx out gnd v=v(in)*2
.model qm npn
.model dz d
.ends
.subckt stage a y p n
X1 y a n n nfet w=2 ad=1
Cl y n 1f
R1 y k 1k
R2 k p 1k
.ends
"""


@pytest.fixture
def cards(tmp_path: Path) -> ModelCards:
    (tmp_path / "cards.lib").write_text(CARDS)
    return load_models(tmp_path / "cards.lib", "tt")


def opened(text: str, cards: ModelCards) -> dict[str, Device]:
    return {device.name: device for device in open_circuit(parse_netlist_text(text), "TOP", cards)}


def test_nodes_carry_the_instances_that_lead_to_them(cards: ModelCards) -> None:
    found = opened(NETLIST, cards)
    assert found["xa.r1"].nodes == ("mid", "xa.k")
    assert found["xb.r1"].nodes == ("out", "xb.k")
    assert found["xa.cl"].nodes == ("mid", "gnd")
    assert found["q1"].nodes == ("out", "in", "gnd")
    assert (found["q1"].model, found["q1"].kind) == ("qm", "npn")
    assert (found["dz"].model, found["dz"].kind) == ("dz", "d")
    assert found["bx"].nodes == ("out", "gnd")
    assert found["k1"].nodes == ()
    assert len(found) == 4 + 2 * 5


def test_a_transistor_within_the_cards_is_that_of_the_line_that_uses_it(cards: ModelCards) -> None:
    found = opened(NETLIST, cards)
    transistor = found["xb.x1.mn"]
    assert transistor.nodes == ("out", "mid", "gnd", "gnd")
    assert (transistor.letter, transistor.model, transistor.kind) == ("m", "nfet_model", "nmos")
    assert transistor.given == {"w", "ad"}
    assert transistor.line == "X1 y a n n nfet"
    assert transistor.place.endswith(":12")
    assert found["xb.x1.rs"].nodes == ("gnd", "xb.x1.inner")


def test_a_subcircuit_that_nobody_has_is_named_with_its_place(cards: ModelCards) -> None:
    with pytest.raises(NetlistError, match=r"netlist:2: no subcircuit 'lost' in the netlist or in its cards"):
        opened(".subckt top a b\nX1 a b lost\n.ends", cards)


def test_instances_without_end_are_refused(cards: ModelCards) -> None:
    levels = "".join(
        f".subckt s{k} a b\n" + "".join(f"X{n} a b s{k + 1}\n" for n in range(20)) + ".ends\n"
        for k in range(6)
    )
    text = ".subckt top a b\nX0 a b s0\n.ends\n" + levels + ".subckt s6 a b\n.ends\n"
    with pytest.raises(NetlistError, match="more than 50000 lines when every subcircuit is opened"):
        opened(text, cards)


def test_a_long_chain_of_subcircuits_opens(cards: ModelCards) -> None:
    levels = "".join(f".subckt s{k} a b\nX1 a b s{k + 1}\n.ends\n" for k in range(3000))
    text = ".subckt top a b\nX0 a b s0\n.ends\n" + levels + ".subckt s3000 a b\nR1 a b 1\n.ends\n"
    (only,) = opened(text, cards).values()
    assert only.nodes == ("a", "b")
