"""What every test shares: shape checking of the torch half, one hypothesis profile, a cache of its own."""

import os
from pathlib import Path

import hypothesis
import pytest
from jaxtyping import install_import_hook

from tests import shapes

# A test run must not depend on how long something takes, nor on luck.
hypothesis.settings.register_profile("snncircuit", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("snncircuit")

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_THREAD_LIMIT", "1")

# Every shape in a signature of the torch half is checked at each call of every test.
install_import_hook(
    ["snncircuit.neuron", "snncircuit.network"], f"{shapes.__name__}.{shapes.checked.__name__}"
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    # No test reads what another run of snncircuit kept, nor leaves anything behind.
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SNNCIRCUIT_CACHE", str(folder))
    return folder
