"""Operating tables on a grid of operating points, and their file."""

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
from snncircuit.table.damage import SCHEMA, check_shape, check_values
from snncircuit.table.operating import FIGURES, POINT_AXES, SHEETS, OperatingTable, Supply

_TOLERANCE = 1e-6


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
                check_shape(lazy, path)
                dataset = lazy.load()
        except TableError:
            raise
        except Exception as error:  # the reader raises whatever a damaged file provokes in HDF5
            msg = (
                f"cannot read table {path}: expected a NetCDF file of schema {SCHEMA}, "
                f"found a damaged or foreign file ({_first_line(error)})"
            )
            raise TableError(msg) from error
        check_values(dataset, path)
        return cls(dataset=dataset)


def _label(point: Mapping[str, Any]) -> str:
    return f"{point['corner']}, {point['temperature']:g} degC, v_dd {point['v_dd']:g} V, v_neg {point['v_neg']:g} V"


def _listed(values: Sequence[float | str]) -> str:
    return ", ".join(v if isinstance(v, str) else f"{v:g}" for v in values)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
