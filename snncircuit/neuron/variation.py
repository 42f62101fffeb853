"""Mismatched circuit neurons: the nominal step seen through five numbers of each neuron, and populations drawn from measured ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.step import Step, Tally
from snncircuit.table import VARIATION

NOMINAL = (1.0, 1.0, 1.0, 0.0, 1.0)
"""``VARIATION`` of the nominal neuron."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VariedNeuron:
    """Circuit neurons each of which has its own gains, threshold, leak and packet.

    With F the step of the nominal neuron and n its spikes::

        v' = F(v - offset, gain_exc * q_exc, gain_inh * q_inh) + offset - n * excess + leak

    as ``lookup.varied_step``, which is the definition. Spikes, energies, clipped charge and what counts as out of range are those
    of that F; charges are tallied with their gain, since the energies are those of what arrives at the membrane.

    Attributes:
        nominal: the neuron without mismatch.
        gain_exc: factor on excitatory charges, >= 0, shape of the population, as all that follow.
        gain_inh: factor on inhibitory charges, >= 0.
        offset: membrane that fires, less that of the nominal neuron, thresholds.
        leak: further change of the membrane in every step, thresholds.
        excess: what a spike takes beyond one nominal packet, thresholds.
    """

    nominal: CircuitNeuron
    gain_exc: Float[Tensor, "*population"]
    gain_inh: Float[Tensor, "*population"]
    offset: Float[Tensor, "*population"]
    leak: Float[Tensor, "*population"]
    excess: Float[Tensor, "*population"]

    @classmethod
    def of(cls, nominal: CircuitNeuron, variation: Float[Tensor, "p ..."]) -> VariedNeuron:
        """Neurons of a variation whose first axis is ``table.VARIATION``.

        Raises:
            SimulationError: other than five numbers of each neuron, one that is not finite, or a negative gain.
        """
        if len(variation) != len(VARIATION) or not bool(torch.isfinite(variation).all()):
            msg = f"a variation of shape {tuple(variation.shape)}: expected finite {', '.join(VARIATION)} along its first axis"
            raise SimulationError(msg)
        if variation.numel() and float(variation[:2].min()) < 0:
            msg = f"a gain of {float(variation[:2].min()):g}: charges are never negative, expected gains >= 0"
            raise SimulationError(msg)
        gain_exc, gain_inh, threshold, leak, reset = variation.double()
        numbers = {
            "gain_exc": gain_exc,
            "gain_inh": gain_inh,
            "offset": threshold - 1.0,
            "leak": leak,
            "excess": reset - 1.0,
        }
        return cls(nominal=nominal, **{name: n.to(nominal.dtype) for name, n in numbers.items()})

    @property
    def population(self) -> tuple[int, ...]:
        """Shape of the neurons of one image."""
        return tuple(self.offset.shape)

    def stacked(self) -> Float[Tensor, "5 ..."]:
        """``gain_exc, gain_inh, offset, leak, excess`` in one tensor."""
        return torch.stack([self.gain_exc, self.gain_inh, self.offset, self.leak, self.excess])

    def arranged(self, arrange: Callable[[Tensor], Tensor]) -> VariedNeuron:
        """The same neurons in another order: ``arrange`` is given one row for each of the five numbers."""
        gain_exc, gain_inh, offset, leak, excess = arrange(self.stacked())
        return VariedNeuron(
            nominal=self.nominal,
            gain_exc=gain_exc,
            gain_inh=gain_inh,
            offset=offset,
            leak=leak,
            excess=excess,
        )

    def step(
        self,
        v_mem: Float[Tensor, "*population"],
        q_exc: Float[Tensor, "*population"],
        q_inh: Float[Tensor, "*population"],
    ) -> Step:
        """Advance by one step; shape (images, *population), membrane and charges in thresholds of the nominal neuron, charges >= 0."""
        v, exc, inh = (t.to(self.nominal.dtype) for t in (v_mem, q_exc, q_inh))
        seen = self.nominal.step(v - self.offset, exc * self.gain_exc, inh * self.gain_inh)
        v = seen.v_mem + self.offset - seen.spikes * self.excess + self.leak
        low, high = torch.aminmax(v) if v.numel() else (torch.inf, -torch.inf)
        tally = replace(seen.tally, v_low=float(low), v_high=float(high))
        return Step(spikes=seen.spikes, v_mem=v, tally=tally)

    def energies(self, tally: Tally) -> dict[str, dict[str, float]]:
        """Energy of the tallied steps in J, ``{supply: {term: J}}``, as of the nominal neuron."""
        return self.nominal.energies(tally)


def draw(
    measured: NDArray[np.float64],
    shape: tuple[int, ...],
    generator: np.random.Generator,
    *,
    scale: float = 1.0,
) -> Float[Tensor, "5 ..."]:
    """A variation for each position of a population, from the normal distribution with the mean and covariance of measured neurons.

    A normal distribution rather than a choice among the measured neurons: each parameter is a sum of many small independent deviations
    of devices, and a population of thousands made of a few hundred neurons would hold each of them many times, its worst ones
    too, and nothing beyond them.

    Args:
        measured: shape (draws, 5), two or more neurons, columns as ``table.VARIATION``.
        shape: of the population.
        generator: decides; numbers are taken neuron by neuron in C order of ``shape``.
        scale: multiplies all deviations from the nominal neuron.

    Returns:
        Double precision; gains that would be negative are 0.

    Raises:
        SimulationError: fewer than two measured neurons, numbers that are not finite, or a negative scale.
    """
    if measured.ndim != 2 or measured.shape[1] != len(VARIATION) or len(measured) < 2:
        msg = f"measured variation of shape {measured.shape}: expected two or more neurons of {len(VARIATION)} numbers"
        raise SimulationError(msg)
    if not np.isfinite(measured).all() or not 0 <= scale < np.inf:
        msg = f"a variation to draw from must be finite, and its scale ({scale:g}) finite and >= 0"
        raise SimulationError(msg)
    deviations = measured - NOMINAL
    mean, sigma = deviations.mean(axis=0), deviations.std(axis=0, ddof=1)
    known = sigma > 0
    unit = (deviations[:, known] - mean[known]) / sigma[known]
    values, vectors = np.linalg.eigh(unit.T @ unit / (len(measured) - 1))
    # The symmetric root: unlike single eigenvectors it has no sign or order that a library may choose.
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    normal = generator.standard_normal((*shape, len(VARIATION)))
    drawn = np.broadcast_to(mean, normal.shape).copy()
    drawn[..., known] += normal[..., known] @ root * sigma[known]
    found = np.moveaxis(NOMINAL + scale * drawn, -1, 0).copy()
    found[:2] = found[:2].clip(min=0)
    return torch.from_numpy(found)
