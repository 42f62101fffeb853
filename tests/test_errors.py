import inspect
import pickle

import pytest

from snncircuit import errors

ALL = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]


def test_there_is_one_tree() -> None:
    assert all(issubclass(c, errors.SnnCircuitError) for c in ALL)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_survives_the_way_back_from_a_worker(kind: type[Exception]) -> None:
    again = pickle.loads(pickle.dumps(kind("netlist.cir:3: no model 'x'")))
    assert type(again) is kind
    assert str(again) == "netlist.cir:3: no model 'x'"


@pytest.mark.parametrize("kind", [c for c in ALL if c is not errors.SnnCircuitError])
def test_the_docstring_draws_the_tree(kind: type[Exception]) -> None:
    lines = (errors.__doc__ or "").splitlines()
    (line,) = [line for line in lines if f" {kind.__name__} " in line]
    depth = len(kind.__mro__) - errors.SnnCircuitError.__mro__.__len__()
    assert line.index("─") == 1 + 4 * (depth - 1)
