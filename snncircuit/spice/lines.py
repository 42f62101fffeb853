"""Logical lines of SPICE text: continuation lines joined, comments dropped, includes resolved here and never by ngspice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snncircuit.errors import NetlistError

MAX_CHARACTERS = 16_000_000
_MAX_DEPTH = 16
_COMMENT = re.compile(r"(?:^|[\s,])\$(?:\s|$).*|;.*|\s//.*")
_INCLUDE = re.compile(r"\.inc(?:lude)?\s+(?:\"([^\"]+)\"|'([^']+)'|(\S+))\s*", re.IGNORECASE)
_LIBRARY = re.compile(r"\.lib\s+(?:\"([^\"]+)\"|'([^']+)'|(\S+))(?:\s+(\w[\w.-]*))?\s*", re.IGNORECASE)
_CARD = re.compile(r"\.\w*")


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line and where it begins, as ``file:line``."""

    place: str
    text: str

    @property
    def number(self) -> int:
        """Number of the line in its file, from 1."""
        return int(self.place.rpartition(":")[2])

    @property
    def card(self) -> str:
        """The dot card in lower case, such as ``.model``; empty for an element."""
        match = _CARD.match(self.text)
        return match[0].lower() if match else ""


def logical_lines(text: str, name: str) -> Iterator[Line]:
    """The lines of a text, up to ``.end``, with comments dropped and ``+`` lines joined.

    Raises:
        NetlistError: for a continuation of nothing, or a comment that ngspice would run as a command.
    """
    place, parts = "", list[str]()
    for number, raw in enumerate(text.splitlines(), start=1):
        here = f"{name}:{number}"
        line = raw.strip()
        if re.match(r"\*\s*#", line):
            msg = f"{here}: found {_cut(line)!r}, which ngspice runs as a command; expected a comment without '#' after the '*'"
            raise NetlistError(msg)
        if line.startswith("*"):
            continue
        if "$" in line or ";" in line or "//" in line:
            line = _COMMENT.sub("", line).strip()
        if not line:
            continue
        if line.startswith("+"):
            if not parts:
                msg = f"{here}: found a continuation line {_cut(line)!r}; expected a card or an element before it"
                raise NetlistError(msg)
            parts.append(line[1:].strip())
            continue
        if parts:
            yield Line(place, " ".join(parts))
        place, parts = here, [line]
        if line.split()[0].lower() == ".end":
            break
    if parts:
        yield Line(place, " ".join(parts))


def read_file(path: Path, wanted_by: str = "") -> str:
    """The text of a netlist or card file.

    Raises:
        NetlistError: when it cannot be read, with what lies beside it.
    """
    before = f"{wanted_by}: " if wanted_by else ""
    try:
        if path.stat().st_size > MAX_CHARACTERS:
            msg = f"{before}{path} is larger than {MAX_CHARACTERS // 1_000_000} MB; expected a netlist or device cards"
            raise NetlistError(msg)
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        msg = f"{before}{path} is no text file; expected SPICE text in UTF-8"
    except (OSError, ValueError):
        msg = f"{before}expected a file {path}, found none that can be read; {_beside(path)}"
    raise NetlistError(msg)


def flatten(path: Path, root: Path, section: str | None = None) -> list[Line]:
    """All lines of a file with its includes in place.

    Args:
        path: the file.
        root: folder that every included file must lie in, links resolved.
        section: the ``.lib`` section to take besides the lines outside any section; None refuses sections.

    Raises:
        NetlistError: for a file, section or include that does not exist, lies outside the root, or includes itself.
    """
    return list(_flatten(path, root.resolve(), section, (), ""))


def _flatten(
    path: Path, root: Path, section: str | None, above: tuple[Path, ...], wanted_by: str
) -> Iterator[Line]:
    real = path.resolve()
    if above and not real.is_relative_to(root):
        msg = f"{wanted_by}: includes {path}, which lies outside {root}; expected a file inside that folder"
        raise NetlistError(msg)
    if real in above or len(above) >= _MAX_DEPTH:
        msg = f"{wanted_by}: includes {path}, which includes itself or is more than {_MAX_DEPTH} files deep"
        raise NetlistError(msg)
    lines = logical_lines(read_file(path, wanted_by), str(path))
    yield from _inlined(_section(list(lines), path, section, wanted_by), path.parent, root, (*above, real))


def _inlined(lines: Iterator[Line], folder: Path, root: Path, above: tuple[Path, ...]) -> Iterator[Line]:
    for line in lines:
        pattern = {".include": _INCLUDE, ".inc": _INCLUDE, ".lib": _LIBRARY}.get(line.card)
        if pattern is None:
            yield line
            continue
        match = pattern.fullmatch(line.text)
        if match is None:
            msg = f"{line.place}: expected '.include \"file\"' or '.lib \"file\" section', found {_cut(line.text)!r}"
            raise NetlistError(msg)
        name = next(group for group in match.groups()[:3] if group)
        wanted = match[4] if pattern is _LIBRARY else None
        yield from _flatten(folder / name, root, wanted, above, line.place)


def _openings(lines: list[Line]) -> dict[str, str]:
    """Place -> name of each ``.lib NAME`` … ``.endl`` section; a file without ``.endl`` has none, its ``.lib`` includes."""
    if not any(line.card == ".endl" for line in lines):
        return {}
    words = {line.place: line.text.split() for line in lines if line.card == ".lib"}
    return {place: parts[1] for place, parts in words.items() if len(parts) == 2}


def _section(lines: list[Line], path: Path, wanted: str | None, wanted_by: str) -> Iterator[Line]:
    openings = _openings(lines)
    existing = list(openings.values())
    before = f"{wanted_by}: " if wanted_by else ""
    if wanted is None and existing:
        msg = f"{before}{path} has sections ({', '.join(existing)}); expected '.lib \"{path.name}\" SECTION', which chooses one"
        raise NetlistError(msg)
    if wanted is not None and wanted.lower() not in (name.lower() for name in existing):
        msg = f"{before}{path} has no section {wanted!r}; it has: {', '.join(existing) or 'none'}"
        raise NetlistError(msg)
    inside = ""
    for line in lines:
        if line.place in openings:
            if inside:
                msg = f"{line.place}: section {openings[line.place]!r} begins inside section {inside!r}; expected .endl before"
                raise NetlistError(msg)
            inside = openings[line.place]
        elif line.card == ".endl":
            if not inside:
                msg = f"{line.place}: found .endl outside any section; expected '.lib NAME' before"
                raise NetlistError(msg)
            inside = ""
        elif not inside or inside.lower() == (wanted or "").lower():
            yield line
    if inside:
        msg = f"{path}: section {inside!r} is not closed; expected .endl before the end of the file"
        raise NetlistError(msg)


def _beside(path: Path) -> str:
    try:
        names = sorted(p.name for p in path.parent.iterdir())
    except (OSError, ValueError):
        return f"there is no folder {path.parent} either"
    return f"{path.parent} holds: {', '.join(names[:12]) or 'nothing'}"


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
