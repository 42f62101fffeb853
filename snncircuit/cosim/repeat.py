"""A Run repeated on a few of its images: how often every neuron spiked, and every step of a few of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from snncircuit import lookup
from snncircuit.cosim.agreement import FreeRun
from snncircuit.cosim.sampling import Place
from snncircuit.errors import SimulationError
from snncircuit.network import engines
from snncircuit.network.encode import make_encoder
from snncircuit.network.layers import SpikingNetwork
from snncircuit.network.outcome import Outcome, Record, Trace
from snncircuit.network.run import Run
from snncircuit.neuron.step import Neuron
from snncircuit.table import OperatingTable

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passage:
    """What one neuron received and did while an image was shown, T steps, charges and membranes in thresholds.

    Attributes:
        place: which neuron and image.
        q_exc: shape (T,).
        q_inh: shape (T,), >= 0.
        v_mem: shape (T,), at the end of each step.
        spikes: shape (T,).
    """

    place: Place
    q_exc: Array
    q_inh: Array
    v_mem: Array
    spikes: NDArray[np.int64]

    def free_run(self, table: OperatingTable) -> FreeRun:
        """The same with the energy of each step, read from the table at the membranes of the passage."""
        energy = lookup.step(table, self._starts, self.q_exc, self.q_inh).energy
        return FreeRun(v_mem=self.v_mem, spikes=self.spikes, energy=energy)

    def rounding(self, table: OperatingTable) -> tuple[float, int]:
        """How far the passage is from the definition, ``lookup.step`` from the membrane of each step's start.

        Returns:
            The largest difference of the membrane after a step of equal spikes, thresholds; and the steps of other spikes.
        """
        answer = lookup.step(table, self._starts, self.q_exc, self.q_inh)
        same = answer.spikes == self.spikes
        return float(np.abs(answer.v_mem - self.v_mem)[same].max(initial=0.0)), int((~same).sum())

    @property
    def _starts(self) -> Array:
        return np.concatenate(([0.0], self.v_mem[:-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """A Run that can be repeated.

    Attributes:
        run: the Run.
        network: that made it.
        neuron: that made it.
        images: that made it, all of them.
    """

    run: Run
    network: SpikingNetwork
    neuron: Neuron
    images: Float[Tensor, "n c h w"]

    def counts(self, images: Sequence[int]) -> dict[str, Array]:
        """Spikes of every neuron of each layer, shape (images, neurons).

        Raises:
            SimulationError: when an image stops after another number of steps than in the Run.
        """
        found: dict[str, list[Array]] = {layer.name: [] for layer in self.network.layers}
        for image in images:
            outcome = self._outcome(image, {}, self.run.settings["exit_margin"])
            steps, recorded = int(outcome.steps_used[0]), self.run.steps_used[image]
            if steps != recorded:
                msg = (
                    f"image {image} of the Run cannot be repeated: expected it to stop after {recorded} steps, found {steps}; "
                    "run the network again with this snncircuit"
                )
                raise SimulationError(msg)
            for name, count in outcome.counts.items():
                found[name].append(count.flatten().double().numpy())
        return {name: np.stack(rows) for name, rows in found.items()}

    def passages(self, places: Sequence[Place]) -> list[Passage]:
        """Every step of the places, as many as the image used, in their order."""
        found: dict[Place, Passage] = {}
        for image in dict.fromkeys(place.image for place in places):
            here = [place for place in places if place.image == image]
            record = {
                layer.name: tuple(place.index for place in here if place.layer == layer.name)
                for layer in self.network.layers
            }
            # A trace is of all steps, so the image goes on here; what it did until it stopped is the same.
            outcome = self._outcome(image, {name: some for name, some in record.items() if some}, None)
            for place in here:
                found[place] = _passage(place, outcome.traces[place.layer], self.run.steps_used[image])
        return [found[place] for place in places]

    def _outcome(self, image: int, record: Record, exit_margin: object) -> Outcome:
        settings: Mapping[str, object] = self.run.settings
        with torch.inference_mode():
            return engines.engine(self.run.engine)(
                self.network,
                self.neuron,
                make_encoder(str(settings["encoder"]), int(str(settings["seed"]))),
                self.images[image : image + 1],
                first_image=image,
                steps=int(str(settings["steps"])),
                record=record,
                exit_margin=None if exit_margin is None else int(str(exit_margin)),
            )


def _passage(place: Place, trace: Trace, steps: int) -> Passage:
    column = trace.neurons.index(place.index)

    def signal(name: str) -> Array:
        return np.asarray(getattr(trace, name)[:steps, 0, column], dtype=np.float64)

    return Passage(
        place=place,
        q_exc=signal("q_exc"),
        q_inh=signal("q_inh"),
        v_mem=signal("v_mem"),
        spikes=np.rint(signal("spikes")).astype(np.int64),
    )
