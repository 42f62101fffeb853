"""What a worker gives up before it touches a deck: memory, files, core dumps, other programs, and life without its parent."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import resource
import signal
import struct
import sys

MEMORY_BYTES = 4 << 30
_FILE_BYTES = {"program": 256 << 20}  # ngspice -b answers in a file
_SMALL_FILE_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_MODE_FILTER = 2
# Numbers of execve and execveat, and the audit number of the architecture: linux/audit.h, asm/unistd.h.
_EXEC = {"x86_64": (0xC000003E, 59, 322), "aarch64": (0xC00000B7, 221, 281)}


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere the worker's alarm and its closed connection end it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit(kind: str) -> None:
    """Limit memory and file size, and leave no core; a limit that the system refuses is left as it is."""
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, _FILE_BYTES.get(kind, _SMALL_FILE_BYTES)),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def filter_program(machine: str) -> bytes:
    """The seccomp filter that answers execve and execveat with EPERM; empty for an unknown machine."""
    if machine not in _EXEC:
        return b""
    architecture, *calls = _EXEC[machine]
    load, equal, give = 0x20, 0x15, 0x06
    deny, allow = 0x00050001, 0x7FFF0000
    instructions = (
        (load, 0, 0, 4),
        (equal, 0, 3, architecture),
        (load, 0, 0, 0),
        (equal, 2, 0, calls[0]),
        (equal, 1, 0, calls[1]),
        (give, 0, 0, allow),
        (give, 0, 0, deny),
    )
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)


def forbid_programs() -> None:
    """Let this process start no program any more, where Linux can see to it."""
    program = filter_program(platform.machine())
    if sys.platform != "linux" or not program:
        return
    libc = ctypes.CDLL(None)
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: number of instructions, padding, address.
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.create_string_buffer(header, len(header)), 0, 0)
