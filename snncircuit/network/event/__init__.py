"""The event-driven engine, in C++: spikes as bits, exact sums, the code for the widest instruction set of the processor."""

from functools import cache

from snncircuit.errors import SimulationError


def available() -> bool:
    """Whether the compiled kernel is there; the package installs without it where there is no compiler."""
    return not unavailable_reason()


@cache
def unavailable_reason() -> str:
    """Why the kernel cannot be used and what to do about it; empty where it can."""
    try:
        import snncircuit.network.event._kernel  # noqa: F401 - whether it can be imported is the question
    except ModuleNotFoundError:
        return (
            "the event engine was not built: there was no C++ compiler when snncircuit was installed; "
            "with one, install again (in a checkout: make kernel)"
        )
    except ImportError as error:
        return f"the event engine was built but cannot be loaded: {error}"
    return ""


def simd() -> str:
    """The instruction set that runs: the widest that build and processor share, or the one SNNCIRCUIT_SIMD names.

    Raises:
        SimulationError: when the kernel is not there, or the environment names an instruction set that is not.
    """
    if not available():
        raise SimulationError(unavailable_reason())
    from snncircuit.network.event import _kernel

    try:
        return _kernel.simd()
    except ValueError as error:
        raise SimulationError(str(error)) from None
