"""A training that is not finished, on disk: weights and state of the optimiser after an epoch, in one safetensors file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from snncircuit.errors import NetworkError

MAX_BYTES = 4 << 30
"""Largest checkpoint that is read, bytes."""


def save(path: Path, key: str, epochs: int, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Write the state after so many epochs, whole or not at all.

    Args:
        path: of the file; its folder is made where there is none.
        key: what decides the training, as one hash.
        epochs: number of epochs behind the state.
        module: the network in training.
        optimiser: of its parameters.
    """
    tensors = {f"module/{name}": tensor.contiguous() for name, tensor in module.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{name}": tensor.contiguous() for name, tensor in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata={"key": key, "epochs": str(epochs)})
    os.replace(partial, path)


def restore(path: Path, key: str, module: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Put a saved state into module and optimiser; the number of epochs it has behind it.

    Raises:
        NetworkError: when the file is damaged, or belongs to another key.
    """
    try:
        size = path.stat().st_size if path.is_file() else 0
        if size > MAX_BYTES:
            msg = f"{path} has {size} bytes, more than the {MAX_BYTES} that a checkpoint may have; delete it to begin again"
            raise NetworkError(msg)
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a file, not a mapping
    except (OSError, SafetensorError) as error:
        msg = f"{path} cannot be read as a training checkpoint: {error}; delete it to begin again"
        raise NetworkError(msg) from error
    if facts.get("key") != key:
        msg = f"{path} is the checkpoint of another recipe, seed or data; delete it or name another file"
        raise NetworkError(msg)
    try:
        return _put(tensors, facts, module, optimiser)
    except (LookupError, ValueError, RuntimeError, AttributeError) as error:
        msg = (
            f"{path} does not fit its recipe: {' '.join(str(error).split())[:200]}; delete it to begin again"
        )
        raise NetworkError(msg) from error


def _put(
    tensors: Mapping[str, Tensor],
    facts: Mapping[str, str],
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> int:
    module.load_state_dict(
        {name.removeprefix("module/"): t for name, t in tensors.items() if name.startswith("module/")}
    )
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser/"):
            _, index, entry = name.split("/")
            state.setdefault(int(index), {})[entry] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return int(facts["epochs"])
