"""What can be said of a neuron's circuit from its netlist alone: ports, bulks, junction areas, floating nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from snncircuit.characterise.cell import NeuronCell
from snncircuit.characterise.findings import Finding, or_passed
from snncircuit.spice.instances import Device

_AREAS = ("ad", "as", "pd", "ps")
# Pairs of nodes, by position, between which a device lets direct current pass; a gate, a capacitor or a current source lets none.
_PATHS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "b": ((0, 1),),
    "d": ((0, 1),),
    "e": ((0, 1),),
    "h": ((0, 1),),
    "l": ((0, 1),),
    "m": ((0, 2),),
    "q": ((0, 1), (1, 2)),
    "r": ((0, 1),),
    "s": ((0, 1),),
    "v": ((0, 1),),
    "w": ((0, 1),),
}


def structural_findings(cell: NeuronCell, devices: Sequence[Device]) -> list[Finding]:
    """Every structural check of a neuron whose circuit is open."""
    held = held_nodes(cell)
    n_transistors = sum(device.letter == "m" for device in devices)
    return [
        *or_passed(
            list(_ports(cell, devices)),
            "ports",
            f"each of the {len(cell.ports)} ports has a role and is used",
        ),
        *or_passed(
            list(_bulks(cell, devices, held)),
            "bulk",
            f"the bulk of each of the {n_transistors} transistors lies at a rail or its own source",
        ),
        *or_passed(
            list(_areas(devices)),
            "junction_area",
            f"each of the {n_transistors} transistors states its junctions",
        ),
        *or_passed(
            list(_floating(cell, devices, held)), "floating", "every node has a path for direct current"
        ),
    ]


def port_roles(cell: NeuronCell) -> dict[str, str]:
    """Port, as the netlist spells it -> its role, such as ``supplies.vdd``."""
    roles = {
        cell.membrane.port: "membrane",
        cell.spike.port: "spike",
        cell.exc.port: "inputs.exc",
        cell.inh.port: "inputs.inh",
        **{rail.port: f"supplies.{name}" for name, rail in cell.supplies.items()},
        **{bias.port: f"biases.{name}" for name, bias in cell.biases.items()},
        **{clock.port: f"clocks.{name}" for name, clock in cell.clocks.items()},
    }
    if cell.ground is not None:
        roles[cell.ground] = "ground"
    return {port: roles[port] for port in cell.ports}


def held_nodes(cell: NeuronCell) -> frozenset[str]:
    """The nodes that a source of voltage holds, small letters: ground, supplies, bias voltages."""
    ports = [rail.port for rail in cell.supplies.values()]
    ports += [bias.port for bias in cell.biases.values() if bias.voltage is not None]
    if cell.ground is not None:
        ports.append(cell.ground)
    return frozenset(("0", *(port.lower() for port in ports)))


def _ports(cell: NeuronCell, devices: Sequence[Device]) -> Iterator[Finding]:
    used = {node for device in devices for node in device.nodes}
    for port, role in port_roles(cell).items():
        if port.lower() not in used:
            yield Finding(
                check="ports",
                level="warning",
                text=f"no device is connected to the port {port} ({role}); expected at least one",
                node=port,
                place=cell.netlist.subckt(cell.subckt).place,
            )


def _bulks(cell: NeuronCell, devices: Sequence[Device], held: frozenset[str]) -> Iterator[Finding]:
    signals = {port.lower(): role for port, role in port_roles(cell).items() if port.lower() not in held}
    for device in devices:
        if device.letter != "m" or device.nodes[3] in held:
            continue
        bulk, source = device.nodes[3], device.nodes[2]
        if bulk in signals:
            level, why = "error", f"which is {signals[bulk]}, a signal"
        elif bulk == source:
            level, why = "warning", "its own source: right only if it has a well of its own"
        else:
            level, why = "error", "an inner node that no supply holds"
        yield Finding(
            check="bulk",
            level="error" if level == "error" else "warning",
            text=f"the bulk of {device.name} is tied to {bulk}, {why}; expected a supply or the ground port",
            device=device.name,
            node=bulk,
            place=device.place,
        )


def _areas(devices: Sequence[Device]) -> Iterator[Finding]:
    for device in devices:
        missing = [name for name in _AREAS if name not in device.given]
        if device.letter == "m" and missing:
            yield Finding(
                check="junction_area",
                level="warning",
                text=(
                    f"{device.name} gives no {' '.join(missing)}, so ngspice leaves these junctions out; "
                    f"expected {' '.join(_AREAS)}"
                ),
                device=device.name,
                place=device.place,
            )


def _floating(cell: NeuronCell, devices: Sequence[Device], held: frozenset[str]) -> Iterator[Finding]:
    touching: dict[str, list[Device]] = defaultdict(list)
    reach: dict[str, set[str]] = defaultdict(set)
    for device in devices:
        for node in device.nodes:
            touching[node].append(device)
        for a, b in _PATHS.get(device.letter, ()):
            reach[device.nodes[a]].add(device.nodes[b])
            reach[device.nodes[b]].add(device.nodes[a])
    clocks = {clock.port.lower() for clock in cell.clocks.values()}
    grounded, waiting = set(held | clocks), list(held | clocks)
    while waiting:
        for node in reach[waiting.pop()] - grounded:
            grounded.add(node)
            waiting.append(node)
    ports = {"0", *(port.lower() for port in cell.ports)}
    for node, around in touching.items():
        first = around[0]
        if node in grounded and (node in ports or len(around) > 1):
            continue
        if len(around) == 1 and node not in ports:
            text = f"only {first.name} is connected to the node {node}; expected two connections or more"
        else:
            names = ", ".join(dict.fromkeys(device.name for device in around))
            text = (
                f"the node {node} has no path for direct current to any supply, only gates, capacitors or current sources "
                f"({names}); expected one"
            )
        yield Finding(
            check="floating", level="error", text=text, device=first.name, node=node, place=first.place
        )
