"""Where the tests find data that does not ship."""

import os
from pathlib import Path

import pytest

from snncircuit.study.images import DATA_FOLDER


@pytest.fixture
def mnist_folder() -> Path:
    """A folder with the whole of MNIST; the test is skipped where there is none."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folders = [Path(os.environ[DATA_FOLDER])] if DATA_FOLDER in os.environ else [beside]
    for folder in folders:
        if (folder / "mnist.npz").is_file():
            return folder
    pytest.skip(
        f"no mnist.npz in {' or '.join(map(str, folders))}; point {DATA_FOLDER} at a folder that holds it"
    )
