"""What docs/CELLS.md tells a designer to type works, and its example is a neuron without a finding."""

import json
import re
from pathlib import Path

import pytest

from snncircuit import shipped
from snncircuit.characterise.cell import load_cell
from snncircuit.characterise.drive import OperatingPoint
from snncircuit.characterise.run import Laboratory
from snncircuit.characterise.scale import Experiment, Scale, find_scale
from snncircuit.characterise.template import write_cell
from snncircuit.cli import main
from snncircuit.errors import CellError, EngineMissingError
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.cards import load_models
from snncircuit.spice.discovery import find_ngspice
from snncircuit.spice.engine import EnginePool

GUIDE = (Path(__file__).parents[1] / "docs" / "CELLS.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


@pytest.fixture
def ngspice() -> None:
    try:
        find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def example(tmp_path: Path) -> Path:
    (tmp_path / "neuron.cir").write_text(block("spice"))
    (tmp_path / "cell.toml").write_text(block("toml"))
    return tmp_path


def found(search: Experiment[Scale], laboratory: Laboratory, point: OperatingPoint) -> Scale:
    drives = next(search)
    while True:
        answers = dict(laboratory.answer([(point, drive) for drive in drives]))
        try:
            drives = search.send([answers[index] for index in range(len(drives))])
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


@pytest.mark.ngspice
@pytest.mark.usefixtures("ngspice")
def test_the_worked_example_has_no_finding_and_a_threshold(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = shipped.find("devices", "generic180")
    assert main(["check-cell", str(example), "--models", str(cards), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {finding["level"] for finding in told["findings"]} == {"ok"}
    cell = load_cell(example)
    point = OperatingPoint(v_dd=1.8, v_neg=-0.3)
    with EnginePool(1) as pool, SampleCache() as cache:
        laboratory = Laboratory(cell=cell, cards={"tt": load_models(cards, "tt")}, pool=pool, cache=cache)
        scale = found(find_scale(cell, point), laboratory, point)
    assert 0.6 < scale.volts < 1.0
    assert scale.charge == pytest.approx(500e-15 * scale.volts, rel=0.2)


@pytest.mark.ngspice
@pytest.mark.usefixtures("ngspice")
def test_the_commands_of_the_guide_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [line.split()[2:] for line in block("console").splitlines()]
    assert [command[0] for command in commands] == ["new-cell", "check-cell", "characterise"]
    # The third takes minutes.
    for command in commands[:2]:
        assert main(command) == 0


@pytest.mark.parametrize("source", [None, "nmp_clocked"])
def test_a_new_cell_is_complete_and_explained(source: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    files = write_cell("mine", folder, source)
    assert sorted(files) == sorted(folder.iterdir())
    cell = load_cell(folder)
    assert (cell.name, cell.subckt) == ("mine", "mine")
    assert cell.models == folder / "generic180.lib"
    original = load_cell(shipped.find("netlist", source or "nmp_simple"))
    assert (cell.ports, cell.step, cell.range) == (original.ports, original.step, original.range)
    lines = (folder / "cell.toml").read_text().splitlines()
    for heading in (
        "[step]",
        "[membrane]",
        "[spike]",
        "[inputs.exc]",
        "[supplies.vdd]",
        "[range]",
        "[limits]",
    ):
        assert lines[lines.index(heading) - 1].startswith("# ")


@pytest.mark.parametrize("name", ["../evil", "a b", "", "1x", "x" * 41, "# shell"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CellError, match="cannot name a neuron: expected a letter, then letters, digits"):
        write_cell(name, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_an_unknown_source_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    for words in (["new-cell", "mine"], ["new-cell", "dangling"]):
        assert main(words) == 2
        assert "exists already; expected the name of a new folder" in capsys.readouterr().err
    assert main(["new-cell", "other", "--from", "nothing"]) == 2
    assert "no neuron netlist called 'nothing' ships with snncircuit; shipped: " in capsys.readouterr().err
    assert main(["new-cell", "other", "-o", "deep/er"]) == 0
    out = capsys.readouterr().out
    assert "snncircuit check-cell deep/er\n" in out
    assert "snncircuit characterise deep/er --quick" in out
