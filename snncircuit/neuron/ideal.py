"""The ideal integrate-and-fire neuron, with or without a lower bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from snncircuit.errors import SimulationError
from snncircuit.neuron.step import Step, Tally

RESETS = ("subtract", "zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdealNeuron:
    """Integrate and fire without leak, at most one spike in a step.

    With everything in thresholds and ``x = v_mem + (q_exc - q_inh)``::

        n  = 1 if x >= 1 else 0
        v' = max(x - n, v_lb)                   reset by subtraction
        v' = max(0 if n else x, v_lb)           reset to zero

    The clipped charge of a step is what the bound swallowed, ``max(0, v_lb - v')`` before the maximum. The conventional neuron of
    Hwang et al. (Sci Rep 10:3515, 2020) has ``v_lb = 0``.

    Attributes:
        v_lb: lower bound of the membrane, thresholds, <= 0; None for none.
        reset: ``subtract`` keeps the overshoot of a spike, ``zero`` loses it.
    """

    v_lb: float | None = None
    reset: str = "subtract"

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            SimulationError: a bound above rest or not finite, or an unknown reset.
        """
        if self.v_lb is not None and not (math.isfinite(self.v_lb) and self.v_lb <= 0):
            msg = f"lower bound {self.v_lb} of the ideal neuron: expected a number <= 0 in thresholds, or None for no bound"
            raise SimulationError(msg)
        if self.reset not in RESETS:
            msg = f"reset {self.reset!r} of the ideal neuron: expected one of {', '.join(RESETS)}"
            raise SimulationError(msg)

    def step(
        self,
        v_mem: Float[Tensor, "*population"],
        q_exc: Float[Tensor, "*population"],
        q_inh: Float[Tensor, "*population"],
    ) -> Step:
        """Advance by one step; membrane and charges in thresholds, charges >= 0. There is no range to leave."""
        x = v_mem + (q_exc - q_inh)
        fires = x >= 1
        spikes = fires.to(x.dtype)
        v = x - spikes if self.reset == "subtract" else x.masked_fill(fires, 0.0)
        clipped = 0.0
        if self.v_lb is not None:
            clipped = float((self.v_lb - v).clamp_(min=0).sum())
            v = v.clamp_(min=self.v_lb)
        low, high = torch.aminmax(v) if v.numel() else (torch.inf, -torch.inf)
        tally = Tally(
            neuron_steps=v.numel(),
            spikes=float(torch.count_nonzero(fires)),
            q_exc=float(q_exc.sum()),
            q_inh=float(q_inh.sum()),
            clipped_charge=clipped,
            out_of_range=0,
            v_low=float(low),
            v_high=float(high),
        )
        return Step(spikes=spikes, v_mem=v, tally=tally)

    def energies(self, tally: Tally) -> dict[str, dict[str, float]]:
        """Nothing: an ideal neuron burns no energy."""
        return {}
