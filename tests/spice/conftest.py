"""The ngspice of this machine, and programs that only pretend to be one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from snncircuit.errors import EngineMissingError
from snncircuit.spice.discovery import Found, find_ngspice


@pytest.fixture
def found() -> Found:
    try:
        return find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def pretender(tmp_path: Path) -> Callable[[str], Found]:
    """Makes a program that says it is ngspice and answers every deck with some lines of shell."""

    def make(body: str) -> Found:
        path = tmp_path / "pretender"
        path.write_text(
            f'#!/bin/sh\nif [ "$1" = --version ]; then echo "** ngspice-99 : pretender"; exit; fi\n{body}\n'
        )
        path.chmod(0o755)
        return Found(kind="program", path=str(path), version="ngspice-99", self_test="none")

    return make
