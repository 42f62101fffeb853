"""How many chips meet a specification: a network run again and again, each time with other mismatched neurons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.network import fingerprints
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.populations import Neurons
from snncircuit.network.run import Run, Setting
from snncircuit.network.simulate import MAX_OUT_OF_RANGE, simulate
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.study.chips import chip, sigmas, unmeasured
from snncircuit.study.specification import Distribution, Specification, wilson
from snncircuit.study.store import PointStore

NOMINAL = "nominal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """What chips of one network are worth.

    Attributes:
        score: ``accuracy`` or ``mse``.
        scores: of the chips, and of the network without mismatch.
        energy: J per inference.
        sigma: of each measured parameter, with the scale in it.
        specification: or None.
        met: chips that meet it; all of them without one.
        settings: what decides the chips and their figures.
    """

    score: str
    scores: Distribution
    energy: Distribution
    sigma: Mapping[str, float]
    specification: Specification | None
    met: int
    settings: Mapping[str, Setting]

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints; ``yield`` is null without a specification."""
        draws = len(self.scores.values)
        asked = self.specification is not None
        return {
            **self.settings,
            "draws": draws,
            "spec": str(self.specification) if asked else None,
            "yield": self.met / draws if asked else None,
            "yield_ci": list(wilson(self.met, draws)) if asked else None,
            "score": self.score,
            self.score: asdict(self.scores),
            "energy": asdict(self.energy),
            "sigma": dict(self.sigma),
        }


def run_chips(
    network: SpikingNetwork,
    nominal: CircuitNeuron,
    images: Float[Tensor, "n c h w"],
    targets: Int[Tensor, " n"] | Float[Tensor, "n ..."],
    *,
    draws: int,
    steps: int,
    path: Path,
    settings: Mapping[str, Setting],
    specification: Specification | None = None,
    seed: int = 0,
    scale: float = 1.0,
    encoder: str = "constant",
    engine: str = "auto",
    batch: int | None = None,
    max_out_of_range: float | None = MAX_OUT_OF_RANGE,
    progress: Callable[[int, int], None] | None = None,
) -> Yield:
    """Run a network on ``draws`` chips and once without mismatch, all on the same images.

    Every finished chip is kept in the folder ``path``: a killed command goes on where it was, and one that asks for more chips only
    runs the new ones, since chip k is the same however many there are.

    Args:
        network: from ``convert`` or ``load_spiking``.
        nominal: the neuron, of a table with measured variation.
        images: pixels in [0, 1].
        targets: labels, or images to be reproduced.
        draws: number of chips, >= 1.
        steps: number of network steps.
        path: folder of the chips.
        settings: what the neuron depends on (name, hash of its table, supplies, …); kept with the chips.
        specification: what a chip must reach.
        seed: of the chips.
        scale: multiplies the measured deviations.
        encoder: as for ``simulate``; a Poisson encoder has the same seed for all chips.
        engine: as for ``simulate``; all give the same, so it does not count as a setting.
        batch: images at a time; without influence on the result.
        max_out_of_range: refuse a chip that leaves the measured range more often; None allows any.
        progress: told of each finished chip and of all.

    Raises:
        SimulationError: no variation in the table, no chip asked for, a specification of a figure that this network has not, a
            folder of other settings, or a run that ``simulate`` refuses.
    """
    if nominal.table.variation is None:
        raise SimulationError(unmeasured(nominal.table))
    if draws < 1:
        msg = f"{draws} chips: expected 1 or more"
        raise SimulationError(msg)
    score = "mse" if targets.is_floating_point() else "accuracy"
    if specification is not None and specification.figure not in (score, "energy"):
        msg = (
            f"specification {specification}: {network.name} has {score} and energy, no {specification.figure}"
        )
        raise SimulationError(msg)
    facts: dict[str, Setting] = {
        **settings,
        "network": network.name,
        "network_sha256": fingerprints.of_network(network),
        "images": len(images),
        "images_sha256": fingerprints.of_tensors(images, targets),
        "variation_sha256": fingerprints.of_array(nominal.table.variation),
        "steps": steps,
        "encoder": encoder,
        "seed": seed,
        "scale": scale,
    }
    store = PointStore.open(path, {**facts, "study": "yield"}, "yield")

    def point(name: str, neurons: Callable[[], Neurons]) -> dict[str, Any]:
        found = store.get(name)
        if found is None:
            run = simulate(
                network,
                neurons(),
                images,
                targets,
                steps=steps,
                encoder=encoder,
                engine=engine,
                batch=batch,
                seed=seed,
                max_out_of_range=max_out_of_range,
            )
            found = _figures(run)
            store.put(name, found)
        return found

    plain = point(NOMINAL, lambda: nominal)
    chips = []
    for number in range(draws):
        chips.append(
            point(
                f"chip {number:05d}",
                lambda number=number: chip(network, nominal, seed=seed, number=number, scale=scale),  # type: ignore[misc]
            )
        )
        if progress is not None:
            progress(number + 1, draws)
    return Yield(
        score=score,
        scores=Distribution.of([c[score] for c in chips], plain[score]),
        energy=Distribution.of([c["energy"] for c in chips], plain["energy"]),
        sigma=sigmas(nominal.table, scale),
        specification=specification,
        met=sum(specification is None or specification.met(c) for c in chips),
        settings=facts,
    )


def _figures(run: Run) -> dict[str, Any]:
    """What is kept of a chip; nothing that differs from one time to the next."""
    found = run.to_json()
    energies = {layer: sum(supplies.values()) for layer, supplies in run.energy_by_layer.items()}
    return {
        run.score: run.by_step[-1],
        "energy": run.energy,
        "energy_by_layer": energies,
        "spikes": found["spikes"],
        "clipped_charge": found["clipped_charge"],
        "out_of_range_fraction": found["out_of_range_fraction"],
    }
