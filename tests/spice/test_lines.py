import os
from pathlib import Path

import pytest

from snncircuit.errors import NetlistError
from snncircuit.spice import lines
from snncircuit.spice.lines import Line, flatten, logical_lines


def texts(found: list[Line]) -> list[str]:
    return [line.text for line in found]


def test_a_continued_line_stands_where_it_began_without_comments() -> None:
    text = "* title\nr1 a b 1k ; a comment\n\nv1 a 0 pwl(0 0\n* between\n+ 1n 1) $ another\nc1 a 0 1p // third\n.END\nr2 a b\n"
    assert list(logical_lines(text, "x.cir")) == [
        Line("x.cir:2", "r1 a b 1k"),
        Line("x.cir:4", "v1 a 0 pwl(0 0 1n 1)"),
        Line("x.cir:7", "c1 a 0 1p"),
        Line("x.cir:8", ".END"),
    ]


def test_a_line_knows_its_number_and_card() -> None:
    assert Line("a:b.cir:7", ".Model(x)").card == ".model"
    assert Line("a:b.cir:7", "r1 a b").card == ""
    assert Line("a:b.cir:7", "").number == 7


def test_a_continuation_of_nothing_is_an_error() -> None:
    with pytest.raises(
        NetlistError,
        match=r"x.cir:1: found a continuation line '\+ 1k'; expected a card or an element before it",
    ):
        list(logical_lines("+ 1k", "x.cir"))


def test_includes_are_put_in_place_relative_to_their_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "top.cir").write_text("r1 a b 1\n.include 'sub/one.cir'\n.lib sub/lib.lib tt\nr4 a b 4\n")
    (tmp_path / "sub" / "one.cir").write_text('.inc "two.cir"\n')
    (tmp_path / "sub" / "two.cir").write_text("r2 a b 2\n")
    (tmp_path / "sub" / "lib.lib").write_text(".lib tt\nr3 a b 3\n.endl tt\n.lib ss\nr3 a b 9\n.endl\n")
    assert texts(flatten(tmp_path / "top.cir", tmp_path)) == ["r1 a b 1", "r2 a b 2", "r3 a b 3", "r4 a b 4"]


def test_lines_outside_the_sections_belong_to_all(tmp_path: Path) -> None:
    path = tmp_path / "m.lib"
    path.write_text(".param a=1\n.lib TT\n.param b=2\n.endl\n.lib ss\n.param b=3\n.endl\n.param c=4\n")
    assert texts(flatten(path, tmp_path, "tt")) == [".param a=1", ".param b=2", ".param c=4"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '.include "../secret"',
            r"top.cir:1: includes .*secret, which lies outside .*; expected a file inside that folder",
        ),
        (".include link", r"top.cir:1: includes .*link, which lies outside"),
        (
            ".include nothing.cir",
            r"top.cir:1: expected a file .*nothing.cir, found none that can be read; .* holds: .*top.cir",
        ),
        (".include top.cir", r"top.cir:1: includes .*top.cir, which includes itself"),
        (
            ".include a b c",
            r"top.cir:1: expected '.include \"file\"' or '.lib \"file\" section', found '.include a b c'",
        ),
        (
            ".lib cards.lib",
            r"top.cir:1: .*cards.lib has sections \(tt\); expected '.lib \"cards.lib\" SECTION', which chooses one",
        ),
        (".lib cards.lib xx", r"top.cir:1: .*cards.lib has no section 'xx'; it has: tt"),
        (".lib plain.lib tt", r"top.cir:1: .*plain.lib has no section 'tt'; it has: none"),
        (
            ".lib open.lib tt",
            r"open.lib: section 'tt' is not closed; expected .endl before the end of the file",
        ),
        (
            ".lib nested.lib tt",
            r"nested.lib:2: section 'ss' begins inside section 'tt'; expected .endl before",
        ),
        (".endl", r"top.cir:1: found .endl outside any section; expected '.lib NAME' before"),
        (".include binary", r"binary is no text file; expected SPICE text in UTF-8"),
    ],
)
def test_an_include_that_cannot_be_is_named(tmp_path: Path, text: str, message: str) -> None:
    folder = tmp_path / "cell"
    folder.mkdir()
    (tmp_path / "secret").write_text("r1 a b 1")
    os.symlink(tmp_path / "secret", folder / "link")
    for name, content in {
        "top.cir": text,
        "cards.lib": ".lib tt\n.endl",
        "plain.lib": "r1 a b 1",
        "open.lib": ".lib ss\n.endl\n.lib tt\nr1 a b 1",
        "nested.lib": ".lib tt\n.lib ss\n.endl\n.endl",
    }.items():
        (folder / name).write_text(content)
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NetlistError, match=message):
        flatten(folder / "top.cir", folder)


def test_a_chain_of_includes_has_an_end(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"{i}.cir").write_text(f".include {i + 1}.cir")
    with pytest.raises(NetlistError, match="more than 16 files deep"):
        flatten(tmp_path / "0.cir", tmp_path)


def test_a_missing_folder_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(
        NetlistError, match=r"expected a file .*x.cir, found none that can be read; there is no folder"
    ):
        flatten(tmp_path / "no" / "x.cir", tmp_path)


def test_a_file_too_large_to_be_a_netlist_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_CHARACTERS", 3)
    (tmp_path / "x.cir").write_text("r1 a b 1")
    with pytest.raises(NetlistError, match="is larger than"):
        flatten(tmp_path / "x.cir", tmp_path)
