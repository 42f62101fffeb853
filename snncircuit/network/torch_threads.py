"""Torch kept off the processors while the kernel runs on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

_lock = Lock()
_inside = 0
_threads = 1


def torch_threads() -> int:
    """How many threads torch may have, also while it is left one."""
    with _lock:
        return _threads if _inside else torch.get_num_threads()


@contextmanager
def torch_on_one_thread() -> Iterator[None]:
    """Leaves torch one thread, for the length of a block or of a function.

    After each operation on several threads these spin for some milliseconds, waiting for the next one, where the kernel's are to run.
    Torch keeps the number once for each thread of Python and once for new ones, so blocks that overlap ask the first of them.
    """
    global _inside, _threads
    with _lock:
        if not _inside:
            _threads = torch.get_num_threads()
        _inside += 1
        threads = _threads
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        with _lock:
            _inside -= 1
