"""A table held against live ngspice: charge trains that were never part of its characterisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import snncircuit
from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.drive import OperatingPoint, Sample
from snncircuit.characterise.run import Laboratory, Pool, provenance
from snncircuit.characterise.trains import KINDS, trains
from snncircuit.cosim.agreement import Agreement, errors_of
from snncircuit.cosim.agreement import pool as pooled
from snncircuit.errors import TableError
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.netlist import ModelCards
from snncircuit.table import TransferTable
from snncircuit.table.join import label

_HELD_OUT = 1 << 64  # above every seed of a calibration, so that no train is used for both


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What holding a table against ngspice gave.

    Attributes:
        agreements: one for each operating point.
        by_drive: the same for each kind of drive that was met there, in the same order.
        seed, n_steps, n_neurons: of the charge trains at each operating point.
        ngspice: name and version of the simulator.
        cards: SHA-256 of the model cards by corner.
    """

    agreements: tuple[Agreement, ...]
    by_drive: tuple[Mapping[str, Agreement], ...]
    seed: int
    n_steps: int
    n_neurons: int
    ngspice: str
    cards: Mapping[str, str]

    def to_json(self) -> list[dict[str, Any]]:
        """One object for each operating point, keys as in the documentation of ``snncircuit validate --json``."""
        return [
            {**whole.to_json(), "by_drive": {kind: _brief(part) for kind, part in parts.items()}}
            for whole, parts in zip(self.agreements, self.by_drive, strict=True)
        ]

    def records(self) -> dict[str, dict[str, Any]]:
        """What a table keeps of this: figures by operating point, and how they were made; no clock."""
        made = {
            "seed": self.seed,
            "steps": self.n_steps,
            "neurons": self.n_neurons,
            "ngspice": self.ngspice,
            "snncircuit": snncircuit.__version__,
        }
        return {
            label(a.point): {
                **{key: value if math.isfinite(value) else None for key, value in _brief(a).items()},
                "within_bars": all(bar.met for bar in a.bars().values()),
                "failures": len(a.failures),
                **made,
            }
            for a in self.agreements
        }


def validate(
    table: TransferTable,
    cell: NeuronCell,
    cards: Callable[[str], ModelCards],
    points: Sequence[OperatingPoint],
    *,
    pool: Pool,
    cache: SampleCache,
    n_steps: int = 1000,
    n_neurons: int = 2,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Validation:
    """Compare the table with ngspice at some of its operating points.

    Args:
        table: what is checked.
        cell: the neuron that the table claims to be.
        cards: the model cards of a corner.
        points: where; each must be in the table.
        pool: runs decks.
        cache: keeps finished simulations.
        n_steps: network steps of each simulation.
        n_neurons: simulations at each operating point.
        seed: of the charge trains.
        progress: called with (simulations finished, all).

    Raises:
        TableError: when a point is not in the table, the cell is not the one that was measured, or every simulation of a point failed.
    """
    tables = [
        table.at(corner=p.corner, temperature=p.temperature, v_dd=p.v_dd, v_neg=p.v_neg) for p in points
    ]
    check_origin(table, cell)
    by_corner = {c: cards(c) for c in dict.fromkeys(p.corner for p in points)}
    laboratory = Laboratory(cell=cell, cards=by_corner, pool=pool, cache=cache, timed=True)
    driven = [trains(t, n_neurons, n_steps, _HELD_OUT + seed) for t in tables]
    drives = [drive for t, made in zip(tables, driven, strict=True) for drive in made.drives(t)]
    wave = [(points[k // n_neurons], drive) for k, drive in enumerate(drives)]
    samples: dict[int, Sample] = {}
    for index, sample in laboratory.answer(wave):
        samples[index] = sample
        progress(len(samples), len(wave))
    wholes, parts = [], []
    for k, (at, made) in enumerate(zip(tables, driven, strict=True)):
        block = range(k * n_neurons, (k + 1) * n_neurons)
        answered = [(n, i) for n, i in enumerate(block) if samples[i].failure is None]
        errors = [(n, errors_of(at, drives[i], samples[i])) for n, i in answered]
        failures = [f for i in block if (f := samples[i].failure) is not None]
        if not errors:
            msg = f"{table.name} at {label(at.point)}: no simulation succeeded, so there is nothing to compare: {failures[0]}"
            raise TableError(msg)
        wholes.append(pooled([e for _, e in errors], failures))
        met = {kind: [(e, made.kind[n] == j) for n, e in errors] for j, kind in enumerate(KINDS)}
        parts.append(
            {
                kind: pooled([e.part(steps) for e, steps in found if steps.any()])
                for kind, found in met.items()
                if any(steps.any() for _, steps in found)
            }
        )
    return Validation(
        agreements=tuple(wholes),
        by_drive=tuple(parts),
        seed=seed,
        n_steps=n_steps,
        n_neurons=n_neurons,
        ngspice=laboratory.version,
        cards={corner: c.sha256 for corner, c in by_corner.items()},
    )


def check_origin(table: TransferTable, cell: NeuronCell) -> None:
    """Refuse a cell whose netlist is not the one that the table was measured from.

    Raises:
        TableError: with the hashes of both.
    """
    measured, now = table.provenance.get("netlist"), provenance(cell, {}, "")["netlist"]
    if measured != now:
        msg = (
            f"table {table.name} was measured from another netlist than {cell.netlist.path or cell.name}: expected the SHA-256 "
            f"{measured}, found {now}; characterise the neuron again"
        )
        raise TableError(msg)


def _brief(agreement: Agreement) -> dict[str, Any]:
    return {
        "n_steps": agreement.n_steps,
        "n_spikes": agreement.n_spikes,
        "v_mem_rmse": agreement.v_mem_rmse,
        "bias": agreement.bias,
        "bias_margin": agreement.bias_margin,
        "spikes_disagreeing": agreement.spikes_disagreeing,
        "spikes_matched": agreement.spikes_matched,
        "missed": agreement.missed,
        "extra": agreement.extra,
        "spike_count_error": agreement.spike_count_error,
        "energy_error": agreement.energy_error,
        "energy_error_by_supply": max(agreement.judged_energy_error_by_supply.values()),
    }
