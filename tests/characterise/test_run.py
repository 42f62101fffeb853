"""A characterisation on real ngspice: killed and resumed it gives the same bytes; repeated it starts no simulator."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from snncircuit.characterise import calibration
from snncircuit.characterise.cell import load_cell
from snncircuit.characterise.drive import Drive, OperatingPoint, deck, read, sources
from snncircuit.characterise.run import characterise as run_experiments
from snncircuit.cosim.validate import validate
from snncircuit.errors import TableError
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.netlist import load_models
from snncircuit.spice.waveforms import Waveforms
from snncircuit.table import TransferTable

pytestmark = pytest.mark.ngspice
ROOT = Path(__file__).parents[2]
CARDS = ROOT / "models" / "devices" / "generic180.lib"
POINT = OperatingPoint(v_dd=1.8, v_neg=0.0)


@pytest.fixture(scope="module")
def cell_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The conventional neuron with a grid that takes seconds."""
    folder = tmp_path_factory.mktemp("cells") / "zmp"
    shutil.copytree(ROOT / "netlists" / "zmp", folder)
    text = (folder / "cell.toml").read_text()
    text = re.sub(r"q_common = .*", "q_common = [0.0, 2.0]", text)
    text = re.sub(r"max_per_step = .*", "max_per_step = 1", text)
    text = re.sub(r"models = .*", f'models = "{CARDS}"', text)
    (folder / "cell.toml").write_text(text)
    return folder


def command(cell: Path, output: Path) -> list[str]:
    words = ["characterise", str(cell), "--vdd", "1.8", "--vneg", "0", "--models", str(CARDS), "--jobs", "2"]
    code = "import sys; from snncircuit.cli import main; sys.exit(main())"
    return [sys.executable, "-c", code, *words, "-o", str(output), "--json"]


def characterise(cell: Path, output: Path, cache: Path) -> dict[str, float]:
    done = subprocess.run(
        command(cell, output),
        env={**os.environ, "SNNCIRCUIT_CACHE": str(cache)},
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    return dict(json.loads(done.stdout))


def kept(cache: Path) -> int:
    store = cache / "samples.sqlite"
    if not store.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            return int(connection.execute("select count(*) from samples").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


@pytest.fixture(scope="module")
def measured(cell_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """An uninterrupted table, its cache and its number of samples."""
    folder = tmp_path_factory.mktemp("whole")
    report = characterise(cell_folder, folder / "t.nc", folder / "cache")
    assert report["reused"] < 5  # a drive that the experiment asks for twice
    assert report["holes"] == 0
    return folder / "t.nc", folder / "cache", int(report["points"])


def test_a_table_tells_on_what_it_was_calibrated(measured: tuple[Path, Path, int]) -> None:
    assert TransferTable.load(measured[0]).provenance["calibration"] == dict(calibration.ORIGIN)


def test_a_killed_characterisation_resumes_to_the_same_bytes(
    cell_folder: Path, measured: tuple[Path, Path, int], tmp_path: Path
) -> None:
    whole, _, points = measured
    cache = tmp_path / "cache"
    process = subprocess.Popen(
        command(cell_folder, tmp_path / "t.nc"),
        env={**os.environ, "SNNCIRCUIT_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    while kept(cache) < points // 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "t.nc").exists()
    report = characterise(cell_folder, tmp_path / "t.nc", cache)
    assert points // 2 <= report["reused"] < points
    assert report["points"] == points
    assert (tmp_path / "t.nc").read_bytes() == whole.read_bytes()


def test_a_repeated_characterisation_starts_no_ngspice(
    cell_folder: Path, measured: tuple[Path, Path, int], tmp_path: Path
) -> None:
    whole, cache, points = measured
    report = characterise(cell_folder, tmp_path / "again.nc", cache)
    assert report["reused"] == report["points"] == points
    assert (tmp_path / "again.nc").read_bytes() == whole.read_bytes()
    with SampleCache(cache / "samples.sqlite") as store, EnginePool(2, 60) as pool:
        table, again = run_experiments(
            load_cell(cell_folder), lambda c: load_models(CARDS, c), [POINT], pool=pool, cache=store
        )
        assert again.reused == points
        assert pool.started == 0
    assert table.dataset.identical(TransferTable.load(whole).dataset)


def test_the_table_agrees_with_ngspice_and_not_with_another_netlist(
    cell_folder: Path, measured: tuple[Path, Path, int], own_cache: Path, tmp_path: Path
) -> None:
    table, cell = TransferTable.load(measured[0]), load_cell(cell_folder)
    with SampleCache(own_cache / "s.sqlite") as cache, EnginePool(2, 300) as pool:
        ask = dict(pool=pool, cache=cache, n_steps=60, n_neurons=2, seed=3)
        (found,) = validate(table, cell, lambda c: load_models(CARDS, c), [POINT], **ask).agreements
        assert found.failures == ()
        assert found.v_mem_rmse < 0.05
        assert found.energy_error < 0.1
        assert found.spike_count_error < 0.2
        other = tmp_path / "zmp"
        shutil.copytree(cell_folder, other)
        text = (other / "neuron.cir").read_text()
        (other / "neuron.cir").write_text(text.replace("500f", "510f"))
        with pytest.raises(TableError, match="table zmp was measured from another netlist"):
            validate(table, load_cell(other), lambda c: load_models(CARDS, c), [POINT], **ask)


def test_charge_in_is_charge_on_the_membrane(cell_folder: Path) -> None:
    # Below threshold an excitatory pulse through a mirror of gain one lifts the capacitor by about q / C.
    cell = load_cell(cell_folder)
    drive = Drive(v_mem=0.2, q_exc=(100e-15,), q_inh=(0.0,))
    with EnginePool(1, 60) as pool:
        waves = pool.run(deck(cell, load_models(CARDS, "tt"), POINT, drive))
    assert isinstance(waves, Waveforms)
    sample = read(cell, POINT, drive, waves)
    assert sample.spikes == (0,)
    assert sample.v_mem[1] - sample.v_mem[0] == pytest.approx(100e-15 / cell.membrane.capacitance, rel=0.1)
    energy = {s.name: e[0] for s, e in zip(sources(cell, POINT), sample.energy, strict=True)}
    # The supply gives the charge twice, to the line and to the membrane, at v_dd.
    assert energy["vdd"] > 2 * 100e-15 * POINT.v_dd
    assert np.isfinite(list(energy.values())).all()
