"""A neuron written in PySpice and the same neuron as a netlist give the same table."""

from pathlib import Path

import pytest
import xarray as xr

from snncircuit.characterise.cell import NeuronCell, parse_cell
from snncircuit.characterise.drive import OperatingPoint
from snncircuit.characterise.run import characterise
from snncircuit.errors import EngineMissingError
from snncircuit.spice.cache import SampleCache
from snncircuit.spice.discovery import find_ngspice
from snncircuit.spice.engine import EnginePool
from snncircuit.spice.netlist import Netlist, load_models, parse_netlist_text
from snncircuit.spice.pyspice import read_neuron
from snncircuit.table import TransferTable
from tests.strategies import CARDS, CELL

front = pytest.importorskip("PySpice.Spice.Netlist", reason="PySpice is an optional extra")
NODES = ("vm", "exc", "inh", "spk", "vdd", "vneg", "gnd")

NETLIST = f"""\
.subckt toy {" ".join(NODES)}
Cm vm gnd 500f
Ca a gnd 20f
Re exc vm 1k
Ri inh vm 1k
Rl vm vneg 1e12
MP1 a vm vdd vdd pch w=2u l=1u
MN1 a vm gnd gnd nch w=1u l=1u
MP2 spk a vdd vdd pch w=2u l=1u
MN2 spk a gnd gnd nch w=1u l=1u
MR spk2 spk gnd gnd nch w=0.5u l=1u
Rr vm spk2 10
.ends toy
"""

CHANGES = {
    "leaky": "toy",
    'spk = "v_dd"': 'spk = 0\na = "v_dd"',
    "v_mem = [-1.8, 1.7]": "v_mem = [-0.2, 0.8]",
    "q_common = [0.0, 1.0, 2.0]": "q_common = [0.0, 0.5]",
    "q_net = [-2.0, 2.0]": "q_net = [-0.3, 1.2]",
    'max_time_step = "40n"': 'max_time_step = "100n"',
}


class Toy(front.SubCircuitFactory):  # type: ignore[misc, name-defined]
    """A membrane, two inverters and a reset transistor."""

    NAME = "toy"
    NODES = NODES

    def __init__(self) -> None:
        super().__init__()
        self.C("m", "vm", "gnd", 500e-15)
        self.C("a", "a", "gnd", 20e-15)
        self.R("e", "exc", "vm", 1e3)
        self.R("i", "inh", "vm", 1e3)
        self.R("l", "vm", "vneg", 1e12)
        self.MOSFET("P1", "a", "vm", "vdd", "vdd", model="pch", width=2e-6, length=1e-6)
        self.MOSFET("N1", "a", "vm", "gnd", "gnd", model="nch", width=1e-6, length=1e-6)
        self.MOSFET("P2", "spk", "a", "vdd", "vdd", model="pch", width=2e-6, length=1e-6)
        self.MOSFET("N2", "spk", "a", "gnd", "gnd", model="nch", width=1e-6, length=1e-6)
        self.MOSFET("R", "spk2", "spk", "gnd", "gnd", model="nch", width=0.5e-6, length=1e-6)
        self.R("r", "vm", "spk2", 10)


def cell(netlist: Netlist) -> NeuronCell:
    text = CELL
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new)
    return parse_cell(text, Path("toy/cell.toml"), netlist)


def table(netlist: Netlist, folder: Path) -> TransferTable:
    (folder / "cards.lib").write_text(CARDS)
    point = OperatingPoint(v_dd=1.8, v_neg=-0.9)
    with EnginePool() as pool, SampleCache(Path(":memory:")) as cache:
        return characterise(
            cell(netlist),
            lambda corner: load_models(folder / "cards.lib", corner),
            [point],
            pool=pool,
            cache=cache,
        )[0]


CALIBRATED = ("residual", "reset_charge", "leak", "lowest_membrane")


@pytest.mark.ngspice
def test_both_ways_to_write_a_neuron_give_one_table(tmp_path: Path) -> None:
    try:
        find_ngspice()
    except EngineMissingError as error:
        pytest.skip(str(error))
    written, drawn = table(parse_netlist_text(NETLIST), tmp_path), table(read_neuron(Toy), tmp_path)
    assert float(written.dataset["threshold"].min()) > 0.5
    assert written.dataset.sizes == drawn.dataset.sizes
    for name, values in written.dataset.data_vars.items():
        if values.dtype.kind != "f":
            xr.testing.assert_equal(values, drawn.dataset[name])
            continue
        # ngspice reads 0.5u and 5e-07 as neighbouring floats; of what is no more than rounding, only that is the same. Calibration moves
        # what it moves by the steps whose spikes agree, and rounding may take some of them out: two hundredths of a threshold, a tenth of
        # an energy.
        largest = float(abs(values).max())
        tolerance = {"energy": 0.1 * largest, **dict.fromkeys(CALIBRATED, 0.02)}.get(
            str(name), 1e-4 * max(largest, 0.0 if "energy" in str(name) else 1e-4)
        )
        assert float(abs(values - drawn.dataset[name]).max()) <= tolerance, name
