"""What one network step of any neuron gives, and the sums that a run keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over all neuron-steps of a layer; two tallies of one layer add up.

    Attributes:
        neuron_steps: number of neuron-steps summed.
        spikes: number of spikes.
        q_exc: excitatory charge received, thresholds.
        q_inh: inhibitory charge received, thresholds.
        clipped_charge: charge that the lower bound swallowed, thresholds, >= 0.
        out_of_range: neuron-steps whose charge or membrane lay outside what was measured and was clamped.
        v_low: lowest membrane seen, thresholds.
        v_high: highest membrane seen at the end of a step, thresholds.
        occupancy: shape (cells,), how often each cell of the energy table was visited, or None for neurons without energy.
    """

    neuron_steps: int
    spikes: float
    q_exc: float
    q_inh: float
    clipped_charge: float
    out_of_range: int
    v_low: float
    v_high: float
    occupancy: Float[Tensor, " cells"] | None = None

    def __add__(self, other: Tally) -> Tally:
        """The tally of both."""
        if self.occupancy is None or other.occupancy is None:
            occupancy = self.occupancy if other.occupancy is None else other.occupancy
        else:
            occupancy = self.occupancy + other.occupancy
        return Tally(
            neuron_steps=self.neuron_steps + other.neuron_steps,
            spikes=self.spikes + other.spikes,
            q_exc=self.q_exc + other.q_exc,
            q_inh=self.q_inh + other.q_inh,
            clipped_charge=self.clipped_charge + other.clipped_charge,
            out_of_range=self.out_of_range + other.out_of_range,
            v_low=min(self.v_low, other.v_low),
            v_high=max(self.v_high, other.v_high),
            occupancy=occupancy,
        )


EMPTY = Tally(
    neuron_steps=0,
    spikes=0.0,
    q_exc=0.0,
    q_inh=0.0,
    clipped_charge=0.0,
    out_of_range=0,
    v_low=torch.inf,
    v_high=-torch.inf,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The outcome of one network step of a population.

    Attributes:
        spikes: number of spikes of each neuron in this step, same shape as the membrane.
        v_mem: membrane at the end of the step, thresholds above rest.
        tally: sums over the population.
    """

    spikes: Float[Tensor, "*population"]
    v_mem: Float[Tensor, "*population"]
    tally: Tally


class Neuron(Protocol):
    """Anything that advances a population of neurons by one network step."""

    def step(
        self,
        v_mem: Float[Tensor, "*population"],
        q_exc: Float[Tensor, "*population"],
        q_inh: Float[Tensor, "*population"],
    ) -> Step:
        """Advance by one step; charges in units of the threshold charge, both >= 0, membrane in thresholds above rest."""
        ...

    def energies(self, tally: Tally) -> dict[str, dict[str, float]]:
        """Energy in joule of all the tallied steps, ``{supply: {term: J}}``; empty for neurons without energy."""
        ...
