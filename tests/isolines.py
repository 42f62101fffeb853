"""An independent reader of what ``snncircuit export`` writes: isoline files, and the arithmetic of a Verilog-A block.

The interpolation follows the rule of the language reference for linear tables: the outermost variable first, between two isolines that
are each interpolated along the next variable; ``C`` holds the value of the nearest end beyond the samples.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def read_isolines(path: Path) -> list[list[float]]:
    lines = path.read_text().splitlines()
    return [[float(word) for word in line.split()] for line in lines if line and not line.startswith("#")]


def tree(rows: Sequence[Sequence[float]], dims: int, column: int) -> Any:
    """Nested (value of the variable, what lies there), ascending, the innermost holding the dependent value."""
    if dims == 0:
        (row,) = rows
        return row[column]
    start = len(rows[0])
    groups: dict[float, list[Sequence[float]]] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row[1:])
    assert start > column
    return sorted((key, tree(group, dims - 1, column - 1)) for key, group in groups.items())


def interpolate(branch: Any, at: Sequence[float]) -> float:
    if not at:
        return float(branch)
    first, *rest = at
    keys = [key for key, _ in branch]
    if first <= keys[0]:
        return interpolate(branch[0][1], rest)
    if first >= keys[-1]:
        return interpolate(branch[-1][1], rest)
    above = next(i for i, key in enumerate(keys) if key > first)
    (a, low), (b, high) = branch[above - 1], branch[above]
    share = (first - a) / (b - a)
    return (1 - share) * interpolate(low, rest) + share * interpolate(high, rest)


class TableModel:
    """``$table_model`` for files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trees: dict[tuple[str, int, int], Any] = {}

    def __call__(self, *given: Any) -> float:
        *at, file, control = given
        dims, _, selector = control.partition(";")
        assert dims.split(",") == ["1CC"] * len(at)
        key = (file, len(at), int(selector))
        if key not in self.trees:
            rows = read_isolines(self.folder / file)
            self.trees[key] = tree(rows, len(at), len(at) + int(selector) - 1)
        return interpolate(self.trees[key], at)


def block(text: str) -> list[str]:
    """The assignments of the step, as Python."""
    inside = text.split("// step: begin")[1].split("// step: end")[0]
    lines = [line.strip() for line in inside.splitlines() if line.strip()]
    assert all(line.endswith(";") for line in lines)
    return [_python(line[:-1]) for line in lines]


def _python(line: str) -> str:
    line = line.replace("$table_model", "table_model")
    # Innermost first: (condition ? a : b) becomes (a if condition else b).
    while "?" in line:
        line, count = re.subn(
            r"\(([^()?:]+) \? ((?:[^()?:]|\([^()?:]*\))+) : ((?:[^()?:]|\([^()?:]*\))+)\)",
            r"(\2 if \1 else \3)",
            line,
        )
        assert count, line
    return line


def run_block(lines: Sequence[str], given: Mapping[str, float], model: TableModel) -> dict[str, float]:
    names: dict[str, Any] = {**given, "table_model": model, "min": min, "max": max}
    exec("\n".join(lines), {"__builtins__": {}}, names)
    return {key: value for key, value in names.items() if isinstance(value, int | float)}
