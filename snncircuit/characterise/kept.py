"""Samples as a store keeps them; a record that is no sample any more counts as none, so that it is simulated again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from snncircuit.characterise.drive import Sample

_MAX_BYTES = 64 << 20


def revived(record: bytes | None, n_steps: int) -> Sample | None:
    """The sample of a record of ``Sample.record`` as JSON.

    Args:
        record: as kept, or None.
        n_steps: of the drive.

    Returns:
        The sample; None for no record, one that is damaged, of another length or with values that are not finite.
    """
    if record is None or len(record) > _MAX_BYTES:
        return None
    try:
        data = json.loads(record)
        latency = data.get("latency")
        sample = Sample(
            v_mem=tuple(data["v_mem"]),
            spikes=tuple(data["spikes"]),
            energy=tuple(tuple(of_supply) for of_supply in data["energy"]),
            latency=None if latency is None else tuple(latency),
            failure=data["failure"],
        )
        whole = (
            len(sample.v_mem) == n_steps + 1
            and all(len(values) == n_steps for values in (sample.spikes, *sample.energy))
            and _finite(sample.v_mem)
            and _finite(sample.spikes)
            and all(_finite(of_supply) for of_supply in sample.energy)
        )
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return sample if whole else None


def _finite(values: Iterable[float]) -> bool:
    return all(math.isfinite(value) for value in values)
