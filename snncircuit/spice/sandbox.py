"""What a worker gives up before it touches a deck: memory, processor time, files, core dumps, other programs, life without its parent.

A deck that passes the gate asks for none of this. The limits are for what the gate or ngspice gets wrong.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys

MEMORY_BYTES = 4 << 30
_FILE_BYTES = {"program": 256 << 20}  # ngspice -b answers in a file
_SMALL_FILE_BYTES = 1 << 20
_OPEN_FILES = 256
_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_MODE_FILTER = 2
# The audit number of the architecture, then the numbers of execve, execveat, socket, ptrace: linux/audit.h, asm/unistd.h.
_CALLS = {"x86_64": (0xC000003E, 59, 322, 41, 101), "aarch64": (0xC00000B7, 221, 281, 198, 117)}
_X32 = 0x40000000  # from here on, x86_64 has a second number for every call
# Landlock, linux/landlock.h: these three calls have the same numbers everywhere.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_BENEATH = 1
# To write or truncate a file, to remove a file or folder, to make one of any kind.
_WRITING = (1 << 1) | sum(1 << bit for bit in range(4, 13)) | (1 << 14)
_TRUNCATE = 1 << 14
_WITH_TRUNCATE = 3  # version of Landlock


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
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def limit_processor(seconds: float) -> None:
    """End this process when it computes for so many seconds more; call it again before each deck.

    It comes on top of the alarm, which a process that is stopped and continued would outlive.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + seconds) + 1
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def confine_writes(*folders: str) -> bool:
    """Let this process and those that it starts write, make and remove files in these folders only, where Linux has Landlock.

    Returns:
        Whether the kernel does so.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    writing = _WRITING if version >= _WITH_TRUNCATE else _WRITING & ~_TRUNCATE
    ruleset = libc.syscall(_CREATE_RULESET, struct.pack("Q", writing), ctypes.c_size_t(8), 0)
    if ruleset < 0:
        return False
    try:
        allowed = [(folder, writing) for folder in folders]
        for path, rights in (*allowed, (os.devnull, writing & (_TRUNCATE | 1 << 1))):
            place = os.open(path, os.O_PATH)
            libc.syscall(_ADD_RULE, ruleset, _BENEATH, struct.pack("=Qi", rights, place), 0)
            os.close(place)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def filter_program(machine: str) -> bytes:
    """The seccomp filter that answers execve, execveat, socket and ptrace with EPERM; empty for an unknown machine.

    Calls by another architecture's numbers, which would pass the comparison, are all refused.
    """
    if machine not in _CALLS:
        return b""
    architecture, *calls = _CALLS[machine]
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    deny, allow = 0x00050001, 0x7FFF0000
    # Jumps are counted from the next instruction; "deny" is the last one, "allow" stands before it.
    checks = [(equal, call) for call in calls] + [(at_least, _X32)]
    instructions = [(load, 0, 0, 4), (equal, 0, len(checks) + 2, architecture), (load, 0, 0, 0)]
    instructions += [(test, len(checks) - index, 0, value) for index, (test, value) in enumerate(checks)]
    instructions += [(give, 0, 0, allow), (give, 0, 0, deny)]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)


def forbid_programs() -> None:
    """Let this process start no program and open no connection any more, where Linux can see to it."""
    program = filter_program(platform.machine())
    if sys.platform != "linux" or not program:
        return
    libc = ctypes.CDLL(None)
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: number of instructions, padding, address.
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.create_string_buffer(header, len(header)), 0, 0)
