"""What a table remembers of having been held against live ngspice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from snncircuit.errors import TableError
from snncircuit.table.join import label
from snncircuit.table.transfer import TransferTable

_ATTRIBUTE = "validation"
_MAX_TEXT = 1 << 20  # characters; a few hundred operating points take a tenth of it


def validation(table: TransferTable) -> dict[str, dict[str, Any]]:
    """Figures of the last validation of each operating point that had one, by its label; empty when there was none.

    Raises:
        TableError: when what the table remembers is no such record.
    """
    text = table.dataset.attrs.get(_ATTRIBUTE, "{}")
    found: Any = None
    if isinstance(text, str) and len(text) <= _MAX_TEXT:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
    if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
        msg = (
            f"table {table.name}: expected its attribute {_ATTRIBUTE!r} to be a JSON object of objects with at most {_MAX_TEXT} "
            f"characters, found {text!r:.80}; validate it again with a fresh copy"
        )
        raise TableError(msg)
    return found


def validated(table: TransferTable, point: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same of one operating point; None when it was never validated."""
    return validation(table).get(label(point))


def remembered(table: TransferTable, point: Mapping[str, Any]) -> dict[str, str | float | None]:
    """The same in a few flat words, for a Run made with the table to remember; a figure that could not be found is None."""
    found = validated(table, point)
    if found is None:
        return {"table_validated": "never"}
    figures = ("v_mem_rmse", "bias", "spikes_matched", "spike_count_error", "energy_error")
    return {
        "table_validated": "within the bars" if found.get("within_bars") is True else "outside the bars",
        **{f"table_{name}": found.get(name) for name in figures},
    }


def with_validation(table: TransferTable, records: Mapping[str, Mapping[str, Any]]) -> TransferTable:
    """The table with these records in place of those of the same operating points."""
    kept = {**validation(table), **records}
    return replace(table, dataset=table.dataset.assign_attrs({_ATTRIBUTE: json.dumps(kept, sort_keys=True)}))
