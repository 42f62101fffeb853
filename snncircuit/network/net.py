"""The two lines of a layer as one, for neurons that see their difference alone."""

from __future__ import annotations

from dataclasses import dataclass

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from snncircuit.network.layers import Synapses
from snncircuit.network.operators import Dense, Flatten


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSynapses:
    """One weight ``w_exc - w_inh`` in place of each pair of devices, with the bias of each channel or, where it must be, each neuron.

    A matrix right behind an image has its weights in the order in which channels_last images lie in memory, so that none is copied.
    """

    synapses: Synapses
    weight: Float[Tensor, "..."]
    channel: Float[Tensor, " o"] | None
    neuron: Float[Tensor, "..."] | None
    in_memory: bool

    @classmethod
    def of(cls, synapses: Synapses) -> NetSynapses:
        """What the synapses do to the difference of their lines."""
        weight, bias = (
            synapses.weight_exc - synapses.weight_inh,
            synapses.bias_exc - synapses.bias_inh,
        )
        in_memory = (
            isinstance(synapses.operator, Dense)
            and synapses.before == (Flatten(),)
            and len(synapses.in_shape) == 3
        )
        if in_memory:
            weight = rearrange(weight, "o (c k) -> o (k c)", c=synapses.in_shape[0]).contiguous()
        channel = bias if bias.ndim == 1 else bias[:, :1, :1]
        by_neuron = bool(synapses.after) or not bool((bias == channel).all())
        return cls(
            synapses=synapses,
            weight=weight,
            channel=None if by_neuron else channel.flatten(),
            neuron=bias if by_neuron else None,
            in_memory=in_memory,
        )

    def charges(self, spikes: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """``q_exc - q_inh`` of one step; exact, as ``Synapses.charges`` is."""
        x = rearrange(spikes, "n c h w -> n (h w c)") if self.in_memory else self.synapses.gather(spikes)
        x = self.synapses.receive(x, self.weight, self.channel)
        return x if self.neuron is None else x.add_(self.neuron)
