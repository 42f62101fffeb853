"""Print the table of models/devices/README.md: what the generic transistors do, measured by ngspice.

python benches/devices.py [--corner tt] [--models models/devices/generic180.lib]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 10.0  # um
LONG = 10.0  # um

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]  # |VGS| in V, |ID| in A


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A model, its polarity (+1 n, -1 p), its supply in V and its shortest gate in um."""

    model: str
    sign: int
    supply: float
    shortest: float


DEVICES = (
    Device(model="nch", sign=1, supply=1.8, shortest=0.18),
    Device(model="pch", sign=-1, supply=1.8, shortest=0.18),
    Device(model="nch33", sign=1, supply=3.3, shortest=0.35),
    Device(model="pch33", sign=-1, supply=3.3, shortest=0.35),
)


def transfer(device: Device, length: float, drain: float, models: Path, corner: str) -> Curve:
    """ID against VGS at one VDS, both in magnitude."""
    sign = device.sign
    junction = f"ad={WIDTH / 2}p as={WIDTH / 2}p pd={2 * WIDTH + 1}u ps={2 * WIDTH + 1}u"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        deck = f"""* {device.model}
.lib "{models}" {corner}
m1 d g 0 0 {device.model} w={WIDTH}u l={length}u {junction}
vd d 0 {sign * drain}
vg g 0 0
.options gmin=1e-16 abstol=1e-16
.control
set wr_singlescale
set numdgt=10
dc vg 0 {sign * device.supply} {sign * 0.005}
wrdata curve.dat i(vd)
quit 0
.endc
.end
"""
        (folder / "deck.cir").write_text(deck)
        environment = dict(os.environ, OMP_THREAD_LIMIT="1")
        command = ["ngspice", "-b", "-n", "deck.cir"]
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=60)
        swept, current = np.loadtxt(folder / "curve.dat").T
    return np.abs(swept), np.abs(current)


def threshold(curve: Curve, drain: float) -> float:
    """Linear extrapolation of ID from the steepest point at small VDS, less VDS/2; V."""
    gate, current = curve
    slope = np.gradient(current, gate)
    at = int(np.argmax(slope))
    return float(gate[at] - current[at] / slope[at] - drain / 2)


def main() -> None:
    """Print one row for each device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=ROOT / "models/devices/generic180.lib")
    parser.add_argument("--corner", default="tt")
    given = parser.parse_args()
    models = given.models.resolve()
    print(
        "| device | Vth long, V | Vth short, V | Idsat, µA/µm | Ioff, pA/µm | max gm/Id, 1/V | swing, mV/dec |"
    )
    print("|---|---|---|---|---|---|---|")
    for device in DEVICES:
        vth = [
            device.sign * threshold(transfer(device, length, 0.05, models, given.corner), 0.05)
            for length in (LONG, device.shortest)
        ]
        gate, current = transfer(device, device.shortest, device.supply, models, given.corner)
        efficiency = np.gradient(np.log(current), gate)
        weak = float(np.max(efficiency[current > 1e-11 * WIDTH]))
        row = (
            f"{vth[0]:+.2f} | {vth[1]:+.2f} | {device.sign * current[-1] / WIDTH * 1e6:.0f} | "
            f"{current[0] / WIDTH * 1e12:.3g} | {weak:.1f} | {np.log(10) / weak * 1e3:.0f}"
        )
        print(f"| {device.model} (L {device.shortest} µm, {device.supply} V) | {row} |")


if __name__ == "__main__":
    main()
