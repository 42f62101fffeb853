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
    # A driven source charges 1 nF with 1 A/s * time: after 1 ms, half of 1e-6 C.
    driven = "* driven\nca a 0 1n\nra a 0 1g\nia 0 a external\n.tran 1u 1m 0 1u\n.save v(a)\n.end\n"
    library.drive(driven, lambda name, time: time if name == "ia" else 0.0)
    grown = np.frombuffer(library.vectors(("v(a)",))["v(a)"])
    assert grown[-1] == pytest.approx(500.0, rel=1e-3)
    assert np.array_equal(np.frombuffer(library.vectors(("v(a)",), 3)["v(a)"]), grown[3:])
    library.forget()
    assert library.simulate("* empty\n.end\n", ("v(a)",))[0] == {}
    assert fatal == []
    assert library._callbacks[1](1, False, False, 0, library._ffi.NULL) == 0
    assert len(fatal) == 1
