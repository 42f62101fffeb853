from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def simd() -> str: ...

class Table:
    def __init__(
        self,
        start: NDArray[np.float32],
        common: NDArray[np.float32],
        low: NDArray[np.float32],
        width: NDArray[np.float32],
        first: NDArray[np.int32],
        last: NDArray[np.int32],
        edge: NDArray[np.float32],
        rows: NDArray[np.float32],
        figures: NDArray[np.float32],
        profile: bool,
    ) -> None: ...
    @property
    def profile(self) -> bool: ...

class Network:
    def __init__(self) -> None: ...
    def add(
        self,
        geometry: Sequence[int],
        weights: NDArray[np.int16] | NDArray[np.float32] | None,
        site_blocks: NDArray[np.int32],
        block_segments: NDArray[np.int32],
        block_row: NDArray[np.int64],
        segments: NDArray[np.int32],
        exc: NDArray[np.int16] | NDArray[np.float32] | None,
        net: NDArray[np.int16] | NDArray[np.float32] | None,
        grid: float,
        table: Table | None,
        v_lb: float,
        to_zero: bool,
    ) -> None: ...
    def run(
        self,
        images: int,
        steps: int,
        chunk: int,
        threads: int,
        bits: NDArray[np.uint64] | None,
        exc: NDArray[np.float32] | None,
        net: NDArray[np.float32] | None,
        exit_margin: int,
        steps_used: NDArray[np.int32],
        counts: Sequence[NDArray[np.float32]],
        output: NDArray[np.float32],
        v_output: NDArray[np.float32],
        sums: NDArray[np.float64],
        visits: Sequence[NDArray[np.float64] | None],
        chosen: Sequence[NDArray[np.int64] | None],
        traces: Sequence[NDArray[np.float32] | None],
        variations: Sequence[NDArray[np.float32] | None],
    ) -> None: ...

def scan_ideal(
    net: NDArray[np.float32],
    v_mem: NDArray[np.float32],
    counts: NDArray[np.float32],
    spikes: NDArray[np.float32],
    membranes: NDArray[np.float32] | None,
    v_lb: float,
    to_zero: bool,
    threads: int,
) -> tuple[float, float, float]: ...
