"""A network at every negative supply: circuit neurons, and ideal neurons with the same bound beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.network import fingerprints
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.run import Run, Setting
from snncircuit.network.simulate import MAX_OUT_OF_RANGE, simulate
from snncircuit.neuron.ideal import IdealNeuron
from snncircuit.neuron.step import Neuron
from snncircuit.study.store import PointStore
from snncircuit.study.sweep_dataset import CIRCUIT, IDEAL, assemble, save_sweep

DATASET = "sweep.nc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A neuron at one negative supply.

    Attributes:
        neuron: of every layer.
        v_lb: the same supply in thresholds, v_neg / threshold, <= 0: the bound of the ideal neuron beside it.
        rails: lowest and highest membrane that the supplies allow, thresholds, for the head-room.
    """

    neuron: Neuron
    v_lb: float
    rails: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepProgress:
    """Where a sweep stands: image `images` of `of` in run `run` of `runs`; `reused` runs were found on disk."""

    run: int
    runs: int
    reused: int
    images: int
    of: int
    neuron: str
    v_neg: float


def sweep(
    network: SpikingNetwork,
    operate: Callable[[float], Operation],
    v_negs: Sequence[float],
    images: Float[Tensor, "n c h w"],
    targets: Int[Tensor, " n"] | Float[Tensor, "n ..."],
    *,
    steps: int,
    path: Path,
    settings: Mapping[str, Setting],
    encoder: str = "constant",
    engine: str = "auto",
    seed: int = 0,
    batch: int | None = None,
    exit_margin: int | None = None,
    max_out_of_range: float | None = MAX_OUT_OF_RANGE,
    progress: Callable[[SweepProgress], None] | None = None,
) -> xr.Dataset:
    """Run a network at each negative supply, with circuit and with ideal neurons.

    Every finished run is kept in the folder `path`, so a sweep that was killed goes on where it was, and one that asks for more supplies
    only runs the new ones. The result also stands there as ``sweep.nc``.

    Args:
        network: from ``convert`` or ``load_spiking``.
        operate: the neuron at a supply; called only for what is not yet on disk.
        v_negs: V, <= 0.
        images: pixels in [0, 1].
        targets: labels, or images to be reproduced.
        steps: number of network steps.
        path: folder of the sweep.
        settings: what the neuron depends on besides the supply (name, hash of its table, corner, pump_efficiency, …); kept with the result.
        encoder: as for ``simulate``.
        engine: as for ``simulate``; all give the same, so it does not count as a setting.
        seed: of the Poisson encoder.
        batch: images at a time; without influence on the result.
        exit_margin: as for ``simulate``.
        max_out_of_range: refuse runs that leave the measured range more often; None allows any.
        progress: told of each batch of images.

    Returns:
        See ``snncircuit.study.sweep_dataset``.

    Raises:
        SimulationError: no supply, a positive or repeated one, a folder of other settings, or a run that ``simulate`` refuses.
    """
    wanted = _supplies(v_negs)
    facts: dict[str, Setting] = {
        **settings,
        "network": network.name,
        "network_sha256": fingerprints.of_network(network),
        "images": len(images),
        "images_sha256": fingerprints.of_tensors(images, targets),
        "steps": steps,
        "encoder": encoder,
        "exit_margin": exit_margin,
        "seed": seed,
    }
    store = PointStore.open(path, facts)
    points: dict[tuple[str, float], dict[str, Any]] = {}
    names = [(kind, v_neg) for v_neg in wanted for kind in (CIRCUIT, IDEAL)]
    for key in names:
        found = store.get(_name(*key))
        if found is not None:
            points[key] = found
    reused = len(points)
    for number, (kind, v_neg) in enumerate(names):
        if (kind, v_neg) in points:
            continue

        def tell(done: int, of: int, number: int = number, kind: str = kind, v_neg: float = v_neg) -> None:
            if progress is not None:
                progress(
                    SweepProgress(
                        run=number,
                        runs=len(names),
                        reused=reused,
                        images=done,
                        of=of,
                        neuron=kind,
                        v_neg=v_neg,
                    )
                )

        operation = operate(v_neg)
        run = simulate(
            network,
            operation.neuron if kind == CIRCUIT else IdealNeuron(v_lb=operation.v_lb),
            images,
            targets,
            steps=steps,
            encoder=encoder,
            engine=engine,
            batch=batch,
            exit_margin=exit_margin,
            seed=seed,
            max_out_of_range=max_out_of_range,
            rails=operation.rails if kind == CIRCUIT else None,
            settings={**settings, "kind": kind, "v_neg": v_neg, "v_lb": operation.v_lb},
            progress=tell,
        )
        points[kind, v_neg] = _point(run, v_neg, operation.v_lb)
        store.put(_name(kind, v_neg), points[kind, v_neg])
    dataset = assemble(points, facts)
    save_sweep(dataset, path / DATASET)
    return dataset


def _supplies(v_negs: Sequence[float]) -> list[float]:
    # Supplies that differ by less than a microvolt are one; -0.0 is 0.
    rounded = [round(float(v), 6) + 0.0 for v in v_negs]
    if not rounded or max(rounded) > 0 or len(set(rounded)) < len(rounded):
        msg = f"negative supplies {list(v_negs)}: expected one or more different voltages <= 0"
        raise SimulationError(msg)
    return sorted(rounded, reverse=True)


def _name(kind: str, v_neg: float) -> str:
    return f"{kind} {v_neg:.6f} V"


def _point(run: Run, v_neg: float, v_lb: float) -> dict[str, Any]:
    by_supply: dict[str, dict[str, float]] = {}
    for _, supply, term, joule in run.energies():
        terms = by_supply.setdefault(supply, {})
        terms[term] = terms.get(term, 0.0) + joule
    # Without the speed, so that the same sweep gives the same bytes, resumed or not.
    facts = {key: value for key, value in run.to_json().items() if key != "image_steps_per_second"}
    return {"v_neg": v_neg, "v_lb": v_lb, **facts, "energy_by_supply": by_supply}
