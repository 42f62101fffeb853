"""Operating tables on a grid of operating points, and their file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from snncircuit.errors import TableError
from snncircuit.table.checksum import sealed, unsealed
from snncircuit.table.damage import SCHEMA, check_shape, check_values
from snncircuit.table.draws import drawn, with_draws
from snncircuit.table.header import check_header
from snncircuit.table.join import join, label
from snncircuit.table.netcdf import write_netcdf
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
        cls,
        name: str,
        tables: Sequence[OperatingTable],
        provenance: Mapping[str, Any],
        nominal: Mapping[str, Any] | None = None,
    ) -> TransferTable:
        """The table of several operating points; combinations that were not measured stay empty.

        ``nominal`` is the operating point whose values ``at`` takes for axes that are not named.

        Raises:
            TableError: when two tables have different grids.
        """
        return cls(dataset=join(name, tables, provenance, nominal))

    @property
    def name(self) -> str:
        """Name of the neuron."""
        return str(self.dataset.attrs["name"])

    @property
    def provenance(self) -> dict[str, Any]:
        """Hashes of netlist and cards, ngspice version and options, grid, package version."""
        return dict(json.loads(self.dataset.attrs["provenance"]))

    @property
    def nominal(self) -> dict[str, Any]:
        """What axes that are not named are taken at: the point around which the others were measured, else tt and 27 degC."""
        return {"corner": "tt", "temperature": 27.0, **json.loads(self.dataset.attrs.get("nominal", "{}"))}

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

    def nominal_points(self) -> list[dict[str, Any]]:
        """The measured points at nominal conditions, whatever their v_neg; all points where none is."""
        conditions = {axis: value for axis, value in self.nominal.items() if axis != "v_neg"}
        points = self.points()
        return [p for p in points if all(p[a] == value for a, value in conditions.items())] or points

    def at(self, **wanted: float | str) -> OperatingTable:
        """The table at one operating point.

        An axis that is not named must have one value, or is taken at its nominal one: that of the point around which the table
        was measured one axis at a time, else corner tt and 27 degC.

        Raises:
            TableError: when the point was not measured, with those that were.
        """
        unknown = wanted.keys() - set(POINT_AXES)
        if unknown:
            msg = f"table {self.name} has no axis {sorted(unknown)}; it has {', '.join(POINT_AXES)}"
            raise TableError(msg)
        nominal = self.nominal
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
            msg = f"table {self.name} was not measured at {label(point)}; it holds {'; '.join(label(p) for p in self.points())}"
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
            reasons=tuple(json.loads(d.attrs["reasons"]).get(label(point), ())),
            variation=drawn(d, where),
            **{sheet: d[sheet].values[where] for sheet in SHEETS},
        )

    def with_variation(
        self, point: Mapping[str, Any], values: NDArray[np.float64], origin: Mapping[str, Any]
    ) -> TransferTable:
        """The table with mismatched neurons at one of its operating points, in place of those it had there.

        Args:
            point: the operating point; must be in the table.
            values: shape (draws, 5), columns as in ``VARIATION``.
            origin: where they come from (seed, hash of the mismatch file, …), plain data.

        Raises:
            TableError: when the point was not measured.
        """
        return replace(self, dataset=with_draws(self.dataset, self.at(**point).point, values, origin))

    def save(self, path: Path) -> None:
        """Write NetCDF 4, whole or not at all; the same table gives the same bytes.

        Raises:
            TableError: when the file cannot be written.
        """
        compressed = {v: {"zlib": True, "complevel": 4} for v in SHEETS}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_netcdf(sealed(self.dataset), path, compressed)
        except OSError as error:
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
        check_header(path, TableError)
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
        dataset = unsealed(dataset, path)
        check_values(dataset, path)
        return cls(dataset=dataset)


def _listed(values: Sequence[float | str]) -> str:
    return ", ".join(v if isinstance(v, str) else f"{v:g}" for v in values)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
