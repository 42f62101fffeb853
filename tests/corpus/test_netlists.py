"""Hostile and broken neurons: each is refused in one paragraph; nothing is executed, read outside or written outside."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from snncircuit.characterise.cell import load_cell
from snncircuit.errors import EngineMissingError
from snncircuit.spice.discovery import find_ngspice
from tests.corpus.conftest import Refusal
from tests.strategies import CARDS, CELL, NETLIST

INSIDE = "Cm vm gnd 500f\n"


def within(lines: str) -> str:
    """The netlist with lines in its subcircuit."""
    return NETLIST.replace(INSIDE, f"{INSIDE}{lines}\n")


# What stands in the netlist, and what is told of it. {ground} is the folder above everything.
NETLISTS = {
    "shell in .control": (
        within(".control\nshell touch {ground}/canary\n.endc"),
        "the card .control is not allowed",
    ),
    "shell in capitals": (
        within("   .CONTROL\nSHELL touch {ground}/canary\n.ENDC"),
        "the card .control is not allowed",
    ),
    "control outside": (
        NETLIST + ".control\nshell touch {ground}/canary\n.endc\n",
        "card .control is not allowed",
    ),
    "command in a comment": (within("*# shell touch {ground}/canary"), "which ngspice runs as a command"),
    "backtick": (within("Rx vm gnd `touch {ground}/canary`"), "found the character '`'"),
    "write, which is a switch": (within("wrdata {ground}/canary v(vm)"), "only wrdata is connected"),
    "code model": (within("codemodel {ground}/canary.cm"), "'codemodel' reaches beyond the circuit"),
    "compiled model": (within("pre_osdi {ground}/canary.osdi"), "'pre_osdi' reaches beyond the circuit"),
    "digital process": (within("Ax [vm] [spk] proc"), "no element begins with 'A'"),
    "source from a file": (
        within("Vx vm gnd pwl file={ground}/beside/diary"),
        "'file=' reaches beyond the circuit",
    ),
    "external source": (within("Ix vm gnd external"), "'external' reaches beyond the circuit"),
    "password file": (within(".include /etc/passwd"), "which lies outside"),
    "path upwards": (within(".include ../../beside/diary"), "which lies outside"),
    "link to outside": (within(".include link"), "which lies outside"),
    "library outside": (within('.lib "{ground}/beside/diary" tt'), "which lies outside"),
    "includes itself": (within(".include neuron.cir"), "includes itself"),
    "folder": (within(".include ."), "is a folder, a pipe or a device"),
    "path with a nul": (within(".include a\0b"), "is no path that a file can have"),
    "nul": (within("Rx vm gnd 1k\0.control"), "found the character '\\x00'"),
    "line separator": (within("Rx vm gnd 1k\u2028.control"), "the card .control is not allowed"),
    "form feed": (within("Rx vm gnd 1k\x0c.control"), "the card .control is not allowed"),
    "right to left": (within("Rx vm gnd 1k\u202e"), "expected the characters of a plain netlist"),
    "own analysis": (within(".tran 1f 1"), ".tran has no place in a neuron's netlist"),
    "own options": (within(".options reltol=1"), ".options has no place in a neuron's netlist"),
    "save": (within(".save all"), ".save has no place in a neuron's netlist"),
    "initial condition": (within(".ic v(vm)=1e300"), ".ic has no place in a neuron's netlist"),
    "end before the end": (
        within(".end\n.control\nshell touch {ground}/canary"),
        "is not closed; expected .ends",
    ),
    "long line": (
        within("Rx vm gnd 1k" + " " * 1_000_000),
        "found a line of 1000012 characters; expected at most 20000",
    ),
    "large file": ("*\n" * 8_000_001, "is larger than 16 MB"),
    "larger than any float": (within("Rx vm gnd 1e999"), "expected a number such as 2.5u"),
    "subcircuit in itself": (within("Xx leaky vm exc inh spk vdd vneg gnd leaky"), "expected 7 nodes"),
    "circle of subcircuits": (
        NETLIST.replace(INSIDE, f"{INSIDE}Xa vm gnd a\n")
        + ".subckt a p q\nXb p q b\n.ends\n.subckt b p q\nXa p q a\n.ends\n",
        "holds itself",
    ),
    "a billion devices": (
        NETLIST.replace(INSIDE, f"{INSIDE}Xa vm gnd a0\n")
        + "".join(
            f".subckt a{k} p q\n" + "".join(f"X{n} p q a{k + 1}\n" for n in range(30)) + ".ends\n"
            for k in range(6)
        )
        + ".subckt a6 p q\nR1 p q 1k\n.ends\n",
        "more than 50000 lines when every subcircuit is opened",
    ),
    "port of the tool": (NETLIST.replace("inh", "synapse_rail"), "cannot be a node of its own"),
    "port that is an expression": (NETLIST.replace("inh", "v+1"), "cannot be a node of its own"),
}


@pytest.mark.parametrize("case", NETLISTS)
def test_a_hostile_netlist_is_refused(case: str, cell: Path, ground: Path, refused: Refusal) -> None:
    text, told = (part.replace("{ground}", str(ground)) for part in NETLISTS[case])
    (cell / "link").symlink_to(ground / "beside" / "diary")
    (cell / "neuron.cir").write_text(text)
    message = refused(["check-cell", str(cell)])
    assert told in message
    assert "private" not in message


def no_text(cell: Path) -> None:
    (cell / "neuron.cir").write_bytes(b"* \xff\xfe\x00\n")


def pipe(cell: Path) -> None:
    (cell / "neuron.cir").unlink()
    os.mkfifo(cell / "neuron.cir")


def device(cell: Path) -> None:
    (cell / "neuron.cir").unlink()
    (cell / "neuron.cir").symlink_to("/dev/zero")


def pipe_of_toml(cell: Path) -> None:
    (cell / "cell.toml").unlink()
    os.mkfifo(cell / "cell.toml")


def include_bomb(cell: Path) -> None:
    for level in range(6):
        (cell / f"l{level}").write_text(f".include l{level + 1}\n" * 30)
    (cell / "l6").write_text("* nothing\n")
    (cell / "neuron.cir").write_text(".include l0\n")


def long_cards(cell: Path) -> None:
    # A reader with a careless pattern needs minutes for it.
    (cell / "cards.lib").write_text(CARDS + ".subckt x a b" + "\n+ " * 200_000 + "w=1\n.ends\n")


CELLS: dict[str, tuple[Callable[[Path], None], str]] = {
    "netlist that is no text": (no_text, "is no text file"),
    "pipe in place of the netlist": (pipe, "is a folder, a pipe or a device"),
    "endless device in place of the netlist": (device, "expected a file inside"),
    "pipe in place of cell.toml": (pipe_of_toml, "it is no regular file"),
    "includes that multiply": (include_bomb, "the file number 501; expected at most 500"),
    "cards that are hard to read": (long_cards, "found"),
}


@pytest.mark.parametrize("case", CELLS)
def test_a_hostile_folder_is_refused_and_never_waited_for(case: str, cell: Path, refused: Refusal) -> None:
    spoil, told = CELLS[case]
    spoil(cell)
    assert told in refused(["check-cell", str(cell)])


DESCRIPTIONS = {
    "netlist elsewhere": (
        ('netlist = "neuron.cir"', 'netlist = "../../beside/diary"'),
        "expected a file inside",
    ),
    "netlist anywhere": (('netlist = "neuron.cir"', 'netlist = "/etc/passwd"'), "expected a file inside"),
    "name that is a path": (
        ('name = "leaky"', 'name = "../../beside/leaky"'),
        "since files are named after it",
    ),
    "name that is a command": (
        ('name = "leaky"', 'name = "# shell touch canary"'),
        "since files are named after it",
    ),
    "node that is a line": (
        ('spk = "v_dd"', '"a.b)=0\\n.control\\nshell touch canary\\n*" = 0'),
        "expected a node such as",
    ),
    "nested bomb": (('title = "a toy"', "title = " + "[" * 100_000), "nested too deeply"),
    "number of five thousand digits": (("schema = 1", "schema = " + "9" * 5000), "not TOML"),
    "not a number": (("v_mem = [-1.8, 1.7]", "v_mem = [nan, 1.7]"), "expected a number"),
    "infinite": (("terminal = 3.63", "terminal = inf"), "expected a number"),
    "more steps than end": (('max_time_step = "40n"', "max_time_step = 1e-18"), "expected at least 1e-11 s"),
    "far too large": (('title = "a toy"', f'title = "{"x" * 2_000_000}"'), "it is larger than 1048576 bytes"),
    "signal called gnd": (('ground = "gnd"\n', ""), "has no role"),
    "cards that are a device": (
        ('models = "cards.lib"', 'models = "/dev/zero"'),
        "is a folder, a pipe or a device",
    ),
    "cards that are secret": (
        ('models = "cards.lib"', 'models = "../../beside/diary"'),
        "has no section 'tt'",
    ),
}


@pytest.mark.parametrize("case", DESCRIPTIONS)
def test_a_hostile_description_is_refused(case: str, cell: Path, refused: Refusal) -> None:
    (old, new), told = DESCRIPTIONS[case]
    assert old in CELL
    (cell / "cell.toml").write_text(CELL.replace(old, new))
    message = refused(["check-cell", str(cell)])
    assert told in message
    assert "private" not in message


EXTRA = {
    "analysis": ".tran 1f 1",
    "shell": ".control\nshell touch canary\n.endc",
    "source across the supplies": "vx vdd 0 100",
    "initial condition": ".ic v(vm)=1",
    "saved vectors": ".save all",
    "subcircuit of the neuron": ".subckt leaky a b\nr1 a b 1\n.ends",
    "include elsewhere": ".include /etc/passwd",
}


@pytest.mark.parametrize("case", EXTRA)
def test_hostile_cards_are_refused(case: str, cell: Path, refused: Refusal) -> None:
    (cell / "cards.lib").write_text(f"{CARDS}{EXTRA[case]}\n")
    message = refused(["check-cell", str(cell)])
    assert "expected" in message or "allowed" in message


def test_line_ends_of_other_systems_change_nothing(cell: Path) -> None:
    plain = load_cell(cell)
    (cell / "neuron.cir").write_bytes(NETLIST.replace("\n", "\r\n").encode())
    (cell / "cell.toml").write_bytes(CELL.replace("\n", "\r\n").encode())
    assert load_cell(cell).netlist.text == plain.netlist.text


LIVE = {
    "no convergence": ("Vx vm gnd 1\nVy vm gnd 2", "could not be simulated"),
    "currents that are no numbers": ("Bx vm gnd i=ln(v(vneg)-9)", "could not be simulated"),
}


@pytest.mark.ngspice
@pytest.mark.parametrize("case", LIVE)
def test_a_simulation_without_an_answer_is_told(case: str, cell: Path, refused: Refusal) -> None:
    needs_ngspice()
    lines, told = LIVE[case]
    (cell / "neuron.cir").write_text(within(lines))
    message = refused(["check-cell", str(cell), "--json"])
    assert "found simulation: " in message
    assert told in message


@pytest.mark.ngspice
def test_a_simulation_without_an_end_is_given_up(cell: Path, refused: Refusal) -> None:
    needs_ngspice()
    # The shortest step that a description may ask for: two million points.
    (cell / "cell.toml").write_text(CELL.replace('max_time_step = "40n"', "max_time_step = 1e-11"))
    message = refused(["check-cell", str(cell), "--timeout", "1"])
    assert "no answer within 1 s" in message


@pytest.mark.ngspice
def test_names_of_the_tool_inside_a_cell_are_its_own(cell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs_ngspice()
    from snncircuit.cli import main

    main(["check-cell", str(cell), "--json"])
    plain = capsys.readouterr().out
    text = (
        NETLIST.replace("Re exc", "Rxcell exc")
        .replace("Ri inh", "Rvs_vdd inh")
        .replace("Rl vm", "Rsynapse vm")
    )
    (cell / "neuron.cir").write_text(text + ".subckt xcell vs_vdd vs_vneg\nR1 vs_vdd vs_vneg 1k\n.ends\n")
    main(["check-cell", str(cell), "--json"])
    assert capsys.readouterr().out == plain


def needs_ngspice() -> None:
    try:
        find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))
