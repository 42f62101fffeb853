"""A measured neuron back into EDA tools: the data files of ``$table_model`` and the Verilog-A module that reads them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snncircuit.errors import TableError
from snncircuit.table.operating import OperatingTable
from snncircuit.table.verilog_a import Names, module_text

_PLAIN = re.compile(r"[a-z][a-z0-9_]*")


def write_verilog_a(name: str, table: OperatingTable, folder: Path) -> list[Path]:
    """Write one operating point of a neuron as a Verilog-A module with its data.

    The data files are in the isoline format of ``$table_model`` (Verilog-AMS LRM 2.4): one sample a line, the independent variables
    first and the outermost of them foremost, then the dependent ones.

    Args:
        name: of the neuron.
        table: one operating point.
        folder: made where there is none; files of the same names in it are replaced.

    Returns:
        The module, then its data files.

    Raises:
        TableError: when the folder cannot be written, or a supply's name can be no identifier.
    """
    names = names_of(name, table)
    texts = {names.module + ".va": module_text(name, table, names)}
    texts |= data_files(table, names)
    draft = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for file, text in texts.items():
            (draft / file).write_text(text, encoding="ascii")
        folder.mkdir(exist_ok=True)
        for file in texts:
            (draft / file).replace(folder / file)
        draft.rmdir()
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        msg = f"cannot write {folder}: {error.strerror or error}"
        raise TableError(msg) from error
    return [folder / file for file in texts]


def names_of(name: str, table: OperatingTable) -> Names:
    """The identifiers and files of a module.

    Raises:
        TableError: when a supply's name can be no identifier.
    """
    wrong = [supply.name for supply in table.supplies if not _PLAIN.fullmatch(supply.name)]
    if wrong:
        msg = f"table {name}: the supply {wrong[0]!r} cannot be an identifier; expected small letters, digits and '_'"
        raise TableError(msg)
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:60]
    module = plain if re.match("[A-Za-z_]", plain) else f"neuron_{plain}"
    n_edges = table.edge.shape[0]
    return Names(
        module=module,
        edges=f"{module}_edges.tbl",
        pieces=tuple(f"{module}_step{n}.tbl" for n in range(n_edges + 1)),
        supplies=tuple(supply.name for supply in table.supplies),
    )


def data_files(table: OperatingTable, names: Names) -> dict[str, str]:
    """File -> text: the firing edges over (v_mem, common charge), and the rest of the step for each count of spikes.

    The latter is over (v_mem, common charge, overdrive) and gives the residual and the energy of each supply.
    """
    n_edges = table.edge.shape[0]
    heading = ["v_mem", "common", *(f"edge{n + 1}" for n in range(n_edges))]
    plane = np.meshgrid(table.start, table.q_common, indexing="ij")
    texts = {names.edges: _table(heading, [*plane, *table.edge])}
    for n, file in enumerate(names.pieces):
        here = table.count == n
        grid = np.meshgrid(table.start, table.q_common, table.overdrive[here], indexing="ij")
        heading = ["v_mem", "common", "overdrive", "residual", *(f"energy_{s}" for s in names.supplies)]
        texts[file] = _table(heading, [*grid, table.residual[..., here], *table.energy[..., here]])
    return texts


def _table(heading: list[str], columns: Iterable[NDArray[np.float64]]) -> str:
    # Row by row in C order, so that the last independent variable runs fastest: along an isoline.
    rows = zip(*(np.asarray(column, dtype=np.float64).ravel().tolist() for column in columns), strict=True)
    return "\n".join(("# " + " ".join(heading), *(" ".join(map(repr, row)) for row in rows), ""))
