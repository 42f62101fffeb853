"""The two lines of a layer as one, for neurons that see their difference alone."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from snncircuit.network.layers import Synapses


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSynapses:
    """One weight ``w_exc - w_inh`` in place of each pair of devices, with the bias of each channel or, where it must be, each neuron."""

    synapses: Synapses
    weight: Float[Tensor, "..."]
    channel: Float[Tensor, " o"] | None
    neuron: Float[Tensor, "..."] | None

    @classmethod
    def of(cls, synapses: Synapses) -> NetSynapses:
        """What the synapses do to the difference of their lines."""
        weight, bias = (
            synapses.weight_exc - synapses.weight_inh,
            synapses.bias_exc - synapses.bias_inh,
        )
        channel = bias if bias.ndim == 1 else bias[:, :1, :1]
        if synapses.after or not bool((bias == channel).all()):
            return cls(synapses=synapses, weight=weight, channel=None, neuron=bias)
        return cls(synapses=synapses, weight=weight, channel=channel.flatten(), neuron=None)

    def charges(self, spikes: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """``q_exc - q_inh`` of one step; exact, as ``Synapses.charges`` is."""
        x = self.synapses.receive(self.synapses.gather(spikes), self.weight, self.channel)
        return x if self.neuron is None else x.add_(self.neuron)
