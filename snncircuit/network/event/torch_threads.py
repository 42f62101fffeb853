"""Torch kept off the processors while the kernel runs on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

_lock = Lock()
_inside = 0
_threads = 1


@contextmanager
def torch_on_one_thread() -> Iterator[int]:
    """Gives how many threads torch may have, and leaves it one until the block ends.

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
        yield threads
    finally:
        torch.set_num_threads(threads)
        with _lock:
            _inside -= 1
