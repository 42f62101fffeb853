"""What the netlists say of their neurons holds in ngspice; tables that ship were measured from the netlists that ship."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from snncircuit import shipped
from snncircuit.characterise.cell import NeuronCell, load_cell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample, deck, read
from snncircuit.characterise.run import provenance
from snncircuit.cli import given
from snncircuit.errors import CellError
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.waveforms import Waveforms
from snncircuit.table import TransferTable
from snncircuit.table.validation import validation

ROOT = Path(__file__).parents[2]
SKY130 = ROOT.parent / "shared" / "pdk" / "sky130" / "sky130.lib.spice"
sky130 = pytest.mark.skipif(not SKY130.exists(), reason="no SKY130 cards beside the checkout")
CHARACTERISED = {0.42, 0.55, 0.65, 0.84, 1.0, 1.5, 2.0, 3.0, 5.0}, {0.15, 0.5, 1.0, 2.0, 4.0}  # W, L, um


class Bench:
    """A shipped neuron at one operating point, ready to be driven."""

    def __init__(self, name: str, models: Path | None, point: OperatingPoint) -> None:
        self.cell = load_cell(ROOT / "netlists" / name)
        self._cards = given.cards(self.cell, models)(point.corner)
        self._point = point
        self._pool = EnginePool(1, 120)

    def run(self, v_mem: float, *pulses: tuple[float, float]) -> tuple[Sample, Waveforms]:
        """From a membrane in V through steps of (q_exc, q_inh) in C."""
        drive = Drive(v_mem=v_mem, q_exc=tuple(e for e, _ in pulses), q_inh=tuple(i for _, i in pulses))
        waves = self._pool.run(deck(self.cell, self._cards, self._point, drive))
        assert isinstance(waves, Waveforms)
        return read(self.cell, self._point, drive, waves), waves

    def close(self) -> None:
        """End the simulator."""
        self._pool.close()


@pytest.fixture(scope="module")
def on_sky130() -> Iterator[Bench]:
    bench = Bench("nmp_sky130", SKY130, OperatingPoint(v_dd=0.9, v_neg=-0.9))
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def hillock() -> Iterator[Bench]:
    bench = Bench("axon_hillock", None, OperatingPoint(v_dd=1.8, v_neg=-1.8))
    yield bench
    bench.close()


def transistors(cell: NeuronCell) -> list[dict[str, str]]:
    found = []
    for line in cell.netlist.text.splitlines():
        if line[0] in "MmXx":
            words = [w for w in line.split() if "=" not in w]
            keyed = dict(w.split("=") for w in line.split() if "=" in w)
            found.append(dict(zip(("name", "d", "g", "s", "b", "model"), words, strict=True)) | keyed)
    return found


@pytest.mark.parametrize("name", ["nmp_sky130", "axon_hillock"])
def test_every_bulk_is_a_rail_and_every_junction_is_drawn(name: str) -> None:
    cell = load_cell(ROOT / "netlists" / name)
    lowest = {"vneg", "vnegb", "vss"}
    for t in transistors(cell):
        p_type = re.search("pch|pfet", t["model"]) is not None
        assert t["b"] in ({"vdd", "vddb"} if p_type else lowest | {"gnd"}), t
        assert {"w", "l", "ad", "as", "pd", "ps"} <= t.keys(), t
        if "vm" in (t["d"], t["s"]) and not p_type:
            # A junction of the membrane in the grounded substrate would clamp it below rest.
            assert t["b"] in lowest, t


def test_the_sky130_neuron_uses_sizes_that_the_process_characterises() -> None:
    widths, lengths = CHARACTERISED
    cell = load_cell(ROOT / "netlists" / "nmp_sky130")
    trimmed = [
        t["name"] for t in transistors(cell) if float(t["w"]) not in widths or float(t["l"]) not in lengths
    ]
    assert trimmed == ["XW2"]
    assert cell.models is None
    with pytest.raises(
        CellError, match=r"nmp_sky130 names no transistor cards; give --models FILE .*\$PDK_ROOT"
    ):
        given.cards(cell, None)


@pytest.mark.parametrize("name", shipped.names("neuron"))
def test_a_shipped_table_was_measured_from_the_shipped_netlist(name: str) -> None:
    table = TransferTable.load(shipped.find("neuron", name))
    now = provenance(load_cell(shipped.find("netlist", name)), {}, "")
    assert table.provenance["netlist"] == now["netlist"]
    assert all(table.at(**point).holes == 0 for point in table.points())
    assert table.provenance["calibration"]["trains"] > 0
    assert len(validation(table)) == len(table.points())


@sky130
@pytest.mark.ngspice
def test_the_sky130_packet_is_the_threshold_whatever_the_overshoot(on_sky130: Bench) -> None:
    charge, volts = 83.25e-15, 0.4  # as netlists/README.md states them
    for q in (1.02, 1.2):
        sample, _ = on_sky130.run(0.0, (q * charge, 0.0))
        assert sample.spikes == (1,)
        assert sample.v_mem[1] / volts == pytest.approx(q - 1.0, abs=0.006)
    sample, _ = on_sky130.run(0.0, (0.98 * charge, 0.0), (0.0, 0.5 * charge))
    assert sample.spikes == (0, 0)
    assert (sample.v_mem[1] - sample.v_mem[2]) / volts == pytest.approx(0.5, abs=0.005)


@sky130
@pytest.mark.ngspice
def test_the_sky130_membrane_goes_to_the_rail_and_no_terminal_beyond_the_limit(on_sky130: Bench) -> None:
    sample, waves = on_sky130.run(0.0, *[(0.0, 1.6e-13)] * 4)
    assert sample.v_mem[-1] < -0.85
    for port in ("vm", "spk"):
        wave = waves.signal(f"v({port})")
        assert max(0.9 - wave.min(), wave.max() + 0.9) < on_sky130.cell.limits.terminal


@pytest.mark.ngspice
def test_the_hillock_ends_at_rest_wherever_it_came_from(hillock: Bench) -> None:
    charge, volts = 358.17e-15, 0.71  # as netlists/README.md states them
    for v_mem, q in ((0.0, 1.0005), (0.0, 1.3), (0.0, 3.0), (-0.5 * volts, 2.0)):
        sample, waves = hillock.run(v_mem, (q * charge, 0.0))
        spike = waves.signal("v(spk)")
        assert sample.spikes == (1,)
        assert spike.max() > 0.98 * 1.8  # whole or none
        assert sample.v_mem[1] / volts == pytest.approx(0.0, abs=0.003)
    sample, waves = hillock.run(0.0, (0.999 * charge, 0.0))
    assert sample.spikes == (0,)
    assert waves.signal("v(spk)").max() < 0.05 * 1.8


@pytest.mark.ngspice
def test_the_spike_kicks_the_membrane_by_the_divider(hillock: Bench) -> None:
    text = hillock.cell.netlist.text
    mem, back = (float(re.search(rf"(?m)^{c} .* (\d+)f$", text)[1]) for c in ("Cm", "Cfb"))  # type: ignore[index]
    sample, waves = hillock.run(0.0, (4e-13, 0.0))
    fired = waves.crossings("v(spk)", 0.9)[0]
    before, after = (float(np.interp(fired + t, waves.time, waves.signal("v(vm)"))) for t in (-8e-9, 12e-9))
    kick = 1.8 * back / (mem + back)
    assert sample.spikes == (1,)
    # The membrane's own gates and junctions take some of it, the pulse adds some.
    assert after - before == pytest.approx(kick, rel=0.15)


@pytest.mark.ngspice
def test_the_parked_reset_does_not_pull_a_membrane_below_rest(hillock: Bench) -> None:
    sample, _ = hillock.run(-1.3, *[(0.0, 0.0)] * 2)
    assert sample.v_mem[-1] == pytest.approx(-1.3, abs=0.004)
    sample, _ = hillock.run(0.0, *[(0.0, 8e-13)] * 3)
    assert sample.v_mem[-1] < -1.7
