"""PySpice as a front end, and its shared mode held against our binding."""

import builtins
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from snncircuit.errors import NetlistError
from snncircuit.spice.deck import Deck, Tran
from snncircuit.spice.discovery import SELF_TEST, Found
from snncircuit.spice.engine import EnginePool, Failure, Waveforms
from snncircuit.spice.netlist import check_models, load_models, parse_netlist_text
from snncircuit.spice.pyspice import SharedMode, read_neuron, shared_mode
from tests.strategies import CARDS, NETLIST

front = pytest.importorskip("PySpice.Spice.Netlist", reason="PySpice is an optional extra")

BENCH = """
xcell vm exc inh spk vdd vneg 0 leaky
vdd vdd 0 1.8
vneg vneg 0 -1.8
iexc 0 exc pulse(0 2u 20n 2n 2n 198n 1u)
cinh inh 0 50f
.ic v(vm)=0
"""


class Leaky(front.SubCircuitFactory):  # type: ignore[misc, name-defined]
    """The example netlist, written in PySpice."""

    NAME = "leaky"
    NODES = ("vm", "exc", "inh", "spk", "vdd", "vneg", "gnd")

    def __init__(self) -> None:
        super().__init__()
        self.C("m", "vm", "gnd", 500e-15)
        self.R("e", "exc", "vm", 1e3)
        self.R("i", "inh", "vm", 1e3)
        self.R("l", "vm", "vneg", 1e12)
        p = {"ad": 1e-12, "as": 1e-12, "pd": 5e-6, "ps": 5e-6}
        n = {"ad": 0.5e-12, "as": 0.5e-12, "pd": 3e-6, "ps": 3e-6}
        self.raw_spice += (
            "MP spk vm vdd vdd pch w=2u l=0.5u " + " ".join(f"{k}={v}" for k, v in p.items()) + "\n"
        )
        self.raw_spice += "MN spk vm gnd gnd nch w=1u l=0.5u " + " ".join(f"{k}={v}" for k, v in n.items())


def deck(netlist: str, tmp_path: Path) -> Deck:
    path = tmp_path / "cards.lib"
    path.write_text(CARDS)
    cards = load_models(path, "tt")
    check_models(parse_netlist_text(netlist), cards)
    return replace(
        SELF_TEST,
        circuit="\n".join((cards.text, netlist, BENCH)),
        save=("v(vm)", "v(spk)", "i(vdd)"),
        tran=Tran(step=1e-9, stop=1e-6, max_step=1e-8),
    )


def waves(outcome: object) -> Waveforms:
    assert isinstance(outcome, Waveforms), outcome
    return outcome


def test_a_class_an_instance_and_a_circuit_are_one_neuron() -> None:
    circuit = front.Circuit("leaky neuron")
    circuit.subcircuit(Leaky())
    by_class, by_instance, by_circuit = (read_neuron(n) for n in (Leaky, Leaky(), circuit))
    assert by_class.text == by_instance.text == by_circuit.text
    assert by_class.subckt("leaky").ports == parse_netlist_text(NETLIST).subckt("leaky").ports


def test_another_object_is_told() -> None:
    with pytest.raises(
        NetlistError, match="expected a PySpice SubCircuit, SubCircuitFactory or Circuit, found str"
    ):
        read_neuron("leaky")


def test_a_bad_neuron_is_told_with_its_line() -> None:
    neuron = Leaky()
    neuron.R("x", "vm", "gnd", "ten")
    with pytest.raises(NetlistError, match=r"PySpice Leaky:\d+: Rx has 'ten'; expected a number"):
        read_neuron(neuron)


def test_without_pyspice_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("PySpice"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        NetlistError,
        match=r"PySpice is not installed; expected the extra: pip install 'snncircuit\[pyspice\]'",
    ):
        read_neuron(Leaky)


@pytest.mark.ngspice
def test_a_neuron_in_pyspice_gives_the_waveforms_of_its_netlist(found: Found, tmp_path: Path) -> None:
    with EnginePool(found=found) as pool:
        ours = waves(pool.run(deck(parse_netlist_text(NETLIST).text, tmp_path)))
        theirs = waves(pool.run(deck(read_neuron(Leaky).text, tmp_path)))
    grid = np.linspace(0, 1e-6, 300)
    assert ours.at("v(vm)", 1e-6) > 0.5
    for name in ("v(vm)", "v(spk)"):
        assert theirs.at(name, grid) == pytest.approx(ours.at(name, grid), abs=1e-3)


@pytest.mark.ngspice
def test_the_shared_mode_gives_the_very_waveforms_of_our_binding(found: Found, tmp_path: Path) -> None:
    if found.kind != "library":
        pytest.skip("PySpice's shared mode needs libngspice")
    asked = deck(parse_netlist_text(NETLIST).text, tmp_path)
    with EnginePool(found=found) as ours, shared_mode() as theirs:
        for one in (asked, SELF_TEST, asked):
            a, b = waves(ours.run(one)), waves(theirs.run(one))
            assert np.array_equal(a.time, b.time)
            assert all(np.array_equal(a.signals[name], b.signals[name]) for name in one.save)
        assert isinstance(theirs.run(replace(asked, save=("v(nowhere)",))), Failure)


class Shared:
    """What of PySpice's NgSpiceShared is used; it raises for harmless notes, as the true one does."""

    LIBRARY_PATH = ""
    ngspice_version = 39
    stdout = "Circuit: *"
    stderr = "Note: nothing"
    last_plot = "tran1"

    def __init__(self) -> None:
        self.commands: list[str] = []

    def exec_command(self, command: str) -> None:
        self.commands.append(command)
        raise NameError(command)

    def load_circuit(self, text: str) -> None:
        self.commands.append(text)

    def run(self) -> None:
        raise NameError("a harmless note")

    def plot(self, simulation: None, name: str) -> dict[str, Any]:
        return {name: SimpleNamespace(_data=np.array([0.0, 1.0])) for name in ("time", "a", "vs#branch")}


def test_the_shared_mode_is_judged_by_its_vectors_not_by_its_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PySpice.Spice.NgSpice.Shared.NgSpiceShared", Shared)
    shared = SharedMode("/lib/libngspice.so.0")
    assert shared.version() == "ngspice-39"
    assert Shared.LIBRARY_PATH == "/lib/libngspice.so.0"
    vectors, log = shared.simulate("* deck", ("v(A)", "i(vs)", "v(nowhere)"))
    assert vectors == {name: np.array([0.0, 1.0]).tobytes() for name in ("time", "v(A)", "i(vs)")}
    assert log == ["Circuit: *", "Circuit: *", "Note: nothing"]
    assert shared._shared.commands == ["set num_threads=1", "* deck", "destroy all", "remcirc"]
    monkeypatch.setattr(Shared, "last_plot", "const")
    assert shared.simulate("* deck", ("v(A)",))[0] == {}
