import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from snncircuit.errors import DatasetError
from snncircuit.study import cifar10, datasets
from snncircuit.study.images import DATA_FOLDER

PER_BATCH = 4


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """An archive of batches of four records in an empty data folder; all its training records."""
    rng = np.random.default_rng(2)
    made, every = {}, []
    with tarfile.open(tmp_path / cifar10.ARCHIVE, "w:gz") as archive:
        for split, files in cifar10.BATCHES.items():
            made[split] = {}
            for file in files:
                content = rng.integers(0, 256, (PER_BATCH, 3073), dtype=np.uint8)
                content[:, 0] %= 10
                member = tarfile.TarInfo(f"{cifar10.FOLDER}/{file}")
                member.size = content.nbytes
                archive.addfile(member, io.BytesIO(content.tobytes()))
                made[split][file] = hashlib.sha256(content.tobytes()).hexdigest()
                every += [content] if split == "train" else []
    packed = (tmp_path / cifar10.ARCHIVE).read_bytes()
    monkeypatch.setattr(cifar10, "ARCHIVE_SHA256", hashlib.sha256(packed).hexdigest())
    monkeypatch.setattr(cifar10, "BATCHES", made)
    monkeypatch.setattr(cifar10, "PER_BATCH", PER_BATCH)
    monkeypatch.setattr(cifar10, "_SAMPLED", 0)
    monkeypatch.setenv(DATA_FOLDER, str(tmp_path))
    return np.concatenate(every)


def test_images_are_the_records_of_the_archive_in_order(records: np.ndarray) -> None:
    data = datasets.load("cifar10", "train")
    assert torch.equal(data.labels, torch.from_numpy(records[:, 0].astype(np.int64)))
    pixels = (data.images * 255).round().to(torch.uint8).flatten(1)
    assert torch.equal(pixels, torch.from_numpy(records[:, 1:]))


def test_only_the_batches_that_are_needed_are_unpacked(records: np.ndarray, tmp_path: Path) -> None:
    assert len(datasets.load("cifar10", "train", PER_BATCH + 1)) == PER_BATCH + 1
    assert [p.name for p in sorted((tmp_path / cifar10.FOLDER).iterdir())] == [
        "data_batch_1.bin",
        "data_batch_2.bin",
    ]


def test_a_damaged_batch_is_refused_by_its_checksum(records: np.ndarray, tmp_path: Path) -> None:
    datasets.load("cifar10", "train", 1)
    path = tmp_path / cifar10.FOLDER / "data_batch_1.bin"
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    with pytest.raises(
        DatasetError, match=r"data_batch_1\.bin has SHA-256 .* delete it and it is fetched again"
    ):
        datasets.load("cifar10", "train", 1)


def test_a_batch_that_grew_is_not_read_to_its_end(records: np.ndarray, tmp_path: Path) -> None:
    datasets.load("cifar10", "train", 1)
    path = tmp_path / cifar10.FOLDER / "data_batch_1.bin"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DatasetError, match="larger than"):
        datasets.load("cifar10", "train", 1)


def test_an_archive_without_the_batch_is_told(
    records: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / cifar10.ARCHIVE, "w:gz"):
        pass
    packed = (tmp_path / cifar10.ARCHIVE).read_bytes()
    monkeypatch.setattr(cifar10, "ARCHIVE_SHA256", hashlib.sha256(packed).hexdigest())
    with pytest.raises(DatasetError, match=r"holds no cifar-10-batches-bin/data_batch_1\.bin"):
        datasets.load("cifar10", "train", 1)


def test_what_cannot_be_fetched_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_FOLDER, str(tmp_path))
    monkeypatch.setattr(cifar10, "SOURCES", ("http://127.0.0.1:9/",))
    with pytest.raises(DatasetError, match=rf"up to 100 test images need no download.*{DATA_FOLDER}"):
        datasets.load("cifar10", "test", 101)


def test_the_sample_is_the_start_of_the_test_split(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = datasets.load("cifar10", "test", 100)
    assert sample.images.shape == (100, 3, 32, 32)
    assert sample.labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
