"""A network reads back as it was written, and a file that was not is refused by file and place."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import tomli_w
import torch
from hypothesis import given, settings
from torch import nn

from snncircuit.errors import ConversionError, NetworkError
from snncircuit.network import description as description_module
from snncircuit.network import files
from snncircuit.network.convert import calibrate, load_spiking
from snncircuit.network.description import NetworkDescription, Normalisation
from snncircuit.network.files import half_precision, load_network, network_files, save_network
from tests.network.nets import CLASSIFIER_SHAPE, autoencoder, classifier, images, modules

DESCRIPTION = NetworkDescription(
    name="small",
    task="classify",
    dataset="mnist",
    input_shape=CLASSIFIER_SHAPE,
    seed=3,
    score=0.75,
    recipe={"epochs": 2, "rate": 1e-3, "optimiser": "adam", "shuffled": True},
    normalisation=Normalisation(
        method="percentile", percentile=99.9, images=10, scales={"conv1": 0.1, "fc1": 2.5}
    ),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Stem of a saved classifier."""
    save_network(tmp_path / "small", classifier(), DESCRIPTION)
    return tmp_path / "small"


def rewrite(stem: Path, **changes: Any) -> None:
    """Change entries of the TOML; None takes one away."""
    toml, _ = network_files(stem)
    table = {**tomllib.loads(toml.read_text()), **changes}
    toml.write_text(tomli_w.dumps({key: value for key, value in table.items() if value is not None}))


@settings(max_examples=15)
@given(modules())
def test_any_network_reads_back(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[nn.Module, Any]
) -> None:
    module, shape = drawn
    stem = tmp_path_factory.mktemp("any") / "net"
    assert isinstance(module, nn.Sequential)
    save_network(stem, module, DESCRIPTION)
    loaded, _ = load_network(stem)
    pictures = images(2, shape)
    with torch.no_grad():
        assert torch.equal(loaded(pictures), half_precision(module)(pictures))


@pytest.mark.parametrize("name", ["small", "small.toml", "small.safetensors"])
@pytest.mark.parametrize("task", ["classify", "reconstruct"])
def test_the_description_reads_back_from_any_of_its_names(tmp_path: Path, name: str, task: Any) -> None:
    described = replace(DESCRIPTION, task=task)
    save_network(tmp_path / name, classifier(), described)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.safetensors", "small.toml"]
    assert load_network(tmp_path / name)[1] == described


def test_a_name_may_hold_a_dot(tmp_path: Path) -> None:
    save_network(tmp_path / "v1.2", classifier(), DESCRIPTION)
    assert (tmp_path / "v1.2.toml").is_file()
    load_network(tmp_path / "v1.2")


def test_matrices_are_stored_in_half_precision(saved: Path) -> None:
    tensors = safetensors.torch.load_file(network_files(saved)[1])
    assert {str(t.dtype) for t in tensors.values() if t.ndim > 1} == {"torch.float16"}
    assert {str(t.dtype) for t in tensors.values() if t.ndim == 1} == {"torch.float32"}


def test_a_network_with_its_normalisation_needs_no_data(tmp_path: Path) -> None:
    module = half_precision(classifier())
    scales = calibrate(module, images(20, CLASSIFIER_SHAPE))
    save_network(tmp_path / "net", module, replace(DESCRIPTION, normalisation=scales))
    network, described = load_spiking(tmp_path / "net")
    assert network.normalisation == described.normalisation == scales
    assert {layer.name: layer.scale for layer in network.layers} == scales.scales


def test_running_a_network_without_normalisation_is_refused(tmp_path: Path) -> None:
    save_network(tmp_path / "net", classifier(), replace(DESCRIPTION, normalisation=None))
    with pytest.raises(
        NetworkError, match=r"net\.toml: no \[normalisation\]; make one with the convert command"
    ):
        load_spiking(tmp_path / "net")


def test_scales_of_another_network_are_refused(saved: Path) -> None:
    with pytest.raises(
        ConversionError, match=r"scales of conv1, fc1; the module has conv1, conv2, gap1, fc1, fc2"
    ):
        load_spiking(saved)


LAYER = {"type": "Linear", "in_features": 2, "out_features": 2, "bias": True}
CONV = {
    "type": "Conv2d",
    "in_channels": 1,
    "out_channels": 1,
    "kernel_size": 3,
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": 1,
    "bias": True,
}
SCALES = {"method": "max", "percentile": 100.0, "images": 1, "scales": {"fc1": 1.0}}
BAD_ENTRIES: list[tuple[dict[str, Any], str]] = [
    ({"schema": 2}, "schema 2 is newer than 1, the newest that this snncircuit reads"),
    ({"schema": "1"}, "schema must be an integer from 1 to 1, found '1'"),
    ({"task": "guess"}, "task must be one of classify, reconstruct, found 'guess'"),
    (
        {"colour": "red"},
        "unknown keys ['colour'], missing keys []; it has accuracy, dataset, input_shape, layers, name",
    ),
    ({"seed": None}, "unknown keys [], missing keys ['seed']"),
    ({"mse": 0.1}, "unknown keys ['mse']"),
    ({"name": ""}, "name must be a non-empty string, found ''"),
    ({"dataset": 3}, "dataset must be a string, found 3"),
    (
        {"input_shape": [1, 28]},
        "input_shape must be three positive integers (channels, height, width), found [1, 28]",
    ),
    ({"input_shape": [1, 28, 1 << 40]}, "input_shape must be three positive integers"),
    ({"seed": 1.5}, "seed must be an integer, found 1.5"),
    ({"accuracy": "high"}, "accuracy must be a number >= 0, found 'high'"),
    ({"accuracy": float("nan")}, "accuracy must be a number >= 0, found nan"),
    ({"recipe": {"a": [1]}}, "recipe must be a table of strings, numbers and booleans"),
    ({"layers": []}, "layers must be a non-empty array of tables, found []"),
    ({"layers": [3]}, "layers[0] must be a table with a type, found 3"),
    (
        {"layers": [{"type": "MaxPool2d"}]},
        "layers[0].type is 'MaxPool2d'; supported: AdaptiveAvgPool2d, AvgPool2d, ",
    ),
    (
        {"layers": [{"type": "ReLU", "inplace": True}]},
        "layers[0] (ReLU): unknown keys ['inplace'], missing keys []; it takes no ",
    ),
    ({"layers": [{"type": "Sequential", "layers": [{"type": "X"}]}]}, "layers[0].layers[0].type is 'X'"),
    (
        {"layers": [{"type": "Sequential"}]},
        "layers[0] (Sequential): unknown keys [], missing keys ['layers']",
    ),
    ({"layers": [{"type": "ReLU"}] * 1001}, "layers goes beyond 1000 layers"),
    (
        {"layers": [{**LAYER, "in_features": 1 << 40}]},
        "layers[0].in_features of Linear must be an integer or two integers from 1",
    ),
    ({"layers": [{**LAYER, "bias": 1}]}, "layers[0].bias of Linear must be true or false, found 1"),
    (
        {"layers": [{**CONV, "padding": "twice"}]},
        "layers[0].padding of Conv2d must be an integer, two integers, 'same' or ",
    ),
    ({"layers": [{**CONV, "groups": 2}]}, "layers[0] is no Conv2d that torch can build: "),
    (
        {"layers": [{"type": "Dropout", "p": 2}]},
        "layers[0].p of Dropout must be a number from 0 to 1, found 2",
    ),
    ({"layers": [LAYER]}, "unknown tensors ['1.bias', "),
    (
        {"normalisation": {**SCALES, "extra": 1}},
        "normalisation must be a table of images, method, percentile, scales",
    ),
    (
        {"normalisation": {**SCALES, "method": "mean"}},
        "normalisation.method must be 'max' or 'percentile', found 'mean'",
    ),
    (
        {"normalisation": {**SCALES, "percentile": 0}},
        "normalisation.percentile must be a number above 0 and at most 100",
    ),
    ({"normalisation": {**SCALES, "images": 0}}, "normalisation.images must be a positive integer, found 0"),
    (
        {"normalisation": {**SCALES, "scales": {"fc1": 0.0}}},
        "normalisation.scales must be a table of positive numbers",
    ),
]


@pytest.mark.parametrize(("changes", "text"), BAD_ENTRIES, ids=[text[:40] for _, text in BAD_ENTRIES])
def test_a_bad_description_is_refused_by_file_and_place(
    saved: Path, changes: dict[str, Any], text: str
) -> None:
    rewrite(saved, **changes)
    with pytest.raises(NetworkError) as caught:
        load_network(saved)
    assert text in str(caught.value)
    assert str(caught.value).startswith(str(saved))


def test_a_missing_network_is_refused_with_those_that_exist(saved: Path) -> None:
    with pytest.raises(NetworkError, match=r"large\.toml: no such file; networks in .*: small"):
        load_network(saved.parent / "large")
    with pytest.raises(NetworkError, match=r"no such file; networks in .*nowhere: none"):
        load_network(saved.parent / "nowhere" / "large")


def test_a_description_that_is_no_toml_is_refused(saved: Path) -> None:
    network_files(saved)[0].write_bytes(b"schema = ")
    with pytest.raises(NetworkError, match=r"small\.toml: not a TOML file: Invalid value"):
        load_network(saved)
    network_files(saved)[0].write_bytes(b"\xff")
    with pytest.raises(NetworkError, match=r"small\.toml: not a TOML file: 'utf-8' codec"):
        load_network(saved)


@pytest.mark.parametrize("keep", [0, 5, 100, -10])
def test_truncated_weights_are_refused(saved: Path, keep: int) -> None:
    weights = network_files(saved)[1]
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(
        NetworkError, match=r"small\.safetensors: not a safetensors file, or a truncated one: "
    ):
        load_network(saved)


def test_oversized_files_are_not_read(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_WEIGHTS", 100)
    with pytest.raises(
        NetworkError, match=r"small\.safetensors: \d+ bytes, more than the 100 that a network may have"
    ):
        load_network(saved)


def test_tensors_that_do_not_fit_are_refused(saved: Path) -> None:
    _, weights = network_files(saved)
    tensors = safetensors.torch.load_file(weights)
    weights.write_bytes(safetensors.torch.save({**tensors, "0.bias": torch.zeros(5)}))
    with pytest.raises(
        NetworkError, match=r"small\.safetensors: 0\.bias has shape \(5,\); small\.toml needs \(4,\)"
    ):
        load_network(saved)
    for bad in (torch.full((4,), torch.nan), torch.zeros(4, dtype=torch.int64)):
        weights.write_bytes(safetensors.torch.save({**tensors, "0.bias": bad}))
        with pytest.raises(NetworkError, match=rf"0\.bias must hold finite floats, found {bad.dtype}"):
            load_network(saved)
    weights.write_bytes(safetensors.torch.save({"strange": torch.zeros(1)}))
    with pytest.raises(NetworkError, match=r"unknown tensors \['strange'\], missing tensors \['0\.bias', "):
        load_network(saved)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (
            nn.Sequential(nn.Sequential(nn.MaxPool2d(2))),
            "cannot save MaxPool2d at '0.0'; a network file holds: Adaptive",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 1, 3, padding_mode="reflect")),
            "settings kept: in_channels, out_channels, kernel_size, ",
        ),
        (
            nn.Sequential(nn.ReLU(inplace=True)),
            "cannot save ReLU(inplace=True) at '0': settings kept: none; all others must be",
        ),
    ],
)
def test_a_layer_that_a_file_cannot_hold_is_not_saved(
    tmp_path: Path, module: nn.Sequential, text: str
) -> None:
    with pytest.raises(NetworkError, match=re.escape(text)):
        save_network(tmp_path / "net", module, DESCRIPTION)
    assert list(tmp_path.iterdir()) == []


def test_weights_too_large_for_half_precision_are_not_saved(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(2, 2))
    nn.init.constant_(module[0].weight, 1e6)
    with pytest.raises(
        NetworkError, match=r"net\.safetensors: 0\.weight has values that are not finite as torch\.float16"
    ):
        save_network(tmp_path / "net", module, DESCRIPTION)


def test_what_is_saved_can_be_loaded_or_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"net\.toml: name must be a non-empty string"):
        save_network(tmp_path / "net", autoencoder(), replace(DESCRIPTION, name=""))
    assert list(tmp_path.iterdir()) == []


def test_the_schema_is_the_one_that_this_test_knows() -> None:
    assert description_module.SCHEMA == 1
