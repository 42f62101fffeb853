"""Logical lines of SPICE text: continuation lines joined, comments dropped, includes resolved here and never by ngspice."""

from __future__ import annotations

import errno
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snncircuit.errors import NetlistError
from snncircuit.files import read_limited

MAX_CHARACTERS = 16_000_000
_MAX_DEPTH = 16
_MAX_FILES = 500
_MAX_LINE = 20_000
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
        text = read_limited(path, MAX_CHARACTERS).decode("utf-8")
    except UnicodeDecodeError:
        msg = f"{before}{path} is no text file; expected SPICE text in UTF-8"
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            msg = f"{before}{path} is larger than {MAX_CHARACTERS // 1_000_000} MB; expected a netlist or device cards"
        elif isinstance(error, OSError) and error.errno == errno.EINVAL:
            msg = f"{before}{path} is a folder, a pipe or a device; expected a file"
        else:
            msg = f"{before}expected a file {path}, found none that can be read; {_beside(path)}"
    else:
        return text.replace("\r\n", "\n").replace("\r", "\n")
    raise NetlistError(msg)


def flatten(path: Path, root: Path, section: str | None = None) -> list[Line]:
    """All lines of a file with its includes in place.

    Args:
        path: the file.
        root: folder that every included file must lie in, links resolved.
        section: the ``.lib`` section to take besides the lines outside any section; None refuses sections.

    Raises:
        NetlistError: for a file, section or include that does not exist, lies outside the root, or includes itself; for a line of
            more than 20,000 characters, more than 500 files or more than 16 MB in all.
    """
    lines: list[Line] = []
    n_characters = 0
    for line in _flatten(path, root.resolve(), section, (), "", itertools.count(1)):
        n_characters += len(line.text)
        if n_characters > MAX_CHARACTERS:
            msg = f"{line.place}: more than {MAX_CHARACTERS // 1_000_000} MB with all includes in place; expected a netlist or device cards"
            raise NetlistError(msg)
        lines.append(line)
    return lines


def _flatten(
    path: Path,
    root: Path,
    section: str | None,
    above: tuple[Path, ...],
    wanted_by: str,
    files: Iterator[int],
) -> Iterator[Line]:
    try:
        real = path.resolve()
    except (OSError, ValueError, RuntimeError):
        msg = f"{wanted_by or 'netlist'}: {str(path)!r:.80} is no path that a file can have"
        raise NetlistError(msg) from None
    if next(files) > _MAX_FILES:
        msg = f"{wanted_by}: includes {path}, the file number {_MAX_FILES + 1}; expected at most {_MAX_FILES}"
        raise NetlistError(msg)
    if above and not real.is_relative_to(root):
        msg = f"{wanted_by}: includes {path}, which lies outside {root}; expected a file inside that folder"
        raise NetlistError(msg)
    if real in above or len(above) >= _MAX_DEPTH:
        msg = f"{wanted_by}: includes {path}, which includes itself or is more than {_MAX_DEPTH} files deep"
        raise NetlistError(msg)
    text = read_file(path, wanted_by)
    for number, raw in enumerate(text.splitlines(), start=1):
        if len(raw) > _MAX_LINE:
            msg = f"{path}:{number}: found a line of {len(raw)} characters; expected at most {_MAX_LINE}, longer ones go on with '+'"
            raise NetlistError(msg)
    wanted = _section(list(logical_lines(text, str(path))), path, section, wanted_by)
    yield from _inlined(wanted, path.parent, root, (*above, real), files)


def _inlined(
    lines: Iterator[Line], folder: Path, root: Path, above: tuple[Path, ...], files: Iterator[int]
) -> Iterator[Line]:
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
        yield from _flatten(folder / name, root, wanted, above, line.place, files)


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
