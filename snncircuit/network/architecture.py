"""Network architectures as plain tables: nn.Sequential to a list of dicts and back, from an allow-list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from snncircuit.errors import NetworkError

MAX_LAYERS = 1000
MAX_SIZE = 1 << 20
"""Largest integer argument that a layer may have; keeps a hostile file from describing an absurd network."""

_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
ARGUMENTS: Mapping[type[nn.Module], tuple[str, ...]] = {
    nn.Conv2d: _CONV,
    nn.ConvTranspose2d: (*_CONV, "output_padding"),
    nn.Linear: ("in_features", "out_features", "bias"),
    nn.BatchNorm1d: ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    nn.BatchNorm2d: ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    nn.ReLU: (),
    nn.AvgPool2d: ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"),
    nn.AdaptiveAvgPool2d: ("output_size",),
    nn.Flatten: (),
    nn.Dropout: ("p",),
}
"""The layers that a network file may hold, and what each is made of."""

_TYPES: Mapping[str, type[nn.Module]] = {layer.__name__: layer for layer in ARGUMENTS}
_NUMBERS = ("eps", "momentum", "p")
_SWITCHES = ("bias", "affine", "track_running_stats", "ceil_mode", "count_include_pad")

Table = dict[str, Any]


def describe_layers(module: nn.Sequential, path: str = "") -> list[Table]:
    """The tables of a (nested) ``nn.Sequential``: type and arguments of each layer, in order.

    Raises:
        NetworkError: a layer that is not on the allow-list, or with settings that its table cannot say.
    """
    return [_describe(layer, f"{path}{name}") for name, layer in module.named_children()]


def build_layers(tables: object, where: str) -> nn.Sequential:
    """The ``nn.Sequential`` that tables describe; its parameters are on torch's current default device.

    Args:
        tables: what a file holds under ``layers``.
        where: the file, for messages.

    Raises:
        NetworkError: unknown type, unknown, missing or bad argument, naming file and place.
    """
    return _build_sequence(tables, where, "layers", budget=[MAX_LAYERS])


def _describe(layer: nn.Module, path: str) -> Table:
    if type(layer) is nn.Sequential:
        return {"type": "Sequential", "layers": describe_layers(layer, f"{path}.")}
    names = ARGUMENTS.get(type(layer))
    if names is None:
        msg = f"cannot save {type(layer).__name__} at {path!r}; a network file holds: {_supported()}"
        raise NetworkError(msg)
    table = {"type": type(layer).__name__, **{name: _plain(name, getattr(layer, name)) for name in names}}
    with torch.device("meta"):
        rebuilt = _make(type(layer), {name: table[name] for name in names})
    if repr(rebuilt) != repr(layer):
        kept = ", ".join(names) or "none"
        msg = f"cannot save {layer} at {path!r}: settings kept: {kept}; all others must be torch's defaults"
        raise NetworkError(msg)
    return table


def _plain(name: str, value: Any) -> Any:
    if name == "bias":
        return value is not None
    return list(value) if isinstance(value, tuple) else value


def _build_sequence(tables: object, where: str, place: str, budget: list[int]) -> nn.Sequential:
    if not isinstance(tables, list) or not tables:
        msg = f"{where}: {place} must be a non-empty array of tables, found {tables!r:.80}"
        raise NetworkError(msg)
    budget[0] -= len(tables)
    if budget[0] < 0:
        msg = f"{where}: {place} goes beyond {MAX_LAYERS} layers, the most a network file may hold"
        raise NetworkError(msg)
    return nn.Sequential(
        *(_build(table, where, f"{place}[{index}]", budget) for index, table in enumerate(tables))
    )


def _build(table: object, where: str, place: str, budget: list[int]) -> nn.Module:
    if not isinstance(table, dict) or not isinstance(table.get("type"), str):
        msg = f"{where}: {place} must be a table with a type, found {table!r:.80}"
        raise NetworkError(msg)
    kind = table["type"]
    given = {name: value for name, value in table.items() if name != "type"}
    if kind == "Sequential":
        _same_keys(given, ("layers",), where, place, kind)
        return _build_sequence(given["layers"], where, f"{place}.layers", budget)
    layer = _TYPES.get(kind)
    if layer is None:
        msg = f"{where}: {place}.type is {kind!r}; supported: {_supported()}"
        raise NetworkError(msg)
    _same_keys(given, ARGUMENTS[layer], where, place, kind)
    for name, value in given.items():
        expected, good = _rule(name)
        if not good(value):
            msg = f"{where}: {place}.{name} of {kind} must be {expected}, found {value!r:.80}"
            raise NetworkError(msg)
    try:
        return _make(layer, given)
    except (TypeError, ValueError, RuntimeError) as error:
        msg = f"{where}: {place} is no {kind} that torch can build: {error}"
        raise NetworkError(msg) from error


def _same_keys(given: Mapping[str, object], names: Sequence[str], where: str, place: str, kind: str) -> None:
    unknown, missing = sorted(given.keys() - set(names)), sorted(set(names) - given.keys())
    if unknown or missing:
        takes = ", ".join(sorted(names)) or "no arguments"
        msg = f"{where}: {place} ({kind}): unknown keys {unknown}, missing keys {missing}; it takes {takes}"
        raise NetworkError(msg)


def _make(layer: type[nn.Module], arguments: Mapping[str, Any]) -> nn.Module:
    return layer(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}
    )


def _rule(name: str) -> tuple[str, Callable[[object], bool]]:
    if name in _NUMBERS:
        return "a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1
    if name in _SWITCHES:
        return "true or false", lambda value: isinstance(value, bool)
    if name == "padding":
        return (
            "an integer, two integers, 'same' or 'valid'",
            lambda value: _sizes(value, 0) or value in ("same", "valid"),
        )
    smallest = 0 if name == "output_padding" else 1
    return f"an integer or two integers from {smallest} to {MAX_SIZE}", lambda value: _sizes(value, smallest)


def _sizes(value: object, smallest: int) -> bool:
    values = value if isinstance(value, list) and len(value) == 2 else [value]
    return all(type(entry) is int and smallest <= entry <= MAX_SIZE for entry in values)


def _supported() -> str:
    return ", ".join(sorted([*_TYPES, "Sequential"]))
