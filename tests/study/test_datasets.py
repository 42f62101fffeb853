import gzip
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import torch

from snncircuit import shipped
from snncircuit.errors import DatasetError
from snncircuit.study import datasets
from snncircuit.study.images import DATA_FOLDER, data_folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address of the loopback server that serves it."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    with HTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def tiny(mirror: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training split of three images that a mirror offers; its empty data folder."""
    folder, address = mirror
    rng = np.random.default_rng(1)
    for (split, what), part in datasets.PARTS.items():
        shape = (3, 28, 28) if what == "images" else (3,)
        pixels = rng.integers(0, 10, shape, dtype=np.uint8)
        content = (
            bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + pixels.tobytes()
        )
        packed = gzip.compress(content, mtime=0)
        (folder / part.file).write_bytes(packed)
        new = replace(
            part,
            shape=shape,
            sha256=hashlib.sha256(packed).hexdigest(),
            content_sha256=hashlib.sha256(content).hexdigest(),
        )
        monkeypatch.setitem(datasets.PARTS, (split, what), new)
    monkeypatch.setattr(datasets, "MIRRORS", (address,))
    data = tmp_path / "data"
    monkeypatch.setenv(DATA_FOLDER, str(data))
    return data


def test_the_sample_is_the_start_of_the_test_split(
    mnist_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = datasets.load("mnist", "test", 1000)
    monkeypatch.setenv(DATA_FOLDER, str(mnist_folder))
    whole = datasets.load("mnist", "test")
    assert len(whole) == 10000
    assert torch.equal(sample.images, whole.images[:1000])
    assert torch.equal(sample.labels, whole.labels[:1000])


def test_images_are_fractions_of_white_with_a_channel() -> None:
    data = datasets.load("mnist", "test", 7)
    assert data.images.shape == (7, 1, 28, 28)
    assert data.images.dtype == torch.float32
    assert data.images.min() == 0
    assert data.images.max() == 1
    assert data.labels.tolist() == [7, 2, 1, 0, 4, 1, 4]


def test_the_sample_needs_no_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_FOLDER, str(tmp_path / "absent"))
    monkeypatch.setattr(datasets, "MIRRORS", ())
    assert len(datasets.load("mnist", "test", 1000)) == 1000
    assert not (tmp_path / "absent").exists()


def test_what_is_missing_is_fetched_once_and_kept(tiny: Path, mirror: tuple[Path, str]) -> None:
    first = datasets.load("mnist", "train")
    for file in mirror[0].iterdir():
        file.unlink()
    again = datasets.load("mnist", "train")
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert sorted(p.name for p in tiny.iterdir()) == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]


def test_a_download_with_another_checksum_is_refused_and_not_kept(
    tiny: Path, mirror: tuple[Path, str]
) -> None:
    folder, address = mirror
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(
        DatasetError, match=r"train-images-idx3-ubyte\.gz is neither in .* nor could it be fetched"
    ) as caught:
        datasets.load("mnist", "train")
    assert address in str(caught.value)
    assert not (tiny / "train-images-idx3-ubyte.gz").exists()


def test_the_next_mirror_is_asked_where_one_fails(tiny: Path, mirror: tuple[Path, str]) -> None:
    gone = "http://127.0.0.1:9/"
    paths = datasets.fetch("train", tiny, mirrors=(gone, mirror[1]))
    assert all(path.is_file() for path in paths)


def test_without_a_network_the_error_says_what_works(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(DatasetError, match=r"up to 1000 test images need no download.*SNNCIRCUIT_DATA"):
        datasets.load("mnist", "train", 2)


def test_a_data_folder_with_other_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_FOLDER, str(tmp_path))
    np.savez(
        tmp_path / "mnist.npz", x_train=np.zeros((60000, 1, 1), np.uint8), y_train=np.zeros(60000, np.uint8)
    )
    with pytest.raises(DatasetError, match=r"x_train has SHA-256 [0-9a-f]{64}, the published MNIST ba891046"):
        datasets.load("mnist", "train")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y_train": np.zeros(3, np.uint8)}, r"mnist\.npz holds no array 'x_train'"),
        ({"x_train": np.zeros(3)}, r"x_train holds float64, expected uint8"),
        ({"x_train": np.array([{}], dtype=object)}, r"cannot be read as an npz archive of arrays"),
    ],
)
def test_a_data_folder_with_other_arrays_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, np.ndarray], message: str
) -> None:
    monkeypatch.setenv(DATA_FOLDER, str(tmp_path))
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(DatasetError, match=message):
        datasets.load("mnist", "train")


def test_a_truncated_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_FOLDER, str(tmp_path))
    (tmp_path / "mnist.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DatasetError, match=r"mnist\.npz cannot be read as an npz archive of arrays"):
        datasets.load("mnist", "train")


@pytest.mark.parametrize(
    ("name", "n", "message"),
    [
        ("cifar", 1, r"no data set called 'cifar'; there are: cifar10, digits, mnist"),
        ("mnist", 0, r"0 images asked of mnist/test, which holds 1 to 10000"),
        ("mnist", 10001, r"10001 images asked of mnist/test, which holds 1 to 10000"),
        ("digits", 360, r"360 images asked of digits/test, which holds 1 to 359"),
    ],
)
def test_what_does_not_exist_is_refused(name: str, n: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        datasets.load(name, "test", n)


def test_the_data_folder_is_the_platforms_cache_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_FOLDER, raising=False)
    assert "snncircuit" in str(data_folder())
    monkeypatch.setenv(DATA_FOLDER, "elsewhere")
    assert data_folder() == Path("elsewhere")


def test_each_fifth_digit_is_for_testing_and_every_other_for_training() -> None:
    train, test = datasets.load("digits", "train"), datasets.load("digits", "test")
    assert (len(train), len(test)) == (1438, 359)
    path = shipped.find("sample", "digits")
    with np.load(path, allow_pickle=False) as archive:
        pixels, labels = archive["images"], archive["labels"]
    for k in (0, 4, 9, 1794, 1796):
        split, index = (test, k // 5) if k % 5 == 4 else (train, k - k // 5)
        assert split.labels[index] == labels[k]
        np.testing.assert_array_equal(split.images[index, 0].numpy() * 16, pixels[k])
    assert torch.equal(datasets.load("digits", "test", 7).images, test.images[:7])
    for data in (train, test):
        assert data.images.shape[1:] == (1, 8, 8)
        assert (data.images.min(), data.images.max()) == (0, 1)
        assert set(data.labels.tolist()) == set(range(10))


def test_other_digits_than_those_that_ship_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models" / "samples"
    folder.mkdir(parents=True)
    np.savez(folder / "digits.npz", images=np.zeros((1797, 8, 8), np.uint8), labels=np.zeros(1797, np.uint8))
    monkeypatch.setattr(shipped, "root", lambda: tmp_path)
    with pytest.raises(
        DatasetError, match=r"digits\.npz: its images and labels have SHA-256 [0-9a-f]{64}, expected"
    ):
        datasets.load("digits", "train")
