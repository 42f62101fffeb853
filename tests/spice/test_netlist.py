"""A netlist is good, or the error names file, line, what was expected, found and exists."""

from pathlib import Path

import pytest
from hypothesis import given

from snncircuit.errors import NetlistError, SnnCircuitError
from snncircuit.spice.netlist import Netlist, check_models, load_models, parse_netlist, parse_netlist_text
from tests.strategies import CARDS, NETLIST, spoilt


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    path = tmp_path / "cards.lib"
    path.write_text(CARDS)
    return path


def inside(*body: str, header: str = ".subckt s a b c") -> str:
    return "\n".join([header, *body, ".ends"])


def test_a_netlist_gives_its_ports_models_and_nodes() -> None:
    subckt = parse_netlist_text(NETLIST, "neuron.cir").subckt("LEAKY")
    assert subckt.ports == ("vm", "exc", "inh", "spk", "vdd", "vneg", "gnd")
    assert subckt.place == "neuron.cir:2"
    assert subckt.models == {"pch": "neuron.cir:7", "nch": "neuron.cir:8"}
    assert subckt.nodes == set(subckt.ports)


def test_comments_and_layout_do_not_change_what_runs() -> None:
    other = NETLIST.replace("\n", " ; remark\n* remark\n").replace(" vdd vdd", "\n+ vdd vdd")
    assert parse_netlist_text(other).text == parse_netlist_text(NETLIST).text


def test_text_that_was_parsed_parses_to_itself() -> None:
    once = parse_netlist_text(NETLIST)
    assert parse_netlist_text(once.text).text == once.text


def test_a_file_and_its_text_are_one_netlist(tmp_path: Path) -> None:
    path = tmp_path / "neuron.cir"
    path.write_text(NETLIST)
    assert parse_netlist(path).text == parse_netlist_text(NETLIST).text


@pytest.mark.parametrize(
    "line",
    [
        "M1 a b c c nch w={w*2} l='l/2' m=2 off",
        "R1 a b {1/g}",
        "R1 a b r=1k",
        "R1 a b rmod l=1u w=2u",
        "C1 (a b) 10f ic=0.5",
        "L1 a b 1n",
        "K1 L1 L2 0.9",
        "V1 a b dc 0 pulse(0 1 1n 1n 1n 5n 10n)",
        "I1 a b pwl(0 0, 1n 1u)",
        "E1 a b c 0 2.5",
        "G1 a b c 0 {g}",
        "F1 a b V1 3",
        "H1 a b V1 1k",
        "B1 a b v=v(c)*2",
        "D1 a b dmod area=2p",
        "Q1 a b c qmod",
        "Q1 a b c 0 qmod",
        "S1 a b c 0 smod",
        "X1 a b inner params: w=2u",
        ".model dmod d is=1f",
        ".param k = {g*2} m=3",
    ],
)
def test_every_kind_of_element_may_be_used(line: str) -> None:
    text = inside(line, header=".param g=1 l=2\n.subckt s a b c params: w=1u")
    assert isinstance(parse_netlist_text(text + "\n.subckt inner x y\nR1 x y 1\n.ends\n.end"), Netlist)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "n: found no .subckt; expected one, whose ports are those of the neuron"),
        (
            "My neuron",
            "n:1: found 'My neuron' outside any subcircuit; expected .subckt before it, or '\\*' for a comment",
        ),
        (".subckt s", r"n:1: expected .subckt NAME PORT ..., found '.subckt s'"),
        (".subckt s a A\n.ends", "n:1: port 'A' of 's' is given twice or is node 0; found the ports a A"),
        (".subckt s a 0\n.ends", "n:1: port '0' of 's' is given twice or is node 0"),
        (".subckt s a b", "n: subcircuit 's' of line 1 is not closed; expected .ends"),
        (
            ".subckt s a\n.subckt t b\n",
            "n:2: .subckt inside subcircuit 's' of line 1; expected .ends before it",
        ),
        (".subckt s a\n.ends t", "n:2: found '.ends t'; expected .ends s, which closes n:1"),
        (".ends", "n:1: found .ends outside any subcircuit; expected .subckt before it"),
        (inside() + "\n" + inside(), "n:3: a second subcircuit 's'; the first is at n:1"),
        (inside("R1 a b 1", "r1 a b 2"), "n:3: a second element 'r1' in 's'; the first is at n:2"),
        (
            inside("C1 a b ten"),
            r"n:2: C1 has 'ten'; expected a number such as 2.5u, .* or a parameter \(there are: none\)",
        ),
        (inside("M1 a b c c nch w=2,5u"), "n:2: expected NAME=VALUE, found ',' in 'M1 a b c c nch w=2,5u'"),
        (inside("M1 a b c c nch w=2.5.1u"), "n:2: w has '2.5.1u'; expected a number"),
        (
            inside("M1 a b c c nch w=lenght", header=".subckt s a b c length=1u"),
            r"w has 'lenght'.*\(there are: length\)",
        ),
        (
            inside("M1 a b c c nch wdth=1u"),
            "n:2: a transistor has no parameter 'wdth'; it has: acnqsmod, ad, as,",
        ),
        (
            inside("M1 a b c nch w=1u"),
            "n:2: expected M1 with drain gate source bulk MODEL, found 'M1 a b c nch w=1u'",
        ),
        (inside("R1 a"), "n:2: expected R1 with two nodes, found 'R1 a'"),
        (inside("R1 a b"), "n:2: expected a value after the nodes of R1, found 'R1 a b'"),
        (inside("K1 L1"), "n:2: expected K1 INDUCTOR INDUCTOR COUPLING, found 'K1 L1'"),
        (inside("X1 a"), "n:2: expected X1 NODE ... SUBCIRCUIT, found 'X1 a'"),
        (inside("R1 a b {1+"), "n:2: unbalanced braces or quotes in 'R1 a b {1"),
        (inside("R1 a b 1 = 2"), "n:2: expected NAME=VALUE, found '1' in 'R1 a b 1 = 2'"),
        (inside("V1 a b pulze(0 1)"), "n:2: V1 has 'pulze'; expected a number"),
        (inside(".param x=ten"), "n:2: x has 'ten'; expected a number"),
        (
            inside(".tran 1n 1u"),
            "n:2: .tran has no place in a neuron's netlist, the tool writes it; expected .end, .ends,",
        ),
        (inside(".control"), "n:2: refused '.control': the card .control is not allowed"),
        (inside("*# shell id"), "n:2: found '\\*# shell id', which ngspice runs as a command"),
        (inside("X1 a b s2") + "\n.subckt s2 x\n.ends", r"n:2: expected 1 nodes for 's2' \(x\), found 2"),
        (inside("X1 a b c s"), "n:1: subcircuit 's' holds itself"),
        (inside(".include x"), "n:2: refused '.include x'"),
    ],
)
def test_a_bad_netlist_is_told_where_and_why(text: str, message: str) -> None:
    with pytest.raises(NetlistError, match=message):
        parse_netlist_text(text, "n")


def test_an_unknown_subcircuit_is_named_with_those_that_exist() -> None:
    with pytest.raises(NetlistError, match="netlist: no subcircuit 'x'; it has: leaky"):
        parse_netlist_text(NETLIST).subckt("x")


def test_a_model_may_come_from_the_cards_or_the_netlist(cards: Path) -> None:
    check_models(parse_netlist_text(NETLIST), load_models(cards, "tt"))
    check_models(parse_netlist_text(inside("D1 a b D", ".model d d is=1f")), load_models(cards, "tt"))


def test_an_unknown_model_is_named_with_those_that_exist(cards: Path) -> None:
    netlist = parse_netlist_text(NETLIST.replace("pch", "pch33"), "neuron.cir")
    with pytest.raises(
        NetlistError, match=r"neuron.cir:7: no model 'pch33'; .*cards.lib \(tt\) has: nch, pch$"
    ):
        check_models(netlist, load_models(cards, "tt"))
    netlist = parse_netlist_text(inside("D1 a b dx", ".model own d is=1f"), "n")
    with pytest.raises(NetlistError, match=r"n:2: no model 'dx'; .* has: nch, pch; the netlist has: own"):
        check_models(netlist, load_models(cards, "tt"))


def test_a_device_may_be_a_subcircuit_of_the_cards(tmp_path: Path) -> None:
    path = tmp_path / "pdk.lib"
    path.write_text(
        ".lib tt\n.subckt NFET d g s b w=1 l=1\nm1 d g s b n.m w={w}\n.ends\n.model n.m.12 nmos\n.end\n.endl\n"
    )
    path.write_text(path.read_text().replace(".end\n.endl", ".endl"))
    pdk = load_models(path, "tt")
    assert pdk.names == {"n.m"}
    check_models(parse_netlist_text(inside("X1 a b c c nfet w=2")), pdk)
    with pytest.raises(
        NetlistError, match=r"n:2: expected 4 nodes for 'nfet', as in .*pdk.lib \(tt\); found 3"
    ):
        check_models(parse_netlist_text(inside("X1 a b c nfet"), "n"), pdk)
    with pytest.raises(
        NetlistError, match=r"n:2: no subcircuit 'pfet' in the netlist or in .*; they have: nfet, s"
    ):
        check_models(parse_netlist_text(inside("X1 a b c c pfet"), "n"), pdk)


def test_an_own_subcircuit_needs_no_cards(cards: Path) -> None:
    check_models(
        parse_netlist_text(inside("X1 a b t") + "\n.subckt t x y\nR1 x y 1\n.ends"), load_models(cards, "tt")
    )


def test_corners_differ_and_a_missing_one_lists_them(cards: Path) -> None:
    tt, ss = load_models(cards, "tt"), load_models(cards, "SS")
    assert tt.names == ss.names == {"nch", "pch"}
    assert tt.sha256 != ss.sha256
    with pytest.raises(NetlistError, match=r"cards.lib has no section 'fx'; it has: tt, ss"):
        load_models(cards, "fx")


def test_cards_pass_the_gate_too(tmp_path: Path) -> None:
    path = tmp_path / "m.lib"
    path.write_text(".lib tt\n.endl\n.control\n")
    with pytest.raises(NetlistError, match=r"m.lib:3: refused '.control'"):
        load_models(path, "tt")


def test_the_end_of_a_card_file_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "m.lib"
    path.write_text(".lib tt\n.model n nmos\n.endl\n.end\n.control\n")
    assert load_models(path, "tt").names == {"n"}


@given(spoilt(NETLIST))
def test_any_text_is_a_netlist_or_a_netlist_error(text: str) -> None:
    try:
        netlist = parse_netlist_text(text)
    except SnnCircuitError:
        return
    assert netlist.subckts
