"""Trained networks on disk: NAME.safetensors (weights) beside NAME.toml (the rest); never through pickle."""

from __future__ import annotations

import contextlib
import copy
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import tomli_w
import torch
from torch import Tensor, nn

from snncircuit.errors import NetworkError
from snncircuit.network.description import NetworkDescription, Normalisation, from_toml, to_toml

MAX_DESCRIPTION = 1 << 20
"""Largest NAME.toml that is read, bytes."""
MAX_WEIGHTS = 1 << 30
"""Largest NAME.safetensors that is read, bytes."""

__all__ = [
    "NetworkDescription",
    "Normalisation",
    "half_precision",
    "load_network",
    "network_files",
    "save_network",
]

_TRACKED = "num_batches_tracked"


def half_precision(module: nn.Sequential) -> nn.Sequential:
    """A float32 copy in eval mode with the weights as a file gives them back: matrices rounded to half."""
    rounded = copy.deepcopy(module).eval()
    rounded.load_state_dict({name: value.float() for name, value in _stored(rounded).items()}, strict=False)
    return rounded


def save_network(path: Path | str, module: nn.Sequential, description: NetworkDescription) -> None:
    """Write ``path``.safetensors and .toml; kernels and matrices in half precision, vectors in single.

    Args:
        path: the two files' common stem, with or without one of the two suffixes.
        module: nested ``nn.Sequential`` of the layers of ``architecture.ARGUMENTS``.
        description: what to write beside the weights.

    Raises:
        NetworkError: an unsupported layer, a weight that half precision cannot hold, or a file that cannot be written.
    """
    toml, weights = network_files(path)
    stored = _stored(module)
    for name, value in stored.items():
        if not bool(torch.isfinite(value).all()):
            msg = f"cannot save {weights.name}: {name} has values that are not finite as {value.dtype}"
            raise NetworkError(msg)
    text = tomli_w.dumps(to_toml(module, description))
    from_toml(tomllib.loads(text), toml.name)  # whatever is written can be read
    weights.parent.mkdir(parents=True, exist_ok=True)
    _replace(weights, safetensors.torch.save(stored))
    _replace(toml, text.encode())


def load_network(path: Path | str) -> tuple[nn.Sequential, NetworkDescription]:
    """The network of ``path``.safetensors and ``path``.toml, in float32 and eval mode.

    Nothing is allocated before the tensors of the file agree with the architecture by name and shape.

    Raises:
        NetworkError: a missing, damaged, oversized or newer file, an unknown key, a tensor that does not fit.
    """
    toml, weights = network_files(path)
    try:
        table = tomllib.loads(_bytes(toml, MAX_DESCRIPTION).decode())
    except ValueError as error:  # a number of too many digits is one too
        msg = f"{toml}: not a TOML file: {error}"
        raise NetworkError(msg) from error
    except RecursionError as error:
        msg = f"{toml}: nested too deeply for the description of a network"
        raise NetworkError(msg) from error
    module, description = from_toml(table, str(toml))
    try:
        tensors = safetensors.torch.load(_bytes(weights, MAX_WEIGHTS))
    except safetensors.SafetensorError as error:
        msg = f"{weights}: not a safetensors file, or a truncated one: {error}"
        raise NetworkError(msg) from error
    _check_tensors(module, tensors, weights, toml)
    module = module.to_empty(device="cpu")
    for name, buffer in module.named_buffers():
        if name.endswith(_TRACKED):
            buffer.zero_()
    module.load_state_dict({name: value.float() for name, value in tensors.items()}, strict=False)
    return module.eval(), description


def network_files(path: Path | str) -> tuple[Path, Path]:
    """The TOML and the safetensors file of a network, from their stem or from either."""
    path = Path(path)
    stem = path.with_suffix("") if path.suffix in (".toml", ".safetensors") else path
    return stem.with_name(stem.name + ".toml"), stem.with_name(stem.name + ".safetensors")


def _stored(module: nn.Module) -> dict[str, Tensor]:
    state = {
        name: value.detach().cpu()
        for name, value in module.state_dict().items()
        if not name.endswith(_TRACKED)
    }
    return {
        name: (value.half() if value.ndim > 1 else value.float()).contiguous()
        for name, value in state.items()
    }


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        msg = f"cannot write {path}: {error.strerror or error}"
        raise NetworkError(msg) from error


def _bytes(path: Path, limit: int) -> bytes:
    if not path.is_file():
        there = sorted({found.stem for found in path.parent.glob("*.toml")}) if path.parent.is_dir() else []
        msg = f"{path}: no such file; networks in {path.parent}: {', '.join(there) or 'none'}"
        raise NetworkError(msg)
    size = path.stat().st_size
    if size > limit:
        msg = f"{path}: {size} bytes, more than the {limit} that a network may have"
        raise NetworkError(msg)
    return path.read_bytes()


def _check_tensors(module: nn.Module, tensors: Mapping[str, Tensor], weights: Path, toml: Path) -> None:
    expected = {
        name: tuple(value.shape) for name, value in module.state_dict().items() if not name.endswith(_TRACKED)
    }
    unknown, missing = sorted(tensors.keys() - expected.keys()), sorted(expected.keys() - tensors.keys())
    if unknown or missing:
        need = ", ".join(sorted(expected)) or "none"
        msg = f"{weights}: unknown tensors {unknown}, missing tensors {missing}; {toml.name} needs {need}"
        raise NetworkError(msg)
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != expected[name]:
            msg = f"{weights}: {name} has shape {tuple(tensor.shape)}; {toml.name} needs {expected[name]}"
            raise NetworkError(msg)
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            msg = f"{weights}: {name} must hold finite floats, found {tensor.dtype}, not all finite"
            raise NetworkError(msg)
