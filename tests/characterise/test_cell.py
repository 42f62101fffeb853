"""A cell.toml is good, or the error names file, key, what was expected, found and exists."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from snncircuit.characterise.cell import NeuronCell, load_cell, parse_cell
from snncircuit.characterise.roles import Bias, Clock, Rail
from snncircuit.errors import CellError, NetlistError, SnnCircuitError
from snncircuit.spice.netlist import parse_netlist_text
from tests.strategies import CELL, NETLIST, spoilt

WIDE = NETLIST.replace("inh spk", "inh spk EV bn")
EXTRA = """
[clocks.ev]
port = "ev"
low = "v_neg"
high = 1.8
delay = "450n"
width = "300n"
edge = "2n"
[biases.bn]
port = "bn"
current = "20n"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "neuron.cir").write_text(NETLIST)
    (tmp_path / "cell.toml").write_text(CELL)
    return tmp_path


def spoil(folder: Path, old: str, new: str) -> None:
    text = (folder / "cell.toml").read_text()
    assert old in text
    (folder / "cell.toml").write_text(text.replace(old, new, 1))


def parse(text: str, netlist: str = NETLIST) -> NeuronCell:
    return parse_cell(text, Path("x/cell.toml"), parse_netlist_text(netlist, "x/neuron.cir"))


def test_a_cell_says_what_its_file_says(folder: Path) -> None:
    cell = load_cell(folder)
    assert load_cell(folder / "cell.toml") == cell
    assert (cell.name, cell.title, cell.subckt, cell.ground) == ("leaky", "a toy", "leaky", "gnd")
    assert cell.ports == ("vm", "exc", "inh", "spk", "vdd", "vneg", "gnd")
    assert cell.models == folder / "cards.lib"
    assert cell.step.duration == 1e-6
    assert cell.membrane.capacitance == 500e-15
    assert (cell.exc.direction, cell.inh.direction) == ("in", "out")
    assert cell.supplies == {
        "vdd": Rail(port="vdd", voltage="v_dd"),
        "vneg": Rail(port="vneg", voltage="v_neg", share=2),
    }
    assert cell.initial == {"spk": "v_dd"}
    assert cell.range.q_common == (0.0, 1.0, 2.0)
    assert cell.range.q_net == (-2.0, 2.0)
    assert cell.netlist.path == folder / "neuron.cir"


def test_roles_take_the_spelling_of_the_netlist() -> None:
    cell = parse(CELL + EXTRA, WIDE)
    assert cell.clocks == {
        "ev": Clock(port="EV", low="v_neg", high=1.8, delay=450e-9, width=300e-9, edge=2e-9)
    }
    assert cell.biases == {"bn": Bias(port="bn", current=20e-9)}


def test_numbers_may_be_toml_or_spice() -> None:
    assert parse(CELL.replace('"500f"', "500e-15")) == parse(CELL)
    assert parse(CELL.replace('"500f"', '"0.5pF"')) == parse(CELL)


def test_another_netlist_may_take_the_place_of_the_file(folder: Path) -> None:
    (folder / "neuron.cir").unlink()
    cell = load_cell(folder, netlist=parse_netlist_text(NETLIST))
    assert cell.netlist.path is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", r"cell.toml: schema: expected 1, the one that this version of snncircuit reads, found 2"),
        ("schema = 1", "schema = true", r"cell.toml: schema: expected 1, .* found True"),
        ("schema = 1", "", r"cell.toml: schema: expected 1, .* found None"),
        ("[step]\n", "[step]\nduraton = 1\n", r"cell.toml: step: unknown key 'duraton'; the keys here are: duration, pulse_start,"),
        ('title = "a toy"', 'titel = "a toy"', r"cell.toml: unknown key 'titel'; the keys here are: schema, name, title,"),
        ('[inputs.exc]\nport = "exc"', '[inputs.exc]\nprt = "exc"', r"cell.toml: inputs.exc: unknown key 'prt'; the keys here are: port,"),
        ("[supplies.vneg]\n", "[supplies.vneg]\nvolts = 1\n", r"cell.toml: supplies.vneg: unknown key 'volts'; .*: port, voltage, share"),
        ('title = "a toy"\n', "", r"cell.toml: the key 'title' is missing; the keys here are: schema, name, title,"),
        ("rest = 0.0\n", "", r"cell.toml: membrane: the key 'rest' is missing"),
        ('title = "a toy"', 'title = "a\\ntoy"', r"cell.toml: title: expected a text in one line, found 'a\\ntoy'"),
        ('"500f"', '"5oof"', r"cell.toml: membrane.capacitance: '5oof' is not a number; expected a SPICE number such as 2.5u"),
        ('"500f"', "true", r"cell.toml: membrane.capacitance: expected a number, or a SPICE number such as '200n', found True"),
        ('"500f"', "nan", r"cell.toml: membrane.capacitance: expected a number, .* found nan"),
        ('"500f"', "0", r"cell.toml: membrane.capacitance: expected a number above 0, found 0"),
        ('"20f"', '"-20f"', r"cell.toml: spike.load: expected a number of at least 0, found '-20f'"),
        ("max_per_step = 1", "max_per_step = 0", r"cell.toml: spike.max_per_step: expected a whole number of at least 1, found 0"),
        ("max_per_step = 1", "max_per_step = 1.5", r"cell.toml: spike.max_per_step: expected a whole number"),
        ('voltage = "v_neg"', 'voltage = "vneg"', r"supplies.vneg.voltage: expected a voltage as a number, or one of v_dd, v_neg"),
        ('direction = "in"', 'direction = "into"', r"cell.toml: inputs.exc.direction: expected 'out' .* or 'in' .*, found 'into'"),
        ("q_common = [0.0, 1.0, 2.0]", "q_common = [0.0]", r"cell.toml: range.q_common: expected a list of two or more numbers"),
        ("q_common = [0.0, 1.0, 2.0]", "q_common = [0.0, 0.0]", r"cell.toml: range.q_common: expected ascending numbers"),
        ("q_common = [0.0, 1.0, 2.0]", "q_common = [0.5, 1.0]", r"cell.toml: range.q_common: expected charges that begin with 0"),
        ("q_net = [-2.0, 2.0]", "q_net = [0.5, 2.0]", r"cell.toml: range.q_net: expected a net charge on either side of 0, such as"),
        ("rest = 0.0", "rest = 1" + 400 * "0", r"cell.toml: membrane.rest: expected a number, or a SPICE number such as '200n'"),
        ("v_mem = [-1.8, 1.7]", "v_mem = [-1.8]", r"cell.toml: range.v_mem: expected a list \[lowest, highest\]"),
        ("v_mem = [-1.8, 1.7]", "v_mem = [1.7, -1.8]", r"cell.toml: range.v_mem: expected a list \[lowest, highest\]"),
        ('[membrane]\nport = "vm"', '[membrane]\nport = "vmem"', r"membrane.port: .* leaky .*:2\) has no port 'vmem'; its ports:"),
        ('ground = "gnd"\n', "", r"cell.toml: the port 'gnd' of leaky \(.*neuron.cir:2\) has no role; expected it under ground,"),
        ('[membrane]\nport = "vm"', '[membrane]\nport = "gnd"', r"membrane.port: the port 'gnd' already is ground; expected one role"),
        ('subckt = "leaky"', 'subckt = "leak"', r"cell.toml: subckt: no subcircuit 'leak' in neuron.cir; it has: leaky"),
        ('netlist = "neuron.cir"', 'netlist = "../neuron.cir"', r"cell.toml: netlist: expected a file inside .*, found '../neuron.cir'"),
        ("[initial]\nspk", "[initial]\nspike", r"cell.toml: initial: no node 'spike' in leaky \(.*\); it has: exc, gnd,"),
        ("[supplies.vdd]", "[supplies.VDD]", r"cell.toml: supplies: expected a name of small letters, digits and '_', found 'VDD'"),
        ("[supplies.vdd]", "[supplies.synapse]", r"supplies.synapse: the name 'synapse' already is the source of the synapses"),
        ('pulse_width = "200n"', 'pulse_width = "1n"', r"cell.toml: step.pulse_width: expected more than pulse_edge, found 1e-09"),
        ('pulse_start = "20n"', 'pulse_start = "900n"', r"cell.toml: step: expected a pulse that ends within the step of 1e-06 s"),
        ("[step]", "[step", r"cell.toml: not TOML: Expected ']'"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_told_where_and_why(folder: Path, old: str, new: str, message: str) -> None:
    spoil(folder, old, new)
    with pytest.raises(CellError, match=message) as caught:
        load_cell(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CELL.replace("[limits]\nterminal = 3.63", "").replace("schema = 1", "schema = 1\nlimits = 3"), "limits: expected a table"),
        ("supplies = 3\n" + CELL.partition("[supplies.vdd]")[0] + CELL[CELL.index("[initial]") :], "supplies: expected a table, found 3"),
        (CELL + EXTRA.replace('current = "20n"', ""), "biases.bn: expected either voltage or current, found neither"),
        (CELL + EXTRA + "voltage = 1", "biases.bn: expected either voltage or current, found both"),
        (CELL + EXTRA.replace('"300n"', '"1n"'), "clocks.ev.width: expected more than edge, found 1e-09"),
        (CELL + EXTRA.replace('"450n"', '"800n"'), "clocks.ev: expected a pulse that ends within the step of 1e-06 s"),
        (CELL + EXTRA.replace("[biases.bn]", "[biases.vdd]"), "biases.vdd: the name 'vdd' already is supplies.vdd; expected another"),
    ],
)  # fmt: skip
def test_a_section_that_contradicts_itself_is_told(text: str, message: str) -> None:
    with pytest.raises(CellError, match=f"x/cell.toml: {message}"):
        parse(text, WIDE)


def test_a_neuron_has_a_supply() -> None:
    start, end = CELL.index("[supplies.vdd]"), CELL.index("[initial]")
    ports = NETLIST.replace(" vdd vneg gnd\n", " gnd\n", 1)
    with pytest.raises(
        CellError, match=r"supplies: expected at least one supply, such as \[supplies.vdd\]; found none"
    ):
        parse("[supplies]\n".join((CELL[:start], CELL[end:])), ports)


def test_nodes_inside_instances_may_be_set() -> None:
    assert parse(CELL.replace("spk =", '"X1.q" =')).initial == {"X1.q": "v_dd"}


def test_a_missing_neuron_is_told_with_what_is_there(folder: Path) -> None:
    with pytest.raises(
        CellError,
        match=r"expected a neuron at .*nothing: a folder with cell.toml, or that file; found nothing",
    ):
        load_cell(folder / "nothing")
    (folder / "cell.toml").unlink()
    with pytest.raises(CellError, match=r"expected a neuron at .*; found a folder with: neuron.cir"):
        load_cell(folder)
    with pytest.raises(CellError, match="found nothing"):
        load_cell(Path("\0"))


def test_a_binary_file_is_told(folder: Path) -> None:
    (folder / "cell.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CellError, match=r"cell.toml is no text file; expected TOML in UTF-8"):
        load_cell(folder)


def test_a_missing_or_bad_netlist_is_told(folder: Path) -> None:
    (folder / "neuron.cir").write_text(NETLIST.replace("500f", "many"))
    with pytest.raises(NetlistError, match=r"neuron.cir:3: Cm has 'many'; expected a number"):
        load_cell(folder)
    (folder / "neuron.cir").unlink()
    with pytest.raises(
        NetlistError, match=r"expected a file .*neuron.cir, found none that can be read; .* holds: cell.toml"
    ):
        load_cell(folder)


@pytest.mark.parametrize(("v_dd", "v_neg"), [(1.8, -1.8), (1.62, 0.0), (1.98, -1.65 + 1e-12), (1.8, 1e-12)])
def test_a_legal_operating_point_passes(v_dd: float, v_neg: float) -> None:
    parse(CELL).check_operating_point(v_dd=v_dd, v_neg=v_neg)


@pytest.mark.parametrize(
    ("v_dd", "v_neg", "message"),
    [
        (1.8, -2.0, r"x/cell.toml: v_neg = -2 V is outside the legal range of leaky; expected -1.8 to 0 V \(range.v_neg\)"),
        (1.5, 0.0, r"v_dd = 1.5 V is outside the legal range of leaky; expected 1.62 to 1.98 V \(range.v_dd\)"),
        (float("nan"), 0.0, "v_dd = nan V is outside"),
        (1.98, -1.8, r"v_dd - v_neg = 3.78 V exceeds what the devices of leaky stand; expected at most 3.63 V \(limits.terminal\)"),
    ],
)  # fmt: skip
def test_an_illegal_operating_point_is_told_with_the_range(v_dd: float, v_neg: float, message: str) -> None:
    with pytest.raises(CellError, match=message):
        parse(CELL).check_operating_point(v_dd=v_dd, v_neg=v_neg)


@given(spoilt(CELL))
def test_any_text_is_a_cell_or_an_error_of_ours(text: str) -> None:
    try:
        cell = parse(text)
    except SnnCircuitError:
        return
    assert cell.ports == parse(CELL).ports
    assert tomllib.loads(text)["name"] == cell.name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spoilt(NETLIST))
def test_any_netlist_is_a_cell_or_an_error_of_ours(folder: Path, text: str) -> None:
    (folder / "neuron.cir").write_text(text, encoding="utf-8", errors="surrogateescape")
    try:
        load_cell(folder)
    except SnnCircuitError:
        return
