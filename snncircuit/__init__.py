"""Spiking networks with neurons that behave, spike and burn energy like the SPICE netlist they were measured from.

The verbs are imported on first use, so that ``import snncircuit`` loads neither torch nor ngspice::

    snncircuit.load_cell        a neuron's folder → NeuronCell
    snncircuit.measure          NeuronCell → TransferTable, with ngspice
    snncircuit.TransferTable    load and save
    snncircuit.validate         a table against live ngspice
    snncircuit.convert          torch module → SpikingNetwork
    snncircuit.simulate         network, neurons, images → Run
    snncircuit.sweep            the same at each supply → Dataset
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "load_cell": ("characterise.cell", "load_cell"),
    "measure": ("characterise.run", "characterise"),
    "TransferTable": ("table", "TransferTable"),
    "validate": ("cosim.validate", "validate"),
    "convert": ("network.convert", "convert"),
    "simulate": ("network.simulate", "simulate"),
    "sweep": ("study.sweep", "sweep"),
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module snncircuit has no attribute {name!r}; it has {', '.join(__all__)}"
        raise AttributeError(msg)
    module, verb = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), verb)


def __dir__() -> list[str]:
    return list(__all__)
