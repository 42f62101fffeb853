"""The command line: each command parses, calls one function and prints.

Exit codes: 0 done; 2 a mistake in what was asked or given, told in one paragraph on stderr; 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence

import click

from snncircuit import __version__
from snncircuit.cli import (
    audit,
    cells,
    demo,
    measure,
    mismatch,
    networks,
    simulations,
    studies,
    sweeps,
    validation,
    whole,
)
from snncircuit.cli.console import Interrupted
from snncircuit.errors import SnnCircuitError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="snncircuit")
def command() -> None:
    """From the SPICE netlist of a neuron to the accuracy and energy of a whole network made of it."""


for verb in (
    *measure.COMMANDS,
    *validation.COMMANDS,
    *mismatch.COMMANDS,
    *cells.COMMANDS,
    *networks.COMMANDS,
    *simulations.COMMANDS,
    *sweeps.COMMANDS,
    *studies.COMMANDS,
    *audit.COMMANDS,
    *whole.COMMANDS,
    *demo.COMMANDS,
):
    command.add_command(verb)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code.

    Args:
        arguments: the words after ``snncircuit``; those of the process when None.

    Returns:
        0, 2 or 130 as in the module's docstring, with what went wrong told on stderr.
    """
    # Threads of torch that spin while they wait cost four times the CPU on a busy machine. Read when torch is first loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        command.main(args=arguments, prog_name="snncircuit", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return 2
    except SnnCircuitError as error:
        return _fail(str(error))
    except (MemoryError, RecursionError) as error:
        return _fail(f"what was given is too large or nested too deeply to be read ({type(error).__name__})")
    except OSError as error:
        return _fail(f"{error.filename or 'the operating system'}: {error.strerror or error}")
    except Interrupted as error:
        print(f"interrupted: {error}", file=sys.stderr)
        return 130
    except (KeyboardInterrupt, click.Abort):
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    return 0


def _fail(text: str) -> int:
    print(f"snncircuit: {' '.join(text.split())}", file=sys.stderr)
    return 2
