"""The transfer table of a neuron: the one bridge between the SPICE half and the torch half.

One network step of a neuron maps ``(v_mem, q_exc, q_inh)`` to ``(v_next, spikes, energy of each supply)``. All three inputs are in
thresholds: the membrane above rest in units of ``threshold``, the charges in units of ``threshold_charge``. The table is a grid over the
start ``v_mem``, the charge that both inputs share, ``q_common = min(q_exc, gain_inh * q_inh)``, and the would-be membrane
``x = v_mem + q_exc - gain_inh * q_inh``, because in these coordinates every node can be measured. It holds

* ``edge[spike, v_mem, q_common]``: the x from which on the step gives at least 1, 2, … spikes;
* ``residual[v_mem, q_common, node]``: ``v_next - (x - spikes)``, what the circuit does beyond the ideal neuron, on nodes that follow
  the edges (``overdrive``), so that no interpolation ever crosses a firing edge;
* ``energy[supply, v_mem, q_common, node]``: joule that each supply delivers in the step beyond its synaptic part
  ``energy_exc * q_exc + energy_inh * q_inh``, which is linear in the charges and would have a kink in these coordinates.

The overdrive of a node is ``x - edge_1`` (negative) where the neuron stays silent, ``(x - edge_n) / (edge_{n+1} - edge_n)`` between two
edges and ``x - edge_n`` beyond the last. The operating point (corner, temperature, v_dd, v_neg) is four more axes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from snncircuit.errors import TableError

SCHEMA = 1
POINT_AXES = ("corner", "temperature", "v_dd", "v_neg")
FILLED, MEASURED, HOLE = 0, 1, 2
_MAX_VALUES = 200_000_000  # refuse headers that would allocate more than 1.6 GB
_TOLERANCE = 1e-6

SHEETS = {
    "start": ("v_mem",),
    "overdrive": ("node",),
    "edge": ("spike", "v_mem", "q_common"),
    "residual": ("v_mem", "q_common", "node"),
    "energy": ("supply", "v_mem", "q_common", "node"),
    "energy_exc": ("supply",),
    "energy_inh": ("supply",),
    "state": ("v_mem", "q_common", "node"),
}
FIGURES = {
    "threshold": ("V", "membrane above rest that just fires"),
    "threshold_charge": ("C", "charge of one excitatory pulse that lifts the membrane from rest to firing"),
    "v_low": ("1", "lowest start of a step that was measured, thresholds above rest"),
    "v_high": ("1", "highest start of a step that was measured, thresholds above rest"),
    "net_inh": ("1", "strongest net inhibition of a step that was measured, thresholds"),
    "net_exc": ("1", "strongest net excitation of a step that was measured, thresholds"),
    "lowest_membrane": ("V", "membrane after 1000 steps of the strongest inhibition in the table"),
    "reset_charge": ("1", "what a spike takes from the membrane at the firing edge, thresholds"),
    "leak": ("1", "change of a membrane at rest in a step without input, thresholds"),
    "gain_inh": (
        "1",
        "what an inhibitory charge takes from a membrane at half threshold, per excitatory charge of the same size",
    ),
    "one_step_memory": ("1", "rms effect of the previous step's pulses on a step, thresholds"),
    "held_out_error": (
        "1",
        "rms error of the interpolated membrane on random points that are no nodes, thresholds",
    ),
    "held_out_spikes": ("1", "share of those points whose spike count differs"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """A source whose energy is measured.

    Attributes:
        name: as in the cell description.
        kind: "rail", "bias", "clock" or "synapse" (the source of the inhibitory synapses' current).
        voltage: V; of a clock its high level.
    """

    name: str
    kind: str
    voltage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingTable:
    """The step of a neuron at one operating point; arrays as in the module's docstring, figures as in ``FIGURES``.

    Attributes:
        point: the operating point, ``{corner, temperature (degC), v_dd (V), v_neg (V)}``.
        start: shape (V,), membrane at the start of the step, thresholds, ascending.
        q_common: shape (C,), thresholds, ascending from 0.
        count: shape (K,), spikes of each node.
        supplies: the S measured sources.
        step: s, one network step.
        rest: V.
        reasons: one sentence for each hole.
    """

    point: Mapping[str, Any]
    start: NDArray[np.float64]
    q_common: NDArray[np.float64]
    count: NDArray[np.int64]
    overdrive: NDArray[np.float64]
    edge: NDArray[np.float64]
    residual: NDArray[np.float64]
    energy: NDArray[np.float64]
    energy_exc: NDArray[np.float64]
    energy_inh: NDArray[np.float64]
    state: NDArray[np.int8]
    supplies: tuple[Supply, ...]
    step: float
    rest: float
    figures: Mapping[str, float]
    reasons: tuple[str, ...] = ()

    @property
    def holes(self) -> int:
        """Number of nodes that were wanted and could not be measured."""
        return int((self.state == HOLE).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTable:
    """Operating tables of one neuron on a grid of operating points.

    Attributes:
        dataset: the data, axes and units as in the module's docstring.
    """

    dataset: xr.Dataset

    @classmethod
    def from_points(
        cls, name: str, tables: Sequence[OperatingTable], provenance: Mapping[str, Any]
    ) -> TransferTable:
        """The table of several operating points; combinations that were not measured stay empty.

        Raises:
            TableError: when two tables have different grids.
        """
        first = tables[0]
        axes = {axis: sorted({t.point[axis] for t in tables}, reverse=axis == "v_neg") for axis in POINT_AXES}
        lengths = {
            "v_mem": first.start.size,
            "q_common": first.q_common.size,
            "node": first.count.size,
            "spike": first.edge.shape[0],
            "supply": len(first.supplies),
        }
        outer = tuple(len(axes[a]) for a in POINT_AXES)
        data: dict[str, tuple[tuple[str, ...], NDArray[Any]]] = {}
        for sheet, dims in SHEETS.items():
            shape = outer + tuple(lengths[d] for d in dims)
            data[sheet] = (
                (*POINT_AXES, *dims),
                np.zeros(shape, np.int8) if sheet == "state" else np.full(shape, np.nan),
            )
        for figure in FIGURES:
            data[figure] = (POINT_AXES, np.full(outer, np.nan))
        data["voltage"] = ((*POINT_AXES, "supply"), np.full((*outer, lengths["supply"]), np.nan))
        reasons: dict[str, list[str]] = {}
        for t in tables:
            where = tuple(axes[a].index(t.point[a]) for a in POINT_AXES)
            for sheet in SHEETS:
                values = getattr(t, sheet)
                if values.shape != data[sheet][1][where].shape:
                    shape = data[sheet][1][where].shape
                    msg = f"cannot join operating points of {name}: {sheet} has shape {values.shape}, expected {shape}"
                    raise TableError(msg)
                data[sheet][1][where] = values
            for figure in FIGURES:
                data[figure][1][where] = t.figures[figure]
            data["voltage"][1][where] = [s.voltage for s in t.supplies]
            if t.reasons:
                reasons[_label(t.point)] = list(t.reasons)
        coords = {
            **{
                axis: ((axis,), np.array(axes[axis], dtype=object if axis == "corner" else float))
                for axis in POINT_AXES
            },
            "q_common": (("q_common",), first.q_common),
            "count": (("node",), first.count),
            "supply": (("supply",), np.array([s.name for s in first.supplies], dtype=object)),
            "kind": (("supply",), np.array([s.kind for s in first.supplies], dtype=object)),
        }
        dataset = xr.Dataset(data, coords)
        for axis, unit in {"temperature": "degC", "v_dd": "V", "v_neg": "V", "q_common": "threshold"}.items():
            dataset[axis].attrs["units"] = unit
        for sheet, unit in {
            "start": "threshold",
            "overdrive": "threshold",
            "edge": "threshold",
            "residual": "threshold",
            "energy": "J",
            "energy_exc": "J per threshold",
            "energy_inh": "J per threshold",
            "voltage": "V",
        }.items():
            dataset[sheet].attrs["units"] = unit
        for figure, (unit, meaning) in FIGURES.items():
            dataset[figure].attrs.update(units=unit, long_name=meaning)
        dataset["state"].attrs["meaning"] = "0 filled from its neighbours, 1 measured, 2 hole"
        dataset.attrs.update(
            schema=SCHEMA,
            name=name,
            step=first.step,
            rest=first.rest,
            provenance=json.dumps(provenance, sort_keys=True),
            reasons=json.dumps(reasons),
        )
        return cls(dataset=dataset)

    @property
    def name(self) -> str:
        """Name of the neuron."""
        return str(self.dataset.attrs["name"])

    @property
    def provenance(self) -> dict[str, Any]:
        """Hashes of netlist and cards, ngspice version and options, grid, package version."""
        return dict(json.loads(self.dataset.attrs["provenance"]))

    def points(self) -> list[dict[str, Any]]:
        """The measured operating points, in order of the axes."""
        found = []
        for where in np.ndindex(*(self.dataset.sizes[a] for a in POINT_AXES)):
            if np.isfinite(self.dataset["threshold"].values[where]):
                found.append(
                    {
                        a: self.dataset[a].values[i].item()
                        if a != "corner"
                        else str(self.dataset[a].values[i])
                        for a, i in zip(POINT_AXES, where, strict=True)
                    }
                )
        return found

    def at(self, **wanted: float | str) -> OperatingTable:
        """The table at one operating point.

        An axis that is not named must have one value, or is taken at its nominal one: corner tt, 27 degC.

        Raises:
            TableError: when the point was not measured, with those that were.
        """
        unknown = wanted.keys() - set(POINT_AXES)
        if unknown:
            msg = f"table {self.name} has no axis {sorted(unknown)}; it has {', '.join(POINT_AXES)}"
            raise TableError(msg)
        nominal: dict[str, float | str] = {"corner": "tt", "temperature": 27.0}
        where: list[int] = []
        for axis in POINT_AXES:
            values = [str(v) if axis == "corner" else float(v) for v in self.dataset[axis].values]
            value = wanted.get(axis, values[0] if len(values) == 1 else nominal.get(axis))
            if value is None:
                msg = f"table {self.name} was measured at several {axis}: name one of {_listed(values)}"
                raise TableError(msg)
            match = [
                i
                for i, v in enumerate(values)
                if (v == value if axis == "corner" else abs(float(v) - float(value)) < _TOLERANCE)
            ]
            if not match:
                msg = f"table {self.name} was not measured at {axis} = {value}; it holds {_listed(values)}"
                raise TableError(msg)
            where.append(match[0])
        return self._operating_table(tuple(where))

    def _operating_table(self, where: tuple[int, ...]) -> OperatingTable:
        d = self.dataset
        point = {
            a: (str(d[a].values[i]) if a == "corner" else float(d[a].values[i]))
            for a, i in zip(POINT_AXES, where, strict=True)
        }
        if not np.isfinite(d["threshold"].values[where]):
            msg = f"table {self.name} was not measured at {_label(point)}; it holds {'; '.join(_label(p) for p in self.points())}"
            raise TableError(msg)
        volts = d["voltage"].values[where]
        return OperatingTable(
            point=point,
            q_common=d["q_common"].values,
            count=d["count"].values,
            supplies=tuple(
                Supply(name=str(n), kind=str(k), voltage=float(v))
                for n, k, v in zip(d["supply"].values, d["kind"].values, volts, strict=True)
            ),
            step=float(d.attrs["step"]),
            rest=float(d.attrs["rest"]),
            figures={f: float(d[f].values[where]) for f in FIGURES},
            reasons=tuple(json.loads(d.attrs["reasons"]).get(_label(point), ())),
            **{sheet: d[sheet].values[where] for sheet in SHEETS},
        )

    def save(self, path: Path) -> None:
        """Write NetCDF 4, whole or not at all; the same table gives the same bytes.

        Raises:
            TableError: when the file cannot be written.
        """
        part = path.with_name(path.name + ".part")
        compressed = {v: {"zlib": True, "complevel": 4} for v in SHEETS}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.dataset.to_netcdf(part, engine="h5netcdf", encoding=compressed)
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            msg = f"cannot write table {path}: {error.strerror or error}"
            raise TableError(msg) from error

    @classmethod
    def load(cls, path: Path) -> TransferTable:
        """Read a table that ``save`` wrote.

        Raises:
            TableError: when the file is absent, truncated, no table, of a newer schema or inconsistent.
        """
        if not path.is_file():
            msg = f"no table {path}; expected a .nc file written by 'snncircuit characterise'"
            raise TableError(msg)
        try:
            with xr.open_dataset(path, engine="h5netcdf") as lazy:
                _check(lazy, path)
                dataset = lazy.load()
        except TableError:
            raise
        except Exception as error:  # the reader raises whatever a damaged file provokes in HDF5
            msg = (
                f"cannot read table {path}: expected a NetCDF file of schema {SCHEMA}, "
                f"found a damaged or foreign file ({_first_line(error)})"
            )
            raise TableError(msg) from error
        _check_values(dataset, path)
        return cls(dataset=dataset)


def _check(dataset: xr.Dataset, path: Path) -> None:
    schema = dataset.attrs.get("schema")
    if schema is None:
        msg = f"{path} is no transfer table: expected the attribute 'schema', found {sorted(map(str, dataset.attrs)) or 'no attributes'}"
        raise TableError(msg)
    if schema != SCHEMA:
        msg = f"{path} has table schema {schema}; this version of snncircuit reads schema {SCHEMA}: update snncircuit or characterise again"
        raise TableError(msg)
    wanted = {
        **{v: (*POINT_AXES, *d) for v, d in SHEETS.items()},
        **dict.fromkeys(FIGURES, POINT_AXES),
        "voltage": (*POINT_AXES, "supply"),
    }
    for variable, dims in wanted.items():
        found = dataset[variable].dims if variable in dataset else None
        if found != dims:
            msg = f"{path}: expected variable {variable} on axes {', '.join(dims)}, found {', '.join(map(str, found)) if found else 'none'}"
            raise TableError(msg)
    values = sum(int(np.prod(dataset[v].shape, dtype=object)) for v in wanted)
    if values > _MAX_VALUES:
        msg = f"{path} declares {values} values; a table holds at most {_MAX_VALUES}"
        raise TableError(msg)


def _check_values(dataset: xr.Dataset, path: Path) -> None:
    nodes = dataset["q_common"].values
    if nodes.size < 2 or nodes[0] != 0 or not np.all(np.diff(nodes) > 0):
        msg = f"{path}: expected q_common to ascend from 0, found {nodes.tolist()}"
        raise TableError(msg)
    measured = np.isfinite(dataset["threshold"].values)
    for sheet in ("start", "overdrive", "edge", "residual", "energy", "energy_exc", "energy_inh"):
        if not np.isfinite(dataset[sheet].values[measured]).all():
            msg = f"{path}: {sheet} holds values that are not finite at a measured operating point"
            raise TableError(msg)
    missing = {"name", "step", "rest", "provenance", "reasons"} - dataset.attrs.keys()
    if missing or "count" not in dataset.coords or "kind" not in dataset.coords:
        msg = f"{path}: incomplete table, missing {sorted(missing) or 'node or supply labels'}"
        raise TableError(msg)


def _label(point: Mapping[str, Any]) -> str:
    return f"{point['corner']}, {point['temperature']:g} degC, v_dd {point['v_dd']:g} V, v_neg {point['v_neg']:g} V"


def _listed(values: Sequence[float | str]) -> str:
    return ", ".join(v if isinstance(v, str) else f"{v:g}" for v in values)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
