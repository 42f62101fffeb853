"""The nodes of a table ascend, keep off the firing edge, and crowd where the ends of the membrane bend the step."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.characterise import grid
from snncircuit.characterise.grid import Bend

floors = st.builds(Bend, at=st.floats(-3.0, 0.0), width=st.floats(0.04, 0.2))
ends = st.builds(Bend, at=st.floats(0.6, 2.5), width=st.floats(0.04, 0.2))
highs = st.floats(0.8, 2.0)
MOST = st.integers(1, 4)


@given(floor=floors, v_high=highs)
def test_starts_ascend_from_below_the_floor_to_the_highest(floor: Bend, v_high: float) -> None:
    start = grid.starts(floor, v_high)
    assert np.all(np.diff(start) > 1e-3)
    assert start[0] < floor.at
    assert floor.at in start
    assert start[-1] == v_high


@given(floor=floors, end=ends, v_high=highs, most=MOST)
def test_overdrives_ascend_within_a_count_and_keep_off_its_edges(
    floor: Bend, end: Bend, v_high: float, most: int
) -> None:
    top = Bend(at=most + end.at, width=end.width)
    overdrive, count = grid.overdrives(floor, top, v_high, 4.0, 4.0, most), grid.counts(most)
    assert overdrive.size == count.size
    for n in range(most + 1):
        nodes = overdrive[count == n]
        assert np.all(np.diff(nodes) > 0)
        if n == 0:
            assert nodes[0] < floor.at - 5.0
            assert nodes[-1] == -grid.MARGIN
        else:
            assert nodes[0] == grid.MARGIN
    assert overdrive[-1] + most >= v_high + 4.0


@given(at=st.floats(-3.0, -1.5), width=st.floats(0.04, 0.08))
def test_nodes_around_a_floor_lie_as_its_width_says(at: float, width: float) -> None:
    narrow, wide = (grid.starts(Bend(at=at, width=w), 1.8) - at for w in (width, 2 * width))
    near = np.abs(narrow) < 5 * width
    np.testing.assert_allclose(wide[near], 2 * narrow[near], atol=1e-9)
