"""What one mismatched neuron is beside the nominal one: a handful of short transients, then the five numbers of ``lookup.varied_step``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncircuit import lookup
from snncircuit.characterise.drive import Sample
from snncircuit.characterise.edges import Search
from snncircuit.characterise.scale import Experiment, Scale
from snncircuit.table import OperatingTable

_PULSE = (
    0.5  # thresholds of charge with which gains are measured, and which lifts the membrane to its threshold
)
_PARKED = 0.75  # thresholds above rest, where inhibition is measured: below the threshold, above what ends the mirror at v_neg = 0
_FIRING = 0.7  # start from which that pulse certainly fires


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Membranes after one step, and the start that just fires, all in nominal thresholds above rest.

    Attributes:
        rest: from rest without input.
        excited: from rest, with half a threshold of excitation.
        parked: from 0.75, without input.
        inhibited: from 0.75, with half a threshold of inhibition.
        fired: from 0.7 with half a threshold of excitation, one spike.
        edge: start from which half a threshold of excitation just fires.
        failure: why there is no answer; the others then mean nothing.
    """

    rest: float = 0.0
    excited: float = 0.0
    parked: float = 0.0
    inhibited: float = 0.0
    fired: float = 0.0
    edge: float = 0.0
    failure: str | None = None


def respond(scale: Scale) -> Experiment[Response]:
    """Measure a neuron; the charge that lifts it over its threshold also serves neurons that cannot start above it."""
    none = (0.0, 0.0)
    samples = yield [
        scale.drive(0.0, none),
        scale.drive(0.0, (_PULSE, 0.0)),
        scale.drive(_PARKED, none),
        scale.drive(_PARKED, (0.0, _PULSE)),
        scale.drive(_FIRING, (_PULSE, 0.0)),
    ]
    failure = _failure(samples, (0, 0, 0, 0, 1))
    if failure is not None:
        return Response(failure=failure)
    rest, excited, parked, inhibited, fired = (scale.membrane(s.v_mem[1]) for s in samples)
    search = Search(start=0, common=0, spikes=1, guess=1.0 - (excited - rest))
    while (start := search.next()) is not None:
        (sample,) = yield [scale.drive(start, (_PULSE, 0.0))]
        search.learn(start, sample)
    if not search.found:
        return Response(failure=search.failure or "no start from which half a threshold just fires")
    return Response(
        rest=rest,
        excited=excited,
        parked=parked,
        inhibited=inhibited,
        fired=fired,
        edge=(search.low + search.high) / 2,
    )


def variation(table: OperatingTable, nominal: Response, found: Response) -> NDArray[np.float64]:
    """The five numbers of a neuron, in the order of ``snncircuit.table.VARIATION``: ``varied_step`` turned round.

    What the nominal step itself does between two membranes (its leak, its reset) is taken from the table, so that nothing of it
    counts as mismatch.

    Args:
        table: the nominal neuron.
        nominal: its response.
        found: that of the mismatched neuron.
    """
    lift = nominal.excited - nominal.rest
    gain_exc = (found.excited - found.rest) / lift
    gain_inh = (found.parked - found.inhibited) / (nominal.parked - nominal.inhibited)
    threshold = 1.0 + (found.edge - nominal.edge) + (gain_exc - 1.0) * lift
    leak = (found.rest - nominal.rest) - _shift(table, (gain_exc, gain_inh, threshold, 0.0, 1.0), 0.0, 0.0)
    shift = _shift(table, (gain_exc, gain_inh, threshold, leak, 1.0), _FIRING, _PULSE)
    return np.array([gain_exc, gain_inh, threshold, leak, 1.0 + shift - (found.fired - nominal.fired)])


def _shift(table: OperatingTable, numbers: Sequence[float], v_mem: float, q_exc: float) -> float:
    varied = lookup.varied_step(table, numbers, v_mem, q_exc, 0.0)
    plain = lookup.step(table, v_mem, q_exc, 0.0)
    return float(varied.v_mem - plain.v_mem + (varied.spikes - plain.spikes))


def _failure(samples: Sequence[Sample], spikes: Sequence[int]) -> str | None:
    for sample, wanted in zip(samples, spikes, strict=True):
        if sample.failure is not None:
            return sample.failure
        if sample.spikes[0] != wanted:
            return (
                f"fires {sample.spikes[0]} times in a step in which the nominal neuron fires {wanted} times"
            )
    return None
