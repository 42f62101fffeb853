"""What a Run keeps of neurons that were live circuits: their own trace, and beside it that of the table on the same charges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

SIGNALS = {
    "q_exc": "1",
    "q_inh": "1",
    "v_mem": "1",
    "spikes": "1",
    "energy": "J",
    "v_mem_surrogate": "1",
    "spikes_surrogate": "1",
    "energy_surrogate": "J",
}
"""What a live trace holds of each step, and its unit."""
_PREFIX = "live_"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveTrace:
    """Every step of one neuron that was a live circuit; arrays of shape (steps, images).

    The surrogate received the same charges, step by step, and kept its own membrane.

    Attributes:
        layer: where the neuron is.
        index: its number in the layer (channel, row, column).
        q_exc: excitatory charge received, thresholds.
        q_inh: inhibitory charge received, thresholds, >= 0.
        v_mem: membrane of the circuit at the end of the step, thresholds above rest.
        spikes: of the circuit in the step.
        energy: J that the circuit drew from all its supplies in the step.
        v_mem_surrogate: the same of the surrogate.
        spikes_surrogate: the same of the surrogate.
        energy_surrogate: the same of the surrogate.
    """

    layer: str
    index: int
    q_exc: NDArray[np.float64]
    q_inh: NDArray[np.float64]
    v_mem: NDArray[np.float64]
    spikes: NDArray[np.float64]
    energy: NDArray[np.float64]
    v_mem_surrogate: NDArray[np.float64]
    spikes_surrogate: NDArray[np.float64]
    energy_surrogate: NDArray[np.float64]


def live_variables(trace: LiveTrace) -> dict[str, xr.Variable]:
    """Name to variable of (step, image), as a Run's file keeps them."""
    return {
        f"{_PREFIX}{trace.layer}_{trace.index}_{signal}": xr.Variable(
            ("step", "image"), getattr(trace, signal), {"units": unit}
        )
        for signal, unit in SIGNALS.items()
    }


def live_traces(dataset: xr.Dataset) -> tuple[LiveTrace, ...]:
    """The live traces of a Run's file, in their order; raises KeyError or ValueError when one is incomplete."""
    places = []
    for name in map(str, dataset.data_vars):
        if name.startswith(_PREFIX) and name.endswith("_q_exc"):
            layer, _, index = name.removeprefix(_PREFIX).removesuffix("_q_exc").rpartition("_")
            places.append((layer, int(index)))
    return tuple(
        LiveTrace(
            layer=layer,
            index=index,
            **{s: dataset[f"{_PREFIX}{layer}_{index}_{s}"].values for s in SIGNALS},
        )
        for layer, index in places
    )
