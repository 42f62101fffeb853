"""A workload as a file, so that every peer in its own process runs the very same numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from workload import Workload

from snncircuit.network import layers as operators
from snncircuit.network.layers import Flatten, Pool, Weighted


@dataclass(frozen=True, slots=True, kw_only=True)
class NetLayer:
    """Synapses as a peer has them: one weight of either sign for each pair of devices; attributes as in ``Synapses``."""

    before: Sequence[Pool | Flatten]
    operator: Weighted
    after: Sequence[Pool | Flatten]
    weight: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What a peer needs.

    Attributes:
        current: net charge that the first layer receives in each step, thresholds, shape (n, ...).
        layers: synapses of the layers behind the first.
        steps: network steps of each image.
        grid: every charge is a multiple of it, thresholds.
    """

    current: Tensor
    layers: Sequence[NetLayer]
    steps: int
    grid: float


def write(work: Workload, path: Path) -> None:
    """Write what peers need of a workload without biases."""
    first, *behind = work.network.layers
    q_exc, q_inh = first.current(work.images)
    tensors = {"current": (q_exc - q_inh).contiguous()}
    tensors |= {layer.name: (layer.weight_exc - layer.weight_inh).contiguous() for layer in behind}
    described = {
        layer.name: [
            [_describe(o) for o in group] for group in (layer.before, (layer.operator,), layer.after)
        ]
        for layer in behind
    }
    held = {
        "layers": described,
        "steps": work.steps,
        "grid": min(layer.grid for layer in work.network.layers),
    }
    save_file(tensors, path, metadata={"held": json.dumps(held)})


def read(path: Path) -> Handover:
    """What was written."""
    with safe_open(path, framework="pt") as file:
        held = json.loads(file.metadata()["held"])
        made = {
            name: [[_make(o) for o in group] for group in groups] for name, groups in held["layers"].items()
        }
        return Handover(
            current=file.get_tensor("current"),
            layers=[
                NetLayer(before=before, operator=operator, after=after, weight=file.get_tensor(name))
                for name, (before, (operator,), after) in made.items()
            ],
            steps=held["steps"],
            grid=held["grid"],
        )


def _describe(operator: Any) -> dict[str, Any]:
    return {"type": type(operator).__name__, **asdict(operator)}


def _make(described: dict[str, Any]) -> Any:
    settings = {key: tuple(v) if isinstance(v, list) else v for key, v in described.items() if key != "type"}
    return getattr(operators, described["type"])(**settings)
