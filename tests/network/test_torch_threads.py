"""Torch has one thread while the event engine runs, and afterwards as many as before."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from snncircuit.network.torch_threads import torch_on_one_thread, torch_threads


@pytest.fixture(autouse=True)
def three() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_a_block_knows_how_many_there_are_and_leaves_one() -> None:
    with torch_on_one_thread():
        assert torch_threads() == 3
        assert torch.get_num_threads() == 1
    assert torch_threads() == torch.get_num_threads() == 3


def test_an_error_leaves_them_as_they_were() -> None:
    with pytest.raises(KeyError), torch_on_one_thread():
        raise KeyError
    assert torch.get_num_threads() == 3


def test_blocks_that_overlap_in_threads_of_python_all_have_those_of_the_first() -> None:
    together = Barrier(4)

    def overlap() -> tuple[int, int, int]:
        with torch_on_one_thread():
            together.wait(timeout=60)
            inside = torch_threads(), torch.get_num_threads()
            together.wait(timeout=60)
        return *inside, torch.get_num_threads()

    for _ in range(20):
        with ThreadPoolExecutor(4) as pool:
            assert [f.result() for f in [pool.submit(overlap) for _ in range(4)]] == [(3, 1, 3)] * 4
    assert torch.get_num_threads() == 3
