"""Whatever arrays the kernel is given, it raises or runs within them: nothing that Python can pass ends the process."""

import contextlib
import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snncircuit.network import event

if not event.available():
    pytest.skip(event.unavailable_reason(), allow_module_level=True)

from snncircuit.network.event import _kernel

Arguments = dict[str, Any]
SLACK = 96
SITES, LANES, INPUTS, STEPS, IMAGES = 2, 20, 12, 5, 2
NEURONS = SITES * LANES
NUMBERS = [float("nan"), float("inf"), -float("inf"), 1e38, -1e38, 1e-45, 0.0, -1.0]
WHOLE = [-(2**63), -(2**31), -1, 0, 1, 2, 7, 65535, 65536, 2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**63 - 1]


def table(**changes: Any) -> Arguments:
    starts, commons, along = 3, 4, 5
    cells = (starts - 1) * (commons - 1)
    edge = np.zeros((1, 4, cells), np.float32)
    edge[:, 0] = 1
    return {
        "start": np.linspace(-2, 2, starts, dtype=np.float32),
        "common": np.linspace(0, 3, commons, dtype=np.float32),
        "low": np.array([-6, -3, -1, 0, 1], np.float32),
        "width": np.array([3, 2, 0.9, 1, 2], np.float32),
        "first": np.array([0, 3], np.int32),
        "last": np.array([2, 4], np.int32),
        "edge": edge,
        "rows": np.zeros((cells * along, 8), np.float32),
        "figures": np.array([1, 9, 9, -2, 9, 3, -6, 3], np.float32),
        "profile": False,
    } | changes


def profile(**changes: Any) -> Arguments:
    return (
        table(
            start=np.array([-2, 2], np.float32),
            common=np.array([0, 3], np.float32),
            low=np.array([-6, -4, -2, 0, 1], np.float32),
            width=np.array([2, 2, 2, 1, 1], np.float32),
            edge=np.ones((1, 4, 1), np.float32),
            rows=np.zeros((5, 8), np.float32),
            profile=True,
        )
        | changes
    )


def layer(**changes: Any) -> Arguments:
    """Two sites of 20 neurons with a few inputs each: two strips of two units of three positions."""
    return {
        "geometry": [2, 2, 3, SITES, LANES, 8, 1],
        "weights": np.ones((INPUTS, 32), np.int16),
        "site_blocks": np.array([0, 1, 3], np.int32),
        "block_segments": np.array([0, 2, 3, 4], np.int32),
        "block_row": np.array([0, 3, 6], np.int64),
        "segments": np.array([[0, 0, 2, 0], [1, 0, 1, 6], [0, 1, 2, 0], [1, 0, 2, 0]], np.int32),
        "exc": np.zeros(NEURONS + SLACK, np.int16),
        "net": np.zeros(NEURONS + SLACK, np.int16),
        "grid": 0.125,
        "table": None,
        "v_lb": -np.inf,
        "to_zero": False,
    } | changes


def job(cells: int = 0, **changes: Any) -> Arguments:
    return {
        "images": IMAGES,
        "steps": STEPS,
        "chunk": 3,
        "threads": 2,
        "bits": np.full((IMAGES, STEPS, 3), 2**64 - 1, np.uint64),
        "exc": None,
        "net": None,
        "exit_margin": 0,
        "steps_used": np.zeros(IMAGES, np.int32),
        "counts": [np.zeros((IMAGES, NEURONS), np.float32)],
        "output": np.zeros((IMAGES, STEPS, NEURONS), np.float32),
        "v_output": np.zeros((IMAGES, STEPS, NEURONS), np.float32),
        "sums": np.zeros((IMAGES, 1, 4)),
        "visits": [np.zeros(cells * 8) if cells else None],
        "chosen": [np.array([0, NEURONS - 1])],
        "traces": [np.zeros((4, IMAGES, STEPS, 2), np.float32)],
        "variations": [None],
    } | changes


def scan(**changes: Any) -> Arguments:
    return {
        "net": np.ones((STEPS, 70), np.float32),
        "v_mem": np.zeros(70, np.float32),
        "counts": np.zeros(70, np.float32),
        "spikes": np.zeros((STEPS, 70), np.float32),
        "membranes": np.zeros((STEPS, 70), np.float32),
        "v_lb": -1.0,
        "to_zero": False,
        "threads": 3,
    } | changes


CELLS = 2 * 3 * 5


def make(given: Arguments, of_a_layer: Arguments | None = None) -> "_kernel.Network":
    network = _kernel.Network()
    network.add(**layer(table=_kernel.Table(**given)) | (of_a_layer or {}))
    return network


def add_and_run(given: Arguments) -> None:
    network = _kernel.Network()
    network.add(**given)
    cells = CELLS if given["table"] is not None else 0
    network.run(**job(cells))


CALLS: dict[str, tuple[Callable[..., Arguments], Callable[[Arguments], object]]] = {
    "Table": (table, lambda given: make(given).run(**job(CELLS))),
    "Table of a profile": (profile, lambda given: make(given).run(**job(5))),
    "add": (layer, add_and_run),
    "add with a table": (lambda: layer(table=_kernel.Table(**table())), add_and_run),
    "run": (job, lambda given: (n := _kernel.Network(), n.add(**layer()), n.run(**given))),
    "run with a table": (lambda: job(CELLS), lambda given: make(table()).run(**given)),
    "run with mismatch": (
        lambda: job(CELLS, variations=[np.full((5, NEURONS + SLACK), 0.5, np.float32)]),
        lambda given: make(table()).run(**given),
    ),
    "scan_ideal": (scan, lambda given: _kernel.scan_ideal(**given)),
}


@pytest.mark.parametrize("call", CALLS)
def test_what_the_hostile_arguments_are_made_of_runs(call: str) -> None:
    made, called = CALLS[call]
    called(made())


@st.composite
def hostile(draw: st.DrawFn, value: Any) -> Any:
    """Something else in the place of an argument."""
    if isinstance(value, list) and value and not isinstance(value[0], int):
        how = draw(st.sampled_from(["none", "twice", "nothing", "other"]))
        other = [draw(hostile(value[0]))]
        return {"none": [None], "twice": value * 2, "nothing": [], "other": other}[how]
    if isinstance(value, list):
        place = draw(st.integers(0, len(value)))
        return (
            value[:place] + draw(st.sampled_from([[], [draw(st.sampled_from(WHOLE))]])) + value[place + 1 :]
        )
    if not isinstance(value, np.ndarray):
        return draw(st.sampled_from([None, "x", [], np.zeros(3), *NUMBERS, *WHOLE, True]))
    return draw(arrays(value))


@st.composite
def arrays(draw: st.DrawFn, value: np.ndarray) -> Any:
    how = draw(
        st.sampled_from(
            ["number", "number", "shape", "kind", "strides", "order", "read-only", "none", "shuffled"]
        )
    )
    if how == "number" and value.size:
        found = value.copy()
        whole = value.dtype.kind in "iu"
        for _ in range(draw(st.integers(1, 3))):
            place = draw(st.integers(0, value.size - 1))
            number = draw(st.sampled_from(WHOLE if whole else NUMBERS))
            info = np.iinfo(value.dtype) if whole else None
            found.flat[place] = min(max(number, info.min), info.max) if info else number
        return found
    if how == "shape":
        axis = draw(st.integers(0, value.ndim - 1))
        parts = {
            "less": np.delete(value, 0, axis) if value.shape[axis] else value,
            "more": np.concatenate([value, value], axis),
            "nothing": np.take(value, [], axis),
            "axis": value[None],
            "flat": value.ravel(),
            "zero axes": np.array(0, value.dtype),
        }
        return parts[draw(st.sampled_from(sorted(parts)))]
    if how == "kind":
        return value.astype(
            draw(st.sampled_from(["f4", "f8", "i1", "i2", "i4", "i8", "u8", ">f4", ">i4", "c8", "O", "?"]))
        )
    if how == "strides":
        return np.repeat(value, 2, -1)[..., ::2] if draw(st.booleans()) else value[::-1]
    if how == "order":
        return np.asfortranarray(value)
    if how == "read-only":
        found = value.copy()
        found.flags.writeable = False
        return found
    if how == "shuffled":
        found = value.copy()
        np.random.default_rng(draw(st.integers(0, 9))).shuffle(found.reshape(-1))
        return found
    return None


@pytest.mark.filterwarnings("ignore:invalid value|overflow|Casting complex")
@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=400)
@given(data=st.data())
def test_hostile_arguments_are_refused_or_run(call: str, data: st.DataObject) -> None:
    made, called = CALLS[call]
    arguments = made()
    for name in data.draw(st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=2, unique=True)):
        with np.errstate(all="ignore"):
            arguments[name] = data.draw(hostile(arguments[name]), name)
    with contextlib.suppress(ValueError, TypeError, MemoryError):
        called(arguments)


def refused(match: str, changes: Arguments) -> None:
    network = _kernel.Network()
    with pytest.raises(ValueError, match=match):
        network.add(**layer(**changes))
    with pytest.raises(ValueError, match="expected a layer"):  # a layer that was refused is not there
        network.run(**job())


def segments(*row: int) -> Arguments:
    return {"segments": np.array([row, *layer()["segments"][1:]], np.int32)}


@pytest.mark.parametrize(
    "changes",
    [
        segments(2, 0, 2, 0),
        segments(-1, 0, 2, 0),
        segments(0, -1, 1, 0),
        segments(0, 0, 3, 0),
        segments(0, 2, 0, 0),
        segments(0, -(2**31), 2**31 - 1, 0),
        segments(0, 0, 2, -1),
        segments(0, 0, 2, 7),
        segments(0, 0, 2, 2**31 - 1),
        {"block_row": np.array([2**63 - 1, 3, 6])},
        {"block_row": np.array([-1, 3, 6])},
        {"block_row": np.array([0, 3, 7])},
        {"weights": np.ones((11, 32), np.int16)},
    ],
)
def test_segments_beyond_inputs_or_weights_are_refused(changes: Arguments) -> None:
    refused("segments: expected", changes)


@pytest.mark.parametrize("middle", [-1, 5, 2**31 - 1, -(2**31)])
def test_lists_that_do_not_ascend_are_refused_before_they_are_followed(middle: int) -> None:
    refused("block_segments: expected ascending", {"block_segments": np.array([0, middle, 3, 4], np.int32)})
    refused("site_blocks: expected ascending", {"site_blocks": np.array([0, middle, 3], np.int32)})


def test_more_spikes_in_a_chunk_than_can_be_numbered_are_refused() -> None:
    wide = layer(
        geometry=[4096, 1, 65535, 1, 1, 1, 1],
        weights=np.ones((1, 32), np.int16),
        site_blocks=np.zeros(2, np.int32),
        block_segments=np.zeros(1, np.int32),
        block_row=np.zeros(0, np.int64),
        segments=np.zeros((0, 4), np.int32),
        exc=np.zeros(1 + SLACK, np.int16),
        net=np.zeros(1 + SLACK, np.int16),
    )
    network = _kernel.Network()
    network.add(**wide)
    one = np.zeros((1, 1), np.float32)
    given = job(
        images=1,
        steps=1,
        bits=np.zeros((1, 1, 4096 * 65535 // 64 + 2), np.uint64),
        steps_used=np.zeros(1, np.int32),
        counts=[one],
        output=np.zeros((1, 1, 1), np.float32),
        v_output=np.zeros((1, 1, 1), np.float32),
        sums=np.zeros((1, 1, 4)),
        chosen=[None],
        traces=[None],
    )
    with pytest.raises(ValueError, match="chunk: expected fewer steps of so many inputs"):
        network.run(**given | {"chunk": 32})


@pytest.mark.parametrize("name", ["start", "common", "low"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), -100.0, 100.0])
def test_nodes_that_do_not_ascend_are_refused(name: str, bad: float) -> None:
    nodes = table()[name].copy()
    nodes[1] = bad
    with pytest.raises(ValueError, match=f"{name}: expected finite, ascending nodes"):
        _kernel.Table(**table(**{name: nodes}))


@pytest.mark.parametrize("name", ["first", "last"])
@pytest.mark.parametrize("bad", [-1, 6, 2**31 - 1])
def test_cells_of_no_spike_count_are_refused(name: str, bad: int) -> None:
    with pytest.raises(
        ValueError, match="first, last: expected the cells of one spike count after the other"
    ):
        _kernel.Table(**table(**{name: np.array([table()[name][0], bad], np.int32)}))


def test_cells_that_are_left_over_are_refused() -> None:
    with pytest.raises(ValueError, match="first, last: expected all cells"):
        _kernel.Table(**table(last=np.array([2, 3], np.int32)))


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf"), 1e-45])
def test_cells_of_no_width_are_refused(bad: float) -> None:
    width = table()["width"].copy()
    width[1] = bad
    with pytest.raises(ValueError, match="width: expected finite numbers above 0"):
        _kernel.Table(**table(width=width))


@pytest.mark.parametrize(
    ("variation", "text"),
    [
        (np.ones((4, NEURONS + SLACK), np.float32), "expected 5 numbers of each neuron and of 96 more"),
        (np.ones((5, NEURONS), np.float32), "expected 5 numbers of each neuron and of 96 more"),
        (np.full((5, NEURONS + SLACK), np.nan, np.float32), "expected finite numbers"),
        (np.full((5, NEURONS + SLACK), -0.5, np.float32), "expected gains >= 0"),
    ],
)
def test_variations_that_do_not_fit_are_refused(variation: np.ndarray, text: str) -> None:
    with pytest.raises(ValueError, match=f"variations: {text}"):
        make(table()).run(**job(CELLS, variations=[variation]))
    with pytest.raises(ValueError, match="counts, visits, chosen, traces, variations: expected one"):
        make(table()).run(**job(CELLS, variations=[]))


def test_a_variation_of_neurons_without_a_table_is_refused() -> None:
    network = _kernel.Network()
    network.add(**layer())
    with pytest.raises(ValueError, match="variations: expected them of neurons with a table"):
        network.run(**job(variations=[np.ones((5, NEURONS + SLACK), np.float32)]))


def test_what_is_no_table_is_refused() -> None:
    for other in (3, "x", object(), _kernel.Network()):
        with pytest.raises(ValueError, match="table: expected a Table or None"):
            _kernel.Network().add(**layer(table=other))


def test_arrays_outlive_who_made_them() -> None:
    network = _kernel.Network()
    network.add(**layer(table=_kernel.Table(**table())))
    gc.collect()
    rubbish = [np.full(NEURONS + SLACK, 30000, np.int16) for _ in range(50)]
    network.run(**(given := job(CELLS)))
    assert len(rubbish) == 50
    assert given["sums"][0, 0, 3] < 10


def test_charges_of_another_kind_than_the_weights_are_refused() -> None:
    for kind in (np.float32, np.int32, np.float64):
        for name in ("exc", "net"):
            with pytest.raises((TypeError, ValueError), match="exc, net"):
                _kernel.Network().add(**layer(**{name: np.zeros(NEURONS + SLACK, kind)}))
