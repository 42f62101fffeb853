"""The exported module is well-formed Verilog-A, and its arithmetic on its data files is the step of the table."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snncircuit import lookup, shipped
from snncircuit.cli import main
from snncircuit.errors import TableError
from snncircuit.reference import ideal_table
from snncircuit.table import OperatingTable, Supply, TransferTable
from snncircuit.table.export import write_verilog_a
from tests.isolines import TableModel, block, run_block

# Keywords, functions and access functions that the module may use without declaring them.
LANGUAGE = set(
    re.findall(
        r"\w+",
        "module endmodule inout input output electrical parameter real integer analog begin end if else V I idt cross timer "
        "initial_step transition min max abstime table_model include desc units",
    )
)


def of(name: str, v_neg: float) -> OperatingTable:
    return TransferTable.load(shipped.find("neuron", name)).at(v_neg=v_neg)


def tokens(text: str) -> list[str]:
    bare = re.sub(r"//[^\n]*", "", text)
    bare = re.sub(r'"[^"\n]*"', '""', bare)
    return re.findall(r"\d+\.?\d*(?:e[+-]?\d+)?|[A-Za-z_]\w*|\S", bare)


@pytest.mark.parametrize(("name", "v_neg"), [("nmp", -0.9), ("nmp_clocked", -1.8)])
def test_the_module_takes_the_step_of_the_table(name: str, v_neg: float, tmp_path: Path) -> None:
    table = of(name, v_neg)
    module, *_ = write_verilog_a(name, table, tmp_path)
    lines, model = block(module.read_text()), TableModel(tmp_path)
    random = np.random.default_rng(5)
    n = 60
    # Some of them far beyond what was measured, where both hold the border.
    v = random.uniform(-3.0, 2.5, n)
    q_exc, q_inh = random.uniform(0, 5, n), random.uniform(0, 5, n)
    q_exc[:5], q_inh[5:10] = 0.0, 0.0
    wanted = lookup.step(table, v, q_exc, q_inh)
    for k in range(n):
        given = {"v_mem": v[k], "q_exc": q_exc[k], "q_inh": q_inh[k], "gain_inh": table.figures["gain_inh"]}
        found = run_block(lines, {key: float(value) for key, value in given.items()}, model)
        assert found["spikes"] == wanted.spikes[k]
        assert found["v_next"] == pytest.approx(wanted.v_mem[k], rel=1e-9, abs=1e-9)
        for s, supply in enumerate(table.supplies):
            assert found[f"energy_{supply.name}"] == pytest.approx(wanted.energy[s, k], rel=1e-9, abs=1e-24)


def test_the_text_is_balanced_and_declares_what_it_uses(tmp_path: Path) -> None:
    module, *data = write_verilog_a("nmp", of("nmp", -1.8), tmp_path)
    text = module.read_text()
    words = tokens(text)
    for opening, closing in (("begin", "end"), ("(", ")"), ("module", "endmodule")):
        assert words.count(opening) == words.count(closing) > 0
    declared = set(re.findall(r"^\s*(?:\(\*.*?\*\)\s*)?(?:parameter real|real) (\w+)", text, re.MULTILINE))
    for line in re.findall(r"^\s*(?:integer|electrical) ([\w, ]+);", text, re.MULTILINE):
        declared |= set(line.split(", "))
    used = {word for word in words if re.fullmatch(r"[A-Za-z_]\w*", word)}
    assert used - declared - LANGUAGE == {"nmp"}
    assert declared - used == set()
    assert set(re.findall(r'\$table_model\([^"]*"([^"]+)"', text)) == {path.name for path in data}


def test_the_data_files_are_isolines_with_the_outermost_variable_slowest(tmp_path: Path) -> None:
    table = of("nmp_clocked", -0.9)
    _, edges, silent, *_ = write_verilog_a("nmp_clocked", table, tmp_path)
    rows = np.loadtxt(edges)
    assert rows.shape == (table.start.size * table.q_common.size, 2 + table.edge.shape[0])
    assert np.array_equal(rows[:, 2].reshape(table.edge.shape[1:]), table.edge[0])
    rows = np.loadtxt(silent)
    assert rows.shape[1] == 4 + len(table.supplies)
    order = np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))
    assert np.array_equal(order, np.arange(len(rows)))


def test_a_name_becomes_an_identifier_and_no_text_leaves_its_comment(tmp_path: Path) -> None:
    module, *_ = write_verilog_a("2 neurons\nendmodule", ideal_table(-0.9), tmp_path)
    text = module.read_text()
    assert module.name == "neuron_2_neurons_endmodule.va"
    assert tokens(text).count("endmodule") == 1


def test_a_supply_that_is_no_identifier_is_refused(tmp_path: Path) -> None:
    table = replace(ideal_table(-0.9), supplies=(Supply(name="a; $finish", kind="rail", voltage=1.0),))
    with pytest.raises(
        TableError, match=r"the supply 'a; \$finish' cannot be an identifier; expected small letters"
    ):
        write_verilog_a("x", table, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_export_writes_where_it_is_told_and_says_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a" / "b"
    assert main(["export", "nmp_clocked", "-o", str(folder), "--vneg", "-0.9", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["table"], told["v_neg"], told["corner"]) == ("nmp_clocked", -0.9, "tt")
    assert sorted(told["files"]) == sorted(str(path) for path in folder.iterdir())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(["export", "nmp_clocked", "-o", str(folder), "--vneg", "-0.9"]) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert capsys.readouterr().out.splitlines()[0].endswith("nmp_clocked.va")
    assert main(["export", "nmp_clocked", "-o", str(folder / "nmp_clocked.va" / "below"), "--vneg", "0"]) == 2
    assert "cannot write" in capsys.readouterr().err
    assert main(["export", "nmp_clocked", "-o", str(folder), "--vneg", "-0.3"]) == 2
    assert "was not measured at v_neg = -0.3" in capsys.readouterr().err
