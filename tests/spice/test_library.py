"""The binding itself; in this process, so only with decks that are known to be good."""

import math

import numpy as np
import pytest

from snncircuit.spice.discovery import SELF_TEST, Found
from snncircuit.spice.library import Library, vector_name


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        ("v(VM)", "vm"),
        ("i(Vdd)", "vdd#branch"),
        ("V( xcell.q )", "xcell.q"),
        ("@m.x1.m1[vgs]", "@m.x1.m1[vgs]"),
        ("time", "time"),
    ],
)
def test_a_request_has_one_name_in_ngspice(request_: str, name: str) -> None:
    assert vector_name(request_) == name


@pytest.mark.ngspice
def test_a_deck_gives_the_vectors_that_exist_and_is_forgotten(found: Found) -> None:
    if found.kind != "library":
        pytest.skip("needs libngspice")
    fatal: list[list[str]] = []
    library = Library(found.path, fatal.append)  # type: ignore[arg-type]
    assert "ngspice" in library.version()
    vectors, log = library.simulate(SELF_TEST.text, ("v(a)", "v(nowhere)"))
    assert set(vectors) == {"time", "v(a)"}
    v = np.frombuffer(vectors["v(a)"])
    assert v[-1] == pytest.approx(math.exp(-1.5), rel=1e-3)
    assert any("nowhere" in line for line in log)
    assert library.simulate("* empty\n.end\n", ("v(a)",))[0] == {}
    assert fatal == []
    assert library._callbacks[1](1, False, False, 0, library._ffi.NULL) == 0
    assert len(fatal) == 1
