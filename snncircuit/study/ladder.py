"""What each imperfection of a neuron costs a network: from the ideal neuron to the full circuit, one rung after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.populations import Neurons
from snncircuit.network.run import Run
from snncircuit.network.simulate import MAX_OUT_OF_RANGE, simulate
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.study.chips import chip, unmeasured
from snncircuit.study.rungs import BOUND, DEAD_TIME, LEAK, MIRRORS, PARTS, RESET, assemble, rails

IDEAL, MISMATCH, QUANTISED = "ideal", "mismatch", "quantised synapses"
MOVES = {
    IDEAL: "integrate and fire, no lower bound",
    BOUND: "the membrane stops at the negative supply",
    MIRRORS: "synaptic currents fall near the rails; gain of inhibition",
    RESET: "a spike takes other than one threshold",
    DEAD_TIME: "when and from where a step fires; several spikes a step; upper rail",
    LEAK: "the membrane drifts without input",
    MISMATCH: "another neuron at each position",
    QUANTISED: "conductances on levels",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is run at a rung; ``measured`` is whether its table is the measured one, whose range then holds."""

    name: str
    network: SpikingNetwork
    neurons: Neurons
    measured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A rung and its run."""

    name: str
    run: Run

    @property
    def score(self) -> float:
        """Accuracy or MSE after the last step."""
        return self.run.by_step[-1]

    @property
    def energy(self) -> float:
        """J per inference."""
        return self.run.energy or 0.0

    @property
    def energy_by_layer(self) -> dict[str, float]:
        """J per inference, all supplies together."""
        return {layer: sum(supplies.values()) for layer, supplies in self.run.energy_by_layer.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The rungs from the lowest, and why others are missing (name to reason)."""

    rungs: tuple[Rung, ...]
    missing: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints; deltas are against the rung below, 0 at the lowest."""
        first = self.rungs[0]
        found = []
        for below, rung in zip((first, *self.rungs), self.rungs, strict=False):
            layers = rung.energy_by_layer
            facts = rung.run.to_json()
            found.append(
                {
                    "name": rung.name,
                    "moves": MOVES[rung.name],
                    rung.run.score: rung.score,
                    "delta": rung.score - below.score,
                    "delta_ideal": rung.score - first.score,
                    "energy": rung.energy,
                    "energy_delta": rung.energy - below.energy,
                    "energy_delta_ideal": rung.energy - first.energy,
                    "energy_by_layer": layers,
                    "energy_delta_by_layer": {
                        name: joule - below.energy_by_layer[name] for name, joule in layers.items()
                    },
                    "spikes": facts["spikes"],
                    "clipped_charge": facts["clipped_charge"],
                    "out_of_range_fraction": facts["out_of_range_fraction"],
                }
            )
        return {
            "score": first.run.score,
            f"ann_{first.run.score}": first.run.ann_score,
            "rungs": found,
            "not_measured": dict(self.missing),
            "settings": dict(self.rungs[-1].run.settings),
        }


def stages(
    network: SpikingNetwork,
    quantised: SpikingNetwork,
    neuron: CircuitNeuron,
    *,
    seed: int = 0,
    scale: float = 1.0,
) -> Iterator[Stage]:
    """What runs at each rung, from the lowest.

    Args:
        network: with the weights as converted.
        quantised: the same with synapses on levels.
        neuron: the full circuit.
        seed: of the mismatch: chip 0 of ``study.chips``.
        scale: multiplies the measured deviations.

    The mismatch is left out where the table has none.
    """

    def of(on: tuple[str, ...]) -> CircuitNeuron:
        return CircuitNeuron(
            assemble(neuron.table, on), dtype=neuron.dtype, pump_efficiency=neuron.pump_efficiency
        )

    yield Stage(name=IDEAL, network=network, neurons=of(()), measured=False)
    for place, part in enumerate(PARTS[:-1]):
        yield Stage(name=part, network=network, neurons=of(PARTS[: place + 1]), measured=False)
    yield Stage(name=PARTS[-1], network=network, neurons=neuron, measured=True)
    full: Neurons = neuron
    if neuron.table.variation is not None:
        full = chip(network, neuron, seed=seed, scale=scale)
        yield Stage(name=MISMATCH, network=network, neurons=full, measured=True)
    yield Stage(name=QUANTISED, network=quantised, neurons=full, measured=True)


def climb(
    network: SpikingNetwork,
    quantised: SpikingNetwork,
    neuron: CircuitNeuron,
    images: Float[Tensor, "n c h w"],
    targets: Int[Tensor, " n"] | Float[Tensor, "n ..."],
    *,
    steps: int,
    seed: int = 0,
    scale: float = 1.0,
    encoder: str = "constant",
    engine: str = "auto",
    batch: int | None = None,
    max_out_of_range: float | None = MAX_OUT_OF_RANGE,
    settings: Mapping[str, str | float | int | bool | None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Ladder:
    """Run every rung on the same images.

    The first is the ideal neuron spike for spike, the last the full circuit: the run of ``simulate`` with the quantised network and
    chip 0 of the seed. Rungs between them are no circuits, so only from the leak on, where the table is the measured one, a run that
    leaves the measured range is refused.

    Args:
        network: with the weights as converted.
        quantised: the same with synapses on levels.
        neuron: the full circuit.
        images: pixels in [0, 1].
        targets: labels, or images to be reproduced.
        steps: number of network steps.
        seed: of the mismatch and of a Poisson encoder.
        scale: multiplies the measured deviations.
        encoder: as for ``simulate``.
        engine: as for ``simulate``.
        batch: images at a time; without influence on the result.
        max_out_of_range: as for ``simulate``.
        settings: what the runs are to remember.
        progress: told of finished images of all rungs.

    Raises:
        SimulationError: a run that ``simulate`` refuses.
    """
    every = list(stages(network, quantised, neuron, seed=seed, scale=scale))
    found = []
    for number, stage in enumerate(every):

        def tell(done: int, of: int, number: int = number) -> None:
            if progress is not None:
                progress(number * of + done, len(every) * of)

        run = simulate(
            stage.network,
            stage.neurons,
            images,
            targets,
            steps=steps,
            encoder=encoder,
            engine=engine,
            batch=batch,
            seed=seed,
            max_out_of_range=max_out_of_range if stage.measured else None,
            rails=rails(neuron.table),
            settings={**(settings or {}), "rung": stage.name},
            progress=tell,
        )
        found.append(Rung(name=stage.name, run=run))
    missing = {} if neuron.table.variation is not None else {MISMATCH: unmeasured(neuron.table)}
    return Ladder(rungs=tuple(found), missing=missing)
