"""The spread that theory expects of mismatched neurons, to hold a Monte Carlo against.

Two answers. The *two-device formula* of a mirror or a differential pair, with the transconductance that ngspice gives at the pulse of
the measurement: ``sigma(I)/I = sqrt((gm/I sigma_dVT)² + sigma_dbeta²)``, sigmas of the pair (Pelgrom et al., IEEE JSSC 24:1433, 1989). The
*delta method* over every transistor: ``sigma² = sum (d parameter / d z)²``, each derivative a difference of two simulated neurons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snncircuit.characterise.drive import deck
from snncircuit.characterise.mismatch import Bench, Report, measure
from snncircuit.characterise.run import Pool
from snncircuit.errors import CharacterisationError
from snncircuit.spice.transistors import Transistor
from snncircuit.spice.waveforms import Waveforms
from snncircuit.table import VARIATION

Array = NDArray[np.float64]
_PULSE = 0.5  # thresholds, as the gains are measured
_PARKED = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How the five numbers of a neuron follow its transistors.

    Attributes:
        devices: the transistors.
        slopes: shape (devices, 2, 5), change of each number for one deviation of one transistor's threshold (0) and current factor (1).
    """

    devices: tuple[Transistor, ...]
    slopes: Array

    @property
    def sigma(self) -> Array:
        """Standard deviation of each number, shape (5,)."""
        return np.asarray(np.sqrt((self.slopes**2).sum(axis=(0, 1))))

    @property
    def covariance(self) -> Array:
        """Of the five numbers, shape (5, 5)."""
        flat = self.slopes.reshape(-1, self.slopes.shape[-1])
        return np.asarray(flat.T @ flat)

    def shares(self, number: str) -> list[tuple[str, float]]:
        """(transistor, its share of the variance of a number), largest first."""
        variance = (self.slopes[:, :, VARIATION.index(number)] ** 2).sum(axis=1)
        whole = variance.sum() or 1.0
        order = np.argsort(-variance)
        return [(self.devices[int(k)].path, float(variance[k] / whole)) for k in order]


def sensitivity(bench: Bench, progress: Report = lambda _: None) -> Sensitivity:
    """Measure the slopes: every transistor alone one deviation off, once in threshold and once in current factor.

    Raises:
        CharacterisationError: when the nominal neuron or one of these cannot be measured.
    """
    devices = bench.transistors
    n = len(devices)
    neurons = list(np.eye(2 * n).reshape(2 * n, n, 2))
    found = measure(bench, neurons, progress)
    if found.failures:
        msg = (
            f"{bench.cell.name} at {bench.point}: one deviation of a single transistor already makes it no neuron, so that its spread "
            f"has no closed form: {found.failures[0]}"
        )
        raise CharacterisationError(msg)
    nominal = np.array([1.0, 1.0, 1.0, 0.0, 1.0])
    return Sensitivity(devices=devices, slopes=(found.values - nominal).reshape(n, 2, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two matched transistors and the spread that the formula gives.

    Attributes:
        devices: their paths.
        gm_over_id: 1/V, of a mirror, averaged over the charge of the pulse; None for the pair of a comparator.
        sigma_vt: V, of the difference of their thresholds.
        sigma_beta: of the difference of their current factors.
        sigma: of the gain or the threshold, in nominal ones.
    """

    devices: tuple[str, str]
    gm_over_id: float | None
    sigma_vt: float
    sigma_beta: float
    sigma: float


def pairs(bench: Bench, pool: Pool) -> Mapping[str, Pair]:
    """The two-device formula of the mirrors (gates on an input's port) and of a comparator (gate on the membrane, sources joined).

    Only pairs of like transistors at the top of the cell are found, gates tied to the port; a number without such a pair is left out.
    """
    found = {}
    scale, cell = bench.scale, bench.cell
    for name, port, v_mem, pulse in (
        ("gain_exc", cell.exc.port, 0.0, (_PULSE, 0.0)),
        ("gain_inh", cell.inh.port, _PARKED, (0.0, _PULSE)),
    ):
        mirror = [t for t in bench.transistors if t.nodes[1] == port.lower() and "." not in t.path]
        if len(mirror) != 2 or mirror[0].size != mirror[1].size or mirror[0].area is None:
            continue
        names = [f"@m.xcell.{t.path}" for t in mirror]
        wanted = deck(
            cell, bench.laboratory.cards[bench.point.corner], bench.point, scale.drive(v_mem, pulse)
        )
        wanted = replace(wanted, save=(*wanted.save, *(f"{n}[{q}]" for n in names for q in ("gm", "id"))))
        for _, outcome in pool.map([wanted]):
            if isinstance(outcome, Waveforms):
                found[name] = _mirror(mirror, _gm_over_id(outcome, names[1]))
    inputs = [t for t in bench.transistors if t.nodes[1] == cell.membrane.port.lower() and "." not in t.path]
    partners = [
        (a, b)
        for a in inputs
        for b in bench.transistors
        if b.path != a.path
        and b.nodes[2] == a.nodes[2]
        and (b.model, b.size) == (a.model, a.size)
        and a.area is not None
    ]
    if len(partners) == 1:
        sigma_vt, sigma_beta = _sigmas(partners[0][0])
        found["threshold"] = Pair(
            devices=(partners[0][0].path, partners[0][1].path),
            gm_over_id=None,
            sigma_vt=sigma_vt,
            sigma_beta=sigma_beta,
            sigma=sigma_vt / scale.volts,
        )
    return found


def _gm_over_id(waves: Waveforms, name: str) -> float:
    """Gm over the drain current, both beyond their values before the pulse and integrated over it: what a charge sees."""
    gm, current = (waves.signal(f"{name}[{q}]") for q in ("gm", "id"))
    charge = np.trapezoid(np.abs(current) - abs(current[0]), waves.time)
    return float(np.trapezoid(gm - gm[0], waves.time) / charge)


def _mirror(mirror: Sequence[Transistor], gm_over_id: float) -> Pair:
    sigma_vt, sigma_beta = _sigmas(mirror[0])
    return Pair(
        devices=(mirror[0].path, mirror[1].path),
        gm_over_id=gm_over_id,
        sigma_vt=sigma_vt,
        sigma_beta=sigma_beta,
        sigma=float(np.hypot(gm_over_id * sigma_vt, sigma_beta)),
    )


def _sigmas(device: Transistor) -> tuple[float, float]:
    root = (device.area or np.nan) ** 0.5
    return device.pelgrom.a_vt / root, device.pelgrom.a_beta / root
