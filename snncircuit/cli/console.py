"""What goes where: results on stdout, progress and remarks on stderr, one JSON object when asked for."""

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

Report = Callable[[int, int], None]

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


class Interrupted(Exception):
    """The user stopped a command; the text says what was kept and how to go on."""


@contextmanager
def resumable(text: str) -> Iterator[None]:
    """Turn Ctrl-C inside the block into an `Interrupted` that says what was kept.

    Raises:
        Interrupted: in place of KeyboardInterrupt, with `text`.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(text) from None


@contextmanager
def progress(label: str, *, steps: int | None = None) -> Iterator[Report]:
    """A progress bar on stderr; the block gets a function ``report(done, total)``.

    Args:
        label: in front of the bar.
        steps: of each image that is reported, to show image·steps/s; None to show no speed.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            seconds = task.finished_time or task.elapsed
            return Text(f"{task.completed * steps / seconds:,.0f} image·steps/s" if steps and seconds else "")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        Speed(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def counter(label: str) -> Iterator[Callable[[str], None]]:
    """A running line on stderr for work of unknown size; the block gets a function ``show(text)``."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as line:
        task = line.add_task(label, total=None, text="")
        yield lambda text: line.update(task, text=text)


def remark(text: str) -> None:
    """One line on stderr."""
    click.echo(text, err=True)


def remark_once(text: str) -> None:
    """One line on stderr, the first time that a command says it."""
    said = click.get_current_context().find_root().meta.setdefault(__name__, set())
    if text not in said:
        said.add(text)
        remark(text)


def emit(result: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout; what is infinite or not a number becomes null, for JSON has neither."""
    click.echo(json.dumps(_plain(result), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout, first column left and figures right; a file or pipe gets it at full width."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        collapse_padding=True,
    )
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 200).print(table)
