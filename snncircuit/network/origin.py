"""What made a Run: digests of its network, neuron and images, so that it can be repeated exactly or refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snncircuit.errors import SimulationError
from snncircuit.network.files import network_files
from snncircuit.network.run import Run, Setting
from snncircuit.table import SHEETS, OperatingTable

REPEATED = (
    "network_file",
    "network_sha256",
    "table_file",
    "table_sha256",
    "images_sha256",
    "corner",
    "temperature",
    "v_dd",
    "v_neg",
    "pump_efficiency",
    "steps",
    "images",
    "encoder",
    "seed",
    "synapse_levels",
    "float_weights",
    "exit_margin",
)
"""Settings without which a Run of circuit neurons cannot be repeated."""


def network_digest(path: Path | str) -> str:
    """SHA-256, in hexadecimal, of the two files of a network that has been loaded: description, then weights."""
    found = hashlib.sha256()
    for file in network_files(path):
        found.update(file.read_bytes())
    return found.hexdigest()


def table_digest(table: OperatingTable) -> str:
    """SHA-256, in hexadecimal, of every number that the step of a neuron depends on.

    What a file says beside them (how well they were validated, other operating points) is left out, so that it may grow.
    """
    found = hashlib.sha256()
    facts = (dict(table.point), table.supplies, table.step, table.rest, dict(sorted(table.figures.items())))
    found.update(repr(facts).encode())
    for name in ("q_common", "count", *sorted(SHEETS)):
        values = np.ascontiguousarray(getattr(table, name))
        found.update(f"{name} {values.dtype.str} {values.shape}".encode())
        found.update(values.tobytes())
    return found.hexdigest()


def check_repeatable(run: Run) -> Mapping[str, Setting]:
    """The settings of a Run of circuit neurons that says all of what made it.

    Raises:
        SimulationError: a Run of ideal or live neurons, or one that lacks some of ``REPEATED``.
    """
    found = run.settings
    if run.rails is None:
        msg = f"a Run of {found.get('neuron', 'unknown')} neurons has no circuit behind it; expected one of circuit neurons"
        raise SimulationError(msg)
    if run.live:
        names = ", ".join(f"{trace.layer}:{trace.index}" for trace in run.live)
        msg = f"neurons of the Run were ngspice itself: {names}; expected a Run of tables alone, made without --live"
        raise SimulationError(msg)
    missing = [name for name in REPEATED if name not in found]
    if missing:
        msg = (
            f"the Run does not say what made it: expected the settings {', '.join(REPEATED)}, missing {', '.join(missing)}; "
            "it is of an older snncircuit: run the network again with snncircuit run -o"
        )
        raise SimulationError(msg)
    return found


def check_same(run: Run, what: str, expected: str, found: str) -> None:
    """Refuse what is not what made the Run.

    Args:
        run: that is to be repeated.
        what: ``network``, ``table`` or ``images``: the setting ``{what}_sha256`` holds their digest.
        expected: where the thing was when the Run was made, for the message.
        found: digest of what is there now.

    Raises:
        SimulationError: when the digests differ.
    """
    recorded = run.settings[f"{what}_sha256"]
    if found != recorded:
        msg = (
            f"the {what} at {expected} is not the one of the Run: expected SHA-256 {recorded}, found {found}; give the one that made "
            "the Run, or run the network again"
        )
        raise SimulationError(msg)
