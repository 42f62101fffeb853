"""What is known of a trained network beside its weights, to and from the table of a NAME.toml."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from snncircuit.errors import NetworkError
from snncircuit.network.architecture import build_layers, describe_layers

SCHEMA = 1

_SCORE = {"classify": "accuracy", "reconstruct": "mse"}
_KEYS = ("schema", "name", "task", "dataset", "input_shape", "seed", "layers", "recipe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """The activation that each layer's full rate stands for.

    Attributes:
        method: ``max`` or ``percentile``.
        percentile: which percentile of the positive activations; 100 for ``max``.
        images: number of calibration images.
        scales: layer name to the activation λ that one spike in every step stands for, > 0.
    """

    method: str
    percentile: float
    images: int
    scales: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDescription:
    """What is known of a trained network beside its weights.

    Attributes:
        name: its name, which is also the stem of its files.
        task: ``classify`` (targets are labels) or ``reconstruct`` (targets are images).
        dataset: the data set that it was trained on, such as ``mnist``.
        input_shape: channels, height, width of an image; pixels are in [0, 1].
        seed: seed of the training.
        score: accuracy (0 to 1) or mean squared error on all test images, with the weights as on disk.
        recipe: how it was trained, plain values.
        normalisation: what conversion needs, so that running needs no training data; None until calibrated.
    """

    name: str
    task: Literal["classify", "reconstruct"]
    dataset: str
    input_shape: tuple[int, int, int]
    seed: int
    score: float
    recipe: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    normalisation: Normalisation | None = None


def to_toml(module: nn.Sequential, description: NetworkDescription) -> dict[str, Any]:
    """The table of a NAME.toml.

    Raises:
        NetworkError: a layer that a network file cannot hold.
    """
    table: dict[str, Any] = {
        "schema": SCHEMA,
        "name": description.name,
        "task": description.task,
        "dataset": description.dataset,
        "input_shape": list(description.input_shape),
        "seed": description.seed,
        _SCORE[description.task]: description.score,
        "recipe": dict(description.recipe),
        "layers": describe_layers(module),
    }
    scaling = description.normalisation
    if scaling is not None:
        table["normalisation"] = {
            "method": scaling.method,
            "percentile": scaling.percentile,
            "images": scaling.images,
            "scales": dict(scaling.scales),
        }
    return table


def from_toml(table: dict[str, Any], where: str) -> tuple[nn.Sequential, NetworkDescription]:
    """The network without its weights (parameters on the meta device) and its description.

    Args:
        table: what the file holds.
        where: the file, for messages.

    Raises:
        NetworkError: a newer schema, an unknown, missing or bad entry, naming file and place.
    """
    schema = table.get("schema")
    if type(schema) is not int or schema < 1:
        msg = f"{where}: schema must be an integer from 1 to {SCHEMA}, found {schema!r:.80}"
        raise NetworkError(msg)
    if schema > SCHEMA:
        msg = f"{where}: schema {schema} is newer than {SCHEMA}, the newest that this snncircuit reads"
        raise NetworkError(msg)
    task = table.get("task")
    if task not in _SCORE:
        msg = f"{where}: task must be one of {', '.join(_SCORE)}, found {task!r:.80}"
        raise NetworkError(msg)
    names = (*_KEYS, _SCORE[task])
    unknown, missing = sorted(table.keys() - {*names, "normalisation"}), sorted(set(names) - table.keys())
    if unknown or missing:
        has = ", ".join(sorted(names))
        msg = f"{where}: unknown keys {unknown}, missing keys {missing}; it has {has}, may have normalisation"
        raise NetworkError(msg)
    _expect(
        where,
        "name",
        table["name"],
        "a non-empty string",
        isinstance(table["name"], str) and bool(table["name"]),
    )
    _expect(where, "dataset", table["dataset"], "a string", isinstance(table["dataset"], str))
    shape = table["input_shape"]
    good = (
        isinstance(shape, list)
        and len(shape) == 3
        and all(type(size) is int and 0 < size <= 1 << 16 for size in shape)
    )
    _expect(where, "input_shape", shape, "three positive integers (channels, height, width)", good)
    _expect(where, "seed", table["seed"], "an integer", type(table["seed"]) is int)
    score = table[_SCORE[task]]
    _expect(where, _SCORE[task], score, "a number >= 0", _is_number(score) and score >= 0)
    recipe = table["recipe"]
    good = isinstance(recipe, dict) and all(
        isinstance(value, str | int | float | bool) for value in recipe.values()
    )
    _expect(where, "recipe", recipe, "a table of strings, numbers and booleans", good)
    with torch.device("meta"):
        module = build_layers(table["layers"], where)
    description = NetworkDescription(
        name=table["name"],
        task=task,
        dataset=table["dataset"],
        input_shape=(shape[0], shape[1], shape[2]),
        seed=table["seed"],
        score=float(score),
        recipe=recipe,
        normalisation=_read_normalisation(table["normalisation"], where)
        if "normalisation" in table
        else None,
    )
    return module, description


def _read_normalisation(table: object, where: str) -> Normalisation:
    keys = {"method", "percentile", "images", "scales"}
    good = isinstance(table, dict) and table.keys() == keys
    _expect(where, "normalisation", table, f"a table of {', '.join(sorted(keys))}", good)
    assert isinstance(table, dict)
    method, percentile, images, scales = (
        table["method"],
        table["percentile"],
        table["images"],
        table["scales"],
    )
    _expect(where, "normalisation.method", method, "'max' or 'percentile'", method in ("max", "percentile"))
    good = _is_number(percentile) and 0 < percentile <= 100
    _expect(where, "normalisation.percentile", percentile, "a number above 0 and at most 100", good)
    _expect(where, "normalisation.images", images, "a positive integer", type(images) is int and images > 0)
    good = isinstance(scales, dict) and all(_is_number(value) and value > 0 for value in scales.values())
    _expect(where, "normalisation.scales", scales, "a table of positive numbers", good)
    return Normalisation(
        method=method,
        percentile=float(percentile),
        images=images,
        scales={name: float(value) for name, value in scales.items()},
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _expect(where: str, place: str, value: object, expected: str, good: bool) -> None:
    if not good:
        msg = f"{where}: {place} must be {expected}, found {value!r:.80}"
        raise NetworkError(msg)
