"""What is known after a run with live neurons: how far they were from their table, and what that did to the network."""

from __future__ import annotations

from dataclasses import dataclass

from snncircuit.cosim.agreement import Agreement, pool
from snncircuit.cosim.live_neuron import Passage
from snncircuit.network.run import Run
from snncircuit.table import OperatingTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One live neuron and one image.

    Attributes:
        layer: where the neuron is.
        index: its number in the layer.
        image: number of the image.
        agreement: the surrogate that ran beside it, held against it.
        spikes: of the circuit.
        spikes_surrogate: of the surrogate.
        energy_surrogate: J that the surrogate drew.
    """

    layer: str
    index: int
    image: int
    agreement: Agreement
    spikes: int
    spikes_surrogate: int
    energy_surrogate: float

    def to_json(self) -> dict[str, object]:
        """Plain data, keys as in the documentation of ``snncircuit run --live --json``."""
        a = self.agreement
        return {
            "layer": self.layer,
            "index": self.index,
            "image": self.image,
            "spikes": self.spikes,
            "spikes_surrogate": self.spikes_surrogate,
            "spikes_matched": a.spikes_matched,
            "spikes_same_step": a.spikes_same_step,
            "spike_count_error": a.spike_count_error,
            "v_mem_rmse": a.v_mem_rmse,
            "v_mem_rmse_free_running": a.free_v_mem_rmse,
            "energy": a.energy,
            "energy_surrogate": self.energy_surrogate,
            "energy_error": a.energy_error,
            "energy_error_by_supply": dict(a.energy_error_by_supply),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStep:
    """A network with live neurons, and the same network without.

    Attributes:
        run: the Run with live neurons; it holds their traces.
        alone: the Run of the surrogate only.
        accounts: of each live neuron and image.
        output_spikes: of the last layer in the run with live neurons.
        output_spikes_differing: sum over steps, images and output neurons of the differences of their spikes.
        classes_differing: images that the two runs put in different classes; None where there are no classes.
    """

    run: Run
    alone: Run
    accounts: tuple[Account, ...]
    output_spikes: int
    output_spikes_differing: int
    classes_differing: int | None

    def to_json(self) -> dict[str, object]:
        """The object of the Run, with what is known of its live neurons."""
        return {
            **self.run.to_json(),
            "live": [account.to_json() for account in self.accounts],
            "output_identical": self.output_spikes_differing == 0,
            "output_spikes": self.output_spikes,
            "output_spikes_differing": self.output_spikes_differing,
            "classes_differing": self.classes_differing,
        }


def account(table: OperatingTable, passage: Passage) -> Account:
    """The account of one live neuron and one image."""
    return Account(
        layer=passage.layer,
        index=passage.index,
        image=passage.image,
        agreement=pool([passage.errors(table)]),
        spikes=sum(passage.sample.spikes),
        spikes_surrogate=int(passage.own.spikes.sum()),
        energy_surrogate=float(passage.own.energy.sum()),
    )
