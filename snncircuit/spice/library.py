"""libngspice inside this process.

A fatal netlist error disables the library for good, and some decks crash it: only worker processes, which are replaced, load it.
Its return codes are 0 after failed runs too, so they are not looked at; :mod:`snncircuit.spice.judge` judges the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cffi import FFI

_DECLARATIONS = """
typedef struct { double real; double imag; } ngcomplex;
typedef struct { char *name; int type; short flags; double *real; ngcomplex *complex; int length; } vector_info;
typedef int (*send_char)(char *, int, void *);
typedef int (*controlled_exit)(int, bool, bool, int, void *);
typedef int (*current_source)(double *, double, char *, int, void *);
int ngSpice_Init(send_char, void *, controlled_exit, void *, void *, void *, void *);
int ngSpice_Command(char *);
int ngSpice_Circ(char **);
vector_info *ngGet_Vec_Info(char *);
char *ngSpice_CurPlot(void);
int ngSpice_Init_Sync(void *, current_source, void *, void *, void *);
"""

Vectors = dict[str, bytes]


def vector_name(request: str) -> str:
    """Ngspice's name of what a ``.save`` card asks for: ``v(vm)`` is ``vm``, ``i(vvdd)`` is ``vvdd#branch``."""
    text = request.strip().lower()
    if text.startswith("v(") and text.endswith(")"):
        return text[2:-1].strip()
    if text.startswith("i(") and text.endswith(")"):
        return text[2:-1].strip() + "#branch"
    return text


class Library:
    """One loaded libngspice.

    Args:
        path: the shared object.
        fatal: called with the log when ngspice wants to end the process; it must not return.
    """

    def __init__(self, path: str, fatal: Callable[[list[str]], None]) -> None:
        """Load and initialise the library; raises OSError when it cannot be loaded."""
        self._ffi: Any = FFI()
        self._ffi.cdef(_DECLARATIONS)
        self._lib: Any = self._ffi.dlopen(path)
        self._log: list[str] = []
        self._current: Callable[[str, float], float] = _silent

        def send_char(text: Any, _ident: int, _user: Any) -> int:
            self._log.append(self._ffi.string(text).decode(errors="replace"))
            return 0

        def controlled_exit(_status: int, _immediate: bool, _quit: bool, _ident: int, _user: Any) -> int:
            fatal(self._log)
            return 0

        def current_source(value: Any, time: float, name: Any, _ident: int, _user: Any) -> int:
            value[0] = self._current(self._ffi.string(name).decode(), time)
            return 0

        def wrong(_kind: type[BaseException], error: BaseException, _trace: Any) -> None:
            # Nothing can be raised through ngspice, which would go on with a wrong current.
            fatal([*self._log, f"Error: {type(error).__name__}: {error}"])

        # The closures must live as long as the library may call them.
        self._callbacks = (
            self._ffi.callback("send_char", send_char),
            self._ffi.callback("controlled_exit", controlled_exit),
            self._ffi.callback("current_source", current_source, onerror=wrong),
        )
        null = self._ffi.NULL
        self._lib.ngSpice_Init(self._callbacks[0], null, self._callbacks[1], null, null, null, null)
        self._lib.ngSpice_Init_Sync(null, self._callbacks[2], null, null, null)
        self._command("set num_threads=1")

    def _command(self, text: str) -> None:
        self._lib.ngSpice_Command(self._ffi.new("char[]", text.encode()))

    def version(self) -> str:
        """What the library says of itself, one text."""
        self._log.clear()
        self._command("version -f")
        return "\n".join(self._log)

    def simulate(self, text: str, save: Sequence[str]) -> tuple[Vectors, list[str]]:
        """Run one deck and forget it.

        Args:
            text: the whole deck.
            save: what was asked for, as in ``.save``.

        Returns:
            ``time`` and each request that exists, as native float64 bytes, and the log.
        """
        self.drive(text, _silent)
        vectors, log = self.vectors(save), self.take_log()
        self.forget()
        return vectors, log

    def drive(self, text: str, current: Callable[[str, float], float]) -> None:
        """Run one deck, whose results stay until :meth:`forget`.

        Args:
            text: the whole deck.
            current: asked for the value in A of an external current source, by its name and the time in s, whenever the solver
                tries a time; it may look at the results so far, which end with the last accepted time.
        """
        self._log.clear()
        self._current = current
        lines = [self._ffi.new("char[]", line.encode()) for line in text.splitlines()]
        self._lib.ngSpice_Circ(self._ffi.new("char *[]", [*lines, self._ffi.NULL]))
        self._command("run")

    def vectors(self, save: Sequence[str], first: int = 0) -> Vectors:
        """The results so far: ``time`` and each request that exists from point ``first`` on, as native float64 bytes."""
        vectors: Vectors = {}
        plot = self._ffi.string(self._lib.ngSpice_CurPlot()).decode()
        if plot.startswith("tran"):
            for request in ("time", *save):
                info = self._lib.ngGet_Vec_Info(self._ffi.new("char[]", vector_name(request).encode()))
                if info != self._ffi.NULL and info.real != self._ffi.NULL:
                    vectors[request] = bytes(
                        self._ffi.buffer(info.real + first, 8 * max(info.length - first, 0))
                    )
        return vectors

    def take_log(self) -> list[str]:
        """What was printed since the last call."""
        log = list(self._log)
        self._log.clear()
        return log

    def forget(self) -> None:
        """Drop the circuit and its results."""
        self._command("destroy all")
        self._command("remcirc")


def _silent(_name: str, _time: float) -> float:
    return 0.0
