"""Hostile and damaged data files: a clear error, or exactly what was written; nothing huge is allocated, nothing else is opened."""

import io
import json
import random
import resource
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from snncircuit.characterise.drive import Sample
from snncircuit.characterise.kept import revived
from snncircuit.cli import main
from snncircuit.errors import CharacterisationError, DatasetError, NetworkError, SimulationError, TableError
from snncircuit.network.files import load_network
from snncircuit.network.run_file import load_run
from snncircuit.reference import ideal_table
from snncircuit.spice.cache import SampleCache
from snncircuit.study import archives, checkpoint
from snncircuit.study.store import PointStore
from snncircuit.study.sweep_dataset import load_sweep
from snncircuit.table import TransferTable
from tests.corpus.conftest import Refusal, small_network

HUGE = 1 << 28  # numbers: 2 GB


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "t.nc"
    TransferTable.from_points("ideal", [ideal_table(-0.9)], {"ngspice": "none", "title": "one"}).save(path)
    return path


@pytest.fixture
def table(original: Path, ground: Path) -> Path:
    path = ground / "work" / "t.nc"
    path.write_bytes(original.read_bytes())
    return path


@pytest.fixture
def frugal() -> Any:
    """Whoever allocates what these files declare runs into the limit and not the machine out of memory."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def edit(path: Path, change: Callable[[Any], None]) -> None:
    with h5py.File(path, "a") as file:
        change(file)


def extra(**how: Any) -> Callable[[Any], None]:
    return lambda file: file.create_dataset("bomb", **how)


def in_place_of(name: str, **how: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[name]
        file.create_dataset(name, **how)

    return change


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4,))
    file.create_virtual_dataset("elsewhere", layout)


def link(file: Any) -> None:
    file["elsewhere"] = h5py.ExternalLink("/dev/zero", "/x")


def attribute(name: str, value: Any) -> Callable[[Any], None]:
    return lambda file: file.attrs.__setitem__(name, value)


def value(name: str, number: float) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        found = file[name]
        first = (0,) * (found.ndim - 1) + (-1,)
        found[first] = number
        # What a program wrote that knows of no checksum.
        del file.attrs["sha256"]

    return change


TABLES = {
    "two gigabytes on one page": (
        extra(shape=(HUGE,), dtype="f8", chunks=(1 << 20,), compression="gzip"),
        "declares more than 1024 MB",
    ),
    "two gigabytes never written": (extra(shape=(HUGE,), dtype="f8"), "declares more than 1024 MB"),
    "more than there is": (
        extra(shape=(1 << 60,), dtype="u1", chunks=(1 << 20,)),
        "declares more than 1024 MB",
    ),
    "an axis of two gigabytes": (
        in_place_of("q_common", shape=(HUGE,), dtype="f8", chunks=(1 << 20,)),
        "declares more than 1024 MB",
    ),
    "texts without end": (
        extra(shape=(HUGE,), dtype=h5py.string_dtype(), chunks=(1 << 10,)),
        "declares more than",
    ),
    "bytes of another file": (
        extra(shape=(8,), dtype="u1", external=[("/etc/passwd", 0, 8)]),
        "lies in other files",
    ),
    "virtual variable": (virtual, "lies in other files"),
    "link to a device": (link, "is a link"),
    "folder in the file": (lambda file: file.create_group("inner"), "expected plain variables"),
    "filter that would be loaded": (extra(shape=(9,), dtype="f8", compression="lzf"), "needs the filters"),
    "sheet of another shape": (in_place_of("residual", shape=(3,), dtype="f8"), "t.nc"),
    "energies that are no numbers": (
        value("energy", float("nan")),
        "energy holds values that are not finite",
    ),
    "an infinite edge": (value("edge", float("inf")), "edge holds values that are not finite"),
    "a threshold of nothing": (value("threshold", 0.0), "expected threshold above 0"),
    "starts out of order": (value("start", -99.0), "expected start to ascend"),
    "overdrives out of order": (value("overdrive", -99.0), "expected overdrive to ascend"),
    "changed by a hand": (
        lambda file: file["leak"].__setitem__(..., 0.5),
        "is damaged: its content has the SHA-256",
    ),
    "changed provenance": (attribute("provenance", "{}"), "is damaged: its content has the SHA-256"),
    "checksum of another": (attribute("sha256", "0" * 64), "is damaged: its content has the SHA-256"),
    "newer": (attribute("schema", 99), "has table schema 99"),
}


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("case", TABLES)
def test_a_hostile_table_is_refused(case: str, table: Path, refused: Refusal) -> None:
    change, told = TABLES[case]
    edit(table, change)
    assert told in refused(["inspect", str(table)])


@pytest.mark.parametrize("name", ["../../evil", "a\nb", "# shell", ""])
def test_a_table_whose_name_could_be_a_path_is_refused(name: str, table: Path, refused: Refusal) -> None:
    def change(file: Any) -> None:
        file.attrs["name"] = name
        del file.attrs["sha256"]

    edit(table, change)
    assert "expected a name of letters" in refused(["validate", str(table)])


@pytest.mark.parametrize("attribute", ["provenance", "reasons"])
def test_a_table_whose_attributes_are_a_bomb_is_refused(attribute: str, table: Path) -> None:
    for text in ("[" * 20_000, "{", "[]"):

        def change(file: Any, text: str = text) -> None:
            file.attrs[attribute] = text
            file.attrs.pop("sha256", None)

        edit(table, change)
        with pytest.raises(TableError, match=f"expected its attribute {attribute} to be a JSON object"):
            TransferTable.load(table)


def test_a_table_from_before_there_were_checksums_still_loads(original: Path, table: Path) -> None:
    edit(table, lambda file: file.attrs.__delitem__("sha256"))
    assert TransferTable.load(table).dataset.identical(TransferTable.load(original).dataset)


def sections(path: Path) -> list[int]:
    """A place in each block that the file stores: the data of every variable, the names and values of its attributes."""
    data = path.read_bytes()
    places = []
    with h5py.File(path, "r") as file:
        for name in file:
            found = file[name]
            if found.chunks and found.id.get_num_chunks():
                chunk = found.id.get_chunk_info(0)
                places.append(chunk.byte_offset + chunk.size // 2)
            elif found.id.get_offset():
                places.append(found.id.get_offset() + found.id.get_storage_size() // 2)
        words = [*file.attrs, "threshold", "JSON", "ngspice", "_FillValue", "units", "DIMENSION_LIST"]
    return places + [data.index(word.encode()) for word in words if word.encode() in data]


def test_a_bit_that_flips_anywhere_is_found_or_changes_nothing(original: Path, table: Path) -> None:
    data, good = original.read_bytes(), TransferTable.load(original).dataset
    draw = random.Random(7)
    places = sections(original) + [draw.randrange(len(data)) for _ in range(8)]
    n_found = 0
    for place in places:
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << draw.randrange(8)
        table.write_bytes(bytes(spoilt))
        try:
            found = TransferTable.load(table).dataset
        except TableError:
            n_found += 1
        else:
            assert all(found[name].equals(good[name]) for name in good.variables), place
    assert n_found > 25


@pytest.mark.parametrize("load", [TransferTable.load, load_run, load_sweep])
@pytest.mark.parametrize(
    "content", [b"", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + b"\xff" * 4000, b"a text"]
)
def test_what_is_no_netcdf_is_refused(load: Callable[[Path], object], content: bytes, ground: Path) -> None:
    path = ground / "work" / "x.nc"
    path.write_bytes(content)
    with pytest.raises((TableError, SimulationError), match=r"x\.nc: not a NetCDF file"):
        load(path)


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("load", [load_run, load_sweep])
def test_runs_and_sweeps_that_declare_too_much_are_refused(
    load: Callable[[Path], object], ground: Path
) -> None:
    path = ground / "work" / "x.nc"
    with h5py.File(path, "w") as file:
        file.attrs.update(kind="snncircuit run", schema=2)
        file.create_dataset("step", shape=(HUGE,), dtype="f8", chunks=(1 << 20,), compression="gzip")
    with pytest.raises(SimulationError, match="declares more than 1024 MB"):
        load(path)


def header(entry: dict[str, Any], length: int | None = None) -> bytes:
    text = json.dumps(entry).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


WEIGHTS = {
    "header of a gigabyte": lambda data: struct.pack("<Q", 1 << 30) + data[8:],
    "header beyond all numbers": lambda data: struct.pack("<Q", (1 << 64) - 1) + data[8:],
    "header that nests": lambda data: struct.pack("<Q", 100_000) + b"[" * 100_000,
    "tensor of a terabyte": lambda data: header(
        {"w": {"dtype": "F32", "shape": [1 << 38], "data_offsets": [0, 1 << 40]}}
    ),
    "shape beyond its bytes": lambda data: (
        header({"w": {"dtype": "F32", "shape": [1 << 38], "data_offsets": [0, 4]}}) + b"abcd"
    ),
    "truncated": lambda data: data[:-1],
    "empty": lambda data: b"",
    "another tensor": lambda data: (
        header({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}) + b"abcd"
    ),
    "not a number": lambda data: data[:-8] + struct.pack("<f", float("nan")) * 2,
}


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("case", WEIGHTS)
def test_hostile_weights_are_refused(case: str, ground: Path, refused: Refusal) -> None:
    path = small_network(ground / "work").with_suffix(".safetensors")
    path.write_bytes(WEIGHTS[case](path.read_bytes()))
    assert "small.safetensors" in refused(["convert", str(path.with_suffix(".toml"))])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text + "x = " + "[" * 50_000,
        lambda text: text.replace("seed = 0", "seed = " + "9" * 5000),
        lambda text: text + "\0",
        lambda text: text + "# " + "x" * (1 << 20),
    ],
    ids=["nested", "five thousand digits", "nul", "a megabyte"],
)
def test_a_hostile_description_is_refused(spoil: Callable[[str], str], ground: Path) -> None:
    path = small_network(ground / "work")
    path.write_text(spoil(path.read_text()))
    with pytest.raises(NetworkError, match=r"small\.toml"):
        load_network(path)


def archive(path: Path, shape: str, content: bytes) -> None:
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + content
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x_test.npy", array)


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize(
    ("shape", "content"),
    [
        ("(3000000,)", bytes(3_000_000)),
        ("(1000000000000000,)", b"few"),
        ("(100,)", b"few"),
        ("'what'", b"few"),
    ],
    ids=["a zip bomb", "a petabyte", "fewer than declared", "no shape"],
)
def test_hostile_images_are_refused(
    shape: str, content: bytes, ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    path = ground / "work" / "mnist.npz"
    archive(path, shape, content)
    with pytest.raises(DatasetError, match=r"mnist\.npz cannot be read as an npz archive"):
        archives.read_npz(path, "x_test")


def test_an_array_of_objects_is_never_unpickled(ground: Path) -> None:
    class Canary:
        def __reduce__(self) -> tuple[Any, ...]:
            return open, (str(ground / "canary"), "w")

    path = ground / "work" / "mnist.npz"
    buffer = io.BytesIO()
    np.savez(buffer, x_test=np.array([Canary()], dtype=object))
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DatasetError, match="cannot be read as an npz archive"):
        archives.read_npz(path, "x_test")


def one_checkpoint(path: Path) -> tuple[nn.Module, torch.optim.Optimizer]:
    module = nn.Linear(2, 2)
    optimiser = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    checkpoint.save(path, "key", 3, module, optimiser)
    return module, optimiser


@pytest.mark.parametrize("case", ["another shape", "other names", "no epochs", "odd names", *WEIGHTS])
def test_a_damaged_checkpoint_is_refused(case: str, ground: Path) -> None:
    path = ground / "work" / "c.safetensors"
    module, optimiser = one_checkpoint(path)
    assert checkpoint.restore(path, "key", module, optimiser) == 3
    facts = {"key": "key", "epochs": "3"}
    if case == "another shape":
        save_file({"module/weight": torch.zeros(9, 9), "module/bias": torch.zeros(2)}, path, facts)
    elif case == "other names":
        save_file({"module/what": torch.zeros(2)}, path, facts)
    elif case == "no epochs":
        tensors = {f"module/{name}": value for name, value in module.state_dict().items()}
        save_file(tensors, path, {"key": "key"})
    elif case == "odd names":
        tensors = {f"module/{name}": value for name, value in module.state_dict().items()}
        save_file({**tensors, "optimiser/x": torch.zeros(1)}, path, facts)
    else:
        path.write_bytes(WEIGHTS[case](path.read_bytes()))
        if case == "not a number":  # weights in training may be what they are
            assert checkpoint.restore(path, "key", module, optimiser) == 3
            return
    with pytest.raises(NetworkError, match="delete it"):
        checkpoint.restore(path, "key", module, optimiser)


@pytest.mark.parametrize(
    "content", [b"{", b"[" * 100_000, b"[1]", b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_a_damaged_point_of_a_sweep_is_told_with_the_way_out(content: bytes, ground: Path) -> None:
    store = PointStore.open(ground / "work" / "s", {})
    store.put("one", {"v": 1.0})
    (ground / "work" / "s" / "point one.json").write_bytes(content)
    with pytest.raises(SimulationError, match="delete it to compute it again"):
        store.get("one")
    with (ground / "work" / "s" / "point one.json").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(SimulationError, match="larger than"):
        store.get("one")


SAMPLE = Sample(v_mem=(0.0, 0.5), spikes=(0,), energy=((1e-15,),))


@pytest.mark.parametrize(
    "record",
    [
        None,
        b"",
        b"{",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"v_mem": [0, NaN], "spikes": [0], "energy": [[1]], "failure": null}',
        b'{"v_mem": [0, 1], "spikes": [1e999], "energy": [[1]], "failure": null}',
        b'{"v_mem": [0, 1], "spikes": [0], "energy": [[1, 2]], "failure": null}',
        b'{"v_mem": ["0", "1"], "spikes": [0], "energy": [[1]], "failure": null}',
        b'{"v_mem": [0], "spikes": [], "energy": [[]], "failure": null}',
    ],
)
def test_a_damaged_sample_counts_as_none(record: bytes | None) -> None:
    assert revived(record, 1) is None


def test_a_whole_sample_comes_back() -> None:
    assert revived(json.dumps(SAMPLE.record()).encode(), 1) == SAMPLE


def test_a_store_of_samples_that_is_something_else_is_refused(ground: Path) -> None:
    path = ground / "work" / "samples.sqlite"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(CharacterisationError, match="cannot keep samples here"):
        SampleCache(path)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE samples (wrong TEXT)")
    other.close()
    with SampleCache(path) as cache, pytest.raises(CharacterisationError, match="cannot keep samples here"):
        cache.put("key", b"value")


def test_inspect_of_a_pipe_or_a_folder_does_not_wait(ground: Path, refused: Refusal) -> None:
    import os

    os.mkfifo("pipe.nc")
    assert "no table pipe.nc" in refused(["inspect", "pipe.nc"])
    assert "no table ." in refused(["inspect", "./"])
    assert main(["inspect", "/dev/zero"]) == 2
