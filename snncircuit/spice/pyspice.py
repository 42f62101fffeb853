"""PySpice as a way to write neurons, and its shared mode as an engine to hold ours against.

PySpice is under the GPLv3. It is an optional extra, imported here alone and only inside these functions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from snncircuit.errors import NetlistError
from snncircuit.spice.discovery import find_ngspice
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.library import Vectors, vector_name
from snncircuit.spice.netlist import Netlist, parse_netlist_text

_MISSING = "PySpice is not installed; expected the extra: pip install 'snncircuit[pyspice]'"


def read_neuron(neuron: object) -> Netlist:
    """The checked netlist of a neuron written in PySpice.

    Args:
        neuron: a ``SubCircuit`` or ``SubCircuitFactory``, an instance or a class that needs no arguments, or a ``Circuit`` that
            holds nothing but subcircuits.

    Raises:
        NetlistError: when PySpice is missing, the object is of another kind, or its netlist cannot be used.
    """
    try:
        from PySpice.Spice.Netlist import Circuit, SubCircuit
    except ImportError as error:
        raise NetlistError(_MISSING) from error
    made = neuron() if isinstance(neuron, type) and issubclass(neuron, SubCircuit) else neuron
    if not isinstance(made, (SubCircuit, Circuit)):
        msg = f"expected a PySpice SubCircuit, SubCircuitFactory or Circuit, found {type(made).__name__}"
        raise NetlistError(msg)
    return parse_netlist_text(str(made), f"PySpice {type(made).__name__}")


def shared_mode() -> EnginePool:
    """An engine that simulates through PySpice's shared mode, in a worker of ours.

    Raises:
        EngineMissingError: when this machine has no libngspice.
    """
    from dataclasses import replace

    return EnginePool(found=replace(find_ngspice(), kind="pyspice"), rungs=0)


class SharedMode:
    """PySpice's ``NgSpiceShared`` behind the method of :class:`snncircuit.spice.library.Library`; for worker processes.

    Args:
        path: of libngspice.
    """

    def __init__(self, path: str) -> None:
        from PySpice.Spice.NgSpice.Shared import NgSpiceShared

        NgSpiceShared.LIBRARY_PATH = path
        self._shared: Any = NgSpiceShared()
        # It takes harmless notes for errors.
        with contextlib.suppress(NameError):
            self._shared.exec_command("set num_threads=1")

    def version(self) -> str:
        """Name and version of the library."""
        return f"ngspice-{self._shared.ngspice_version}"

    def simulate(self, text: str, save: Sequence[str]) -> tuple[Vectors, list[str]]:
        """Run one deck; see :meth:`snncircuit.spice.library.Library.simulate`."""
        log: list[str] = []
        with contextlib.suppress(NameError):
            self._shared.load_circuit(text)
            log += self._shared.stdout.splitlines()
            self._shared.run()
        log += [*self._shared.stdout.splitlines(), *self._shared.stderr.splitlines()]
        vectors: Vectors = {}
        name = self._shared.last_plot
        if name.startswith("tran"):
            plot = self._shared.plot(None, name)
            for request in ("time", *save):
                if vector_name(request) in plot:
                    vectors[request] = plot[vector_name(request)]._data.astype("float64").tobytes()
        for command in ("destroy all", "remcirc"):
            with contextlib.suppress(NameError):
                self._shared.exec_command(command)
        return vectors, log
