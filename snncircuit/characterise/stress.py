"""What a transient shows of a neuron's devices: voltages beyond what they stand, junctions that conduct."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snncircuit.characterise.findings import Finding, or_passed
from snncircuit.errors import CellError
from snncircuit.spice.instances import Device
from snncircuit.spice.lines import read_file

Array = NDArray[np.float64]
Voltage = Callable[[str], Array]
"""Node -> its voltage over time, V."""

FORWARD_ERROR = 0.4
"""V across a junction beyond which it conducts more than any leakage; lasting, it is a bulk or a well on the wrong rail."""
FORWARD_WARNING = 0.25
"""V across a junction worth a look."""
BRIEF = 0.01
"""Share of the time for which a junction may conduct: edges kick nodes through capacitances beyond their rails."""
OVERSHOOT_ERROR = 0.2
"""Share of a limit beyond which no duration is short enough."""
LASTING_ERROR = 0.05
"""Share of a limit that may not be exceeded for more than the same share of the time."""
_TERMINALS = "dgsb"


def terminal_limits(cards: Path) -> dict[str, float]:
    """Model, small letters -> V between any two terminals, from the TOML file of the same name beside the cards.

    Without such a file, or without the key ``terminal`` in a model's table, there is none.

    Raises:
        CellError: when there is a file but it cannot be read.
    """
    path = cards.with_suffix(".toml")
    if not path.is_file():
        return {}
    try:
        data = tomllib.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        msg = f"{path}: not TOML: {error}"
        raise CellError(msg) from None
    limits = {}
    for name, entry in data.items():
        terminal = entry.get("terminal") if isinstance(entry, dict) else None
        if isinstance(terminal, int | float) and not isinstance(terminal, bool) and 0 < terminal < 1e6:
            limits[name.lower()] = float(terminal)
    return limits


def stress_findings(
    devices: Sequence[Device], time: Array, voltage: Voltage, limit: float, by_model: Mapping[str, float]
) -> list[Finding]:
    """The junctions and the voltage limits of every transistor and diode over a transient.

    Args:
        devices: of the opened circuit.
        time: s, ascending.
        voltage: of a node, V, as long as the time.
        limit: V between any two terminals of any transistor.
        by_model: the same for single models; the smaller of both counts.
    """
    transistors = [device for device in devices if device.letter == "m"]
    return [
        *or_passed(
            list(_junctions(devices, time, voltage)),
            "junction",
            f"no junction is forward biased by more than {FORWARD_WARNING:g} V",
        ),
        *or_passed(
            list(_limits(transistors, time, voltage, limit, by_model)),
            "voltage",
            f"no two terminals of any of the {len(transistors)} transistors exceed its limit",
        ),
    ]


def time_above(time: Array, values: Array, level: float) -> float:
    """Seconds for which a signal, linear between its points, is above a level."""
    before, after = values[:-1] - level, values[1:] - level
    rise = np.abs(before) + np.abs(after)
    over = np.maximum(before, 0) + np.maximum(after, 0)
    share = np.divide(over, rise, out=np.zeros_like(rise), where=rise > 0)
    return float((np.diff(time) * share).sum())


def _junctions(devices: Sequence[Device], time: Array, voltage: Voltage) -> Iterator[Finding]:
    for device in devices:
        for what, anode, cathode in _pn(device):
            forward = voltage(anode) - voltage(cathode)
            worst = int(forward.argmax())
            if anode == cathode or forward[worst] <= FORWARD_WARNING:
                continue
            seconds = time_above(time, forward, FORWARD_WARNING)
            lasting = time_above(time, forward, FORWARD_ERROR) > BRIEF * time[-1]
            why = (
                "its bulk or well belongs on another rail" if lasting else "a brief kick through capacitances"
            )
            yield Finding(
                check="junction",
                level="error" if lasting else "warning",
                text=(
                    f"the {what} of {device.name} ({anode} to {cathode}) is forward biased by up to {forward[worst]:.2f} V "
                    f"(at {time[worst] * 1e6:.3f} µs; above {FORWARD_WARNING:g} V for {seconds * 1e9:.1f} ns of "
                    f"{time[-1] * 1e6:g} µs), {why}; expected at most {FORWARD_WARNING:g} V"
                ),
                device=device.name,
                node=cathode,
                place=device.place,
                value=float(forward[worst]),
                limit=FORWARD_WARNING,
            )


def _pn(device: Device) -> Iterator[tuple[str, str, str]]:
    """(name, node of the p side, node of the n side) of each junction of a device."""
    if device.letter == "d":
        yield "junction", device.nodes[0], device.nodes[1]
    elif device.letter == "m" and device.kind in ("nmos", "pmos"):
        drain, _, source, bulk = device.nodes[:4]
        for name, node in (("bulk-drain junction", drain), ("bulk-source junction", source)):
            yield (name, bulk, node) if device.kind == "nmos" else (name, node, bulk)


def _limits(
    transistors: Sequence[Device],
    time: Array,
    voltage: Voltage,
    limit: float,
    by_model: Mapping[str, float],
) -> Iterator[Finding]:
    for device in transistors:
        most = min(limit, by_model.get(device.model, limit))
        worst, seconds, pair = 0.0, 0.0, ""
        for a, b in combinations(range(4), 2):
            across = np.abs(voltage(device.nodes[a]) - voltage(device.nodes[b]))
            if across.max() > worst:
                worst, pair = float(across.max()), f"V{_TERMINALS[a]}{_TERMINALS[b]}"
            seconds = max(seconds, time_above(time, across, most))
        if worst <= most:
            continue
        lasting = seconds > LASTING_ERROR * time[-1] and worst > (1 + LASTING_ERROR) * most
        yield Finding(
            check="voltage",
            level="error" if lasting or worst > (1 + OVERSHOOT_ERROR) * most else "warning",
            text=(
                f"{pair} of {device.name} ({device.model}) reaches {worst:.2f} V, above {most:g} V for {seconds * 1e9:.1f} ns "
                f"of {time[-1] * 1e6:g} µs; expected at most {most:g} V"
            ),
            device=device.name,
            place=device.place,
            value=worst,
            limit=most,
        )
