"""What one threshold is: the first part of an experiment, after which everything else is asked in thresholds."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeVar

from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample
from snncircuit.characterise.grid import Bend
from snncircuit.errors import CharacterisationError

T = TypeVar("T")
Experiment = Generator[list[Drive], list[Sample], T]
"""Yields drives, is sent their samples, returns what it found."""

_TOLERANCE = 5e-5  # of the threshold charge
_FLOOR_STEPS = 24
_PULSE = 0.5  # thresholds, with which gain and energy of excitation are measured, from rest
_PARKED, _PULL = 0.75, 0.25  # those of inhibition, thresholds: above what ends the mirror, at v_neg = 0 too
_HIGH = 0.9  # thresholds; a start from which the membrane falls to its floor
_WIDTH = (0.04, 0.2)  # thresholds; least and largest of a bend that nodes are made for
_TOP = (0.6, 2.5)  # thresholds beyond the last spike's; lowest and highest upper end that nodes are made for


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What one threshold is at an operating point.

    Attributes:
        rest: V.
        volts: V above rest.
        charge: C of excitatory charge.
        gain_inh: what inhibitory charge takes from the membrane, per excitatory charge of the same size.
        energy_exc: J of each supply per threshold of q_exc.
        energy_inh: J of each supply per threshold of q_inh.
    """

    rest: float
    volts: float
    charge: float
    gain_inh: float = 1.0
    energy_exc: tuple[float, ...] = ()
    energy_inh: tuple[float, ...] = ()

    def drive(self, v_mem: float, *pulses: tuple[float, float]) -> Drive:
        """A drive given in thresholds: start of the membrane above rest, then (q_exc, gain_inh * q_inh) of each step."""
        return Drive(
            v_mem=self.rest + v_mem * self.volts,
            q_exc=tuple(e * self.charge for e, _ in pulses),
            q_inh=tuple(i / self.gain_inh * self.charge for _, i in pulses),
        )

    def membrane(self, volts: float) -> float:
        """Thresholds above rest."""
        return (volts - self.rest) / self.volts


def find_scale(cell: NeuronCell, point: OperatingPoint) -> Experiment[Scale]:
    """Threshold charge by sections of three, so that the drives do not depend on how many run at once; and the voltage it reaches.

    Right below its threshold a neuron that times itself fires so late that its membrane falls at the end of the step, before the spike:
    the voltage is that of the silent step that ended highest.
    """
    rest = cell.membrane.rest
    guess = cell.membrane.capacitance * cell.membrane.threshold
    low, high = 0.0, 2.5 * guess
    samples = yield [Drive(v_mem=rest, q_exc=(q,), q_inh=(0.0,)) for q in (low, high)]
    spikes = [_require(s, cell, point).spikes[0] for s in samples]
    if spikes[0] or not spikes[1]:
        msg = (
            f"{cell.name} at {point} has no threshold: expected no spike without input and one with {high:.3g} C in one pulse, "
            f"found {spikes[0]} and {spikes[1]}; check the cell's capacitance, its supplies and the port of the spike"
        )
        raise CharacterisationError(msg)
    silent: list[tuple[float, float]] = []  # rise of the membrane, V, and its charge
    while high - low > _TOLERANCE * guess:
        charges = [low + (high - low) * k / 4 for k in (1, 2, 3)]
        samples = yield [Drive(v_mem=rest, q_exc=(q,), q_inh=(0.0,)) for q in charges]
        for charge, sample in zip(charges, samples, strict=True):
            if _require(sample, cell, point).spikes[0]:
                high = charge
                break
            low = charge
            silent.append((sample.v_mem[1] - rest, low))
    if not silent:
        msg = f"{cell.name} at {point} has no threshold: it fires with {high:.3g} C; check the cell's capacitance and its biases"
        raise CharacterisationError(msg)
    charge = (low + high) / 2
    rise, below = max(silent)
    scale = Scale(rest=rest, volts=rise * charge / below, charge=charge)
    samples = yield [
        scale.drive(v, (e, i))
        for v, e, i in (
            (0.0, 0.0, 0.0),
            (0.0, _PULSE, 0.0),
            (_PARKED, 0.0, 0.0),
            (_PARKED, 0.0, _PULL),
        )
    ]
    rest_alone, excited, alone, inhibited = (_require(s, cell, point) for s in samples)
    return replace(
        scale,
        gain_inh=(alone.v_mem[1] - inhibited.v_mem[1]) / scale.volts / _PULL,
        energy_exc=tuple(
            (b[0] - a[0]) / _PULSE for a, b in zip(rest_alone.energy, excited.energy, strict=True)
        ),
        energy_inh=tuple((b[0] - a[0]) / _PULL for a, b in zip(alone.energy, inhibited.energy, strict=True)),
    )


def find_floor(cell: NeuronCell, scale: Scale, q_inh: float) -> Experiment[Bend]:
    """Where the strongest inhibition leaves the membrane after some steps, and how far around it inhibition is weaker.

    The lowest start worth measuring; at rest where the circuit ends above.
    """
    (sample,) = yield [scale.drive(0.0, *([(0.0, q_inh)] * _FLOOR_STEPS))]
    if sample.failure is not None:
        msg = f"{cell.name}: the simulation of its strongest inhibition, {q_inh:g} thresholds a step, failed: {sample.failure}"
        raise CharacterisationError(msg)
    at = min(scale.membrane(min(sample.v_mem)), 0.0)
    (onto,) = yield [scale.drive(_HIGH, (0.0, _HIGH - at))]
    short = 0.0 if onto.failure is not None else scale.membrane(onto.v_mem[1]) - at
    return Bend(at=at, width=_width(short))


def find_top(scale: Scale, q_exc: float, max_spikes: int) -> Experiment[Bend]:
    """Would-be membrane at which the strongest excitation of a step ends, from rest, and how far around it excitation is weaker."""
    lowest, highest = (max_spikes + beyond for beyond in _TOP)
    (sample,) = yield [scale.drive(0.0, (q_exc, 0.0))]
    if sample.failure is not None:
        return Bend(at=highest, width=_WIDTH[1])
    at = min(max(sample.spikes[0] + scale.membrane(sample.v_mem[1]), lowest), highest)
    (onto,) = yield [scale.drive(0.0, (at, 0.0))]
    short = 0.0 if onto.failure is not None else at - onto.spikes[0] - scale.membrane(onto.v_mem[1])
    return Bend(at=at, width=_width(short))


def _width(short: float) -> float:
    """The width of a soft corner that leaves a membrane sent right onto it ``short`` of it."""
    return min(max(short / math.log(2.0), _WIDTH[0]), _WIDTH[1])


def _require(sample: Sample, cell: NeuronCell, point: OperatingPoint) -> Sample:
    if sample.failure is not None:
        msg = f"{cell.name} at {point}: the search for its threshold failed: {sample.failure}"
        raise CharacterisationError(msg)
    return sample
