"""Every error that snncircuit raises on purpose.

SnnCircuitError                 shown by the command line as one paragraph, exit code 2
├── UnitError                   a number or unit that cannot be read
├── NetlistError                a netlist, subcircuit or card that cannot be used
├── CellError                   a cell.toml that cannot be used
├── EngineMissingError          no ngspice on this machine
├── CharacterisationError       a neuron that cannot be measured
├── TableError                  a transfer table that is damaged, newer, or lacks what is asked of it
├── NetworkError                a network file that cannot be used
│   └── ConversionError         a layer that has no spiking equivalent
├── DatasetError                images or labels that cannot be had or read
├── SimulationError             a run that would not mean anything, or a damaged Run
└── AgreementError              a table that is further from its circuit than it may be

Each message says what was expected, what was found and what exists. Facts are passed by position, so that errors survive pickling from a
worker process.
"""


class SnnCircuitError(Exception):
    """Root of the tree; its text is one paragraph for the user."""


class UnitError(SnnCircuitError):
    """A number or unit that cannot be read."""


class NetlistError(SnnCircuitError):
    """A netlist, subcircuit or card that cannot be used."""


class CellError(SnnCircuitError):
    """A cell.toml that cannot be used."""


class EngineMissingError(SnnCircuitError):
    """No ngspice on this machine."""


class CharacterisationError(SnnCircuitError):
    """A neuron that cannot be measured."""


class TableError(SnnCircuitError):
    """A transfer table that is damaged, newer, or lacks what is asked of it."""


class NetworkError(SnnCircuitError):
    """A network file that cannot be used."""


class ConversionError(NetworkError):
    """A layer that has no spiking equivalent."""


class DatasetError(SnnCircuitError):
    """Images or labels that cannot be had or read."""


class SimulationError(SnnCircuitError):
    """A run that would not mean anything, or a damaged Run."""


class AgreementError(SnnCircuitError):
    """A table that is further from its circuit than it may be."""
