"""Write generic180.lib from the numbers of this file.

Every number here is our own choice, from device physics and published typical figures of
180 nm-class CMOS with dual gate oxide; none comes from a foundry file. README.md beside this
file gives the sources and the figures that result. Run it after changing a number:

    python models/devices/make_generic180.py
"""

from pathlib import Path

Card = dict[str, float]

# Common to all four: charge-based capacitances (capmod 2), no gate current, no substrate or gate
# network (they cost time and nodes and change nothing at 1 MHz), permod/geomod: AD AS PD PS are
# what the instance says.
COMMON: Card = {
    "version": 4.5, "level": 14, "capmod": 2, "mobmod": 0, "rdsmod": 0, "igcmod": 0, "igbmod": 0,
    "rbodymod": 0, "rgatemod": 0, "trnqsmod": 0, "acnqsmod": 0, "permod": 1, "geomod": 0,
    "diomod": 1, "tempmod": 0, "tnom": 27, "epsrox": 3.9,
    "k3": 0, "w0": 0, "dvt0w": 0, "lpe0": 5e-8, "lpeb": 0, "nsd": 1e20, "ngate": 1e20,
    "xj": 1.2e-7, "cdsc": 2e-4, "cdscd": 0, "cdscb": 0, "cit": 0, "dsub": 0.5, "drout": 0.5,
    "pscbe1": 6e8, "pscbe2": 1e-8, "a0": 1.0, "ags": 0.15, "keta": -0.03, "b0": 0, "b1": 0,
    "pvag": 0.1, "delta": 0.01, "fprout": 0, "pdits": 0,
    "agidl": 0, "kt1": -0.22, "kt1l": 0, "kt2": 0.022, "ua1": 1e-9, "ub1": -1e-18, "uc1": -5e-11,
    "at": 2e4, "prt": 0, "xpart": 0, "clc": 1e-7, "cle": 0.6, "noff": 1, "acde": 0.4, "moin": 12,
    "xtis": 3, "tpb": 1.2e-3, "tcj": 8e-4, "tpbsw": 1.2e-3, "tcjsw": 4e-4,
}  # fmt: skip

MOS: dict[str, tuple[str, Card]] = {
    # core, 1.8 V, drawn length >= 0.18 um, 4.1 nm oxide, channel doping 4e17 cm^-3
    "nch": ("nmos", {
        "toxe": 4.1e-9, "toxm": 4.1e-9, "vth0": 0.39, "k1": 0.50, "k2": 0.005, "ndep": 4e17,
        "dvt0": 1.2, "dvt1": 0.55, "dvt2": -0.03, "nfactor": 1.3, "voff": -0.09, "eta0": 0.05, "etab": -0.03,
        "u0": 0.036, "ua": -2e-10, "ub": 2.2e-18, "uc": 5e-11, "vsat": 9.0e4, "rdsw": 120, "ute": -1.4,
        "pclm": 0.8, "pdiblc1": 0.2, "pdiblc2": 0.003, "pdiblcb": 0,
        "lint": 1e-8, "wint": 5e-9, "cgso": 3.2e-10, "cgdo": 3.2e-10, "cgbo": 1e-13, "cf": 0,
        "cjs": 1.0e-3, "mjs": 0.38, "pbs": 0.75, "cjsws": 2.0e-10, "mjsws": 0.25, "pbsws": 0.75,
        "cjswgs": 3.5e-10, "mjswgs": 0.30, "pbswgs": 0.75, "jss": 1.5e-6, "jsws": 1e-13, "jswgs": 1e-13,
        "njs": 1.05,
    }),
    "pch": ("pmos", {
        "toxe": 4.2e-9, "toxm": 4.2e-9, "vth0": -0.41, "k1": 0.53, "k2": 0.005, "ndep": 4.5e17,
        "dvt0": 1.2, "dvt1": 0.55, "dvt2": -0.03, "nfactor": 1.4, "voff": -0.10, "eta0": 0.06, "etab": -0.04,
        "u0": 0.0125, "ua": 6e-10, "ub": 8e-19, "uc": -3e-11, "vsat": 1.3e5, "rdsw": 200, "ute": -1.1,
        "pclm": 1.0, "pdiblc1": 0.2, "pdiblc2": 0.005, "pdiblcb": 0,
        "lint": 1e-8, "wint": 5e-9, "cgso": 3.2e-10, "cgdo": 3.2e-10, "cgbo": 1e-13, "cf": 0,
        "cjs": 1.1e-3, "mjs": 0.42, "pbs": 0.85, "cjsws": 2.1e-10, "mjsws": 0.30, "pbsws": 0.85,
        "cjswgs": 3.5e-10, "mjswgs": 0.33, "pbswgs": 0.85, "jss": 1.0e-6, "jsws": 1e-13, "jswgs": 1e-13,
        "njs": 1.05,
    }),
    # thick oxide, 3.3 V, drawn length >= 0.35 um, 6.9 nm oxide, channel doping 2.5e17 cm^-3
    "nch33": ("nmos", {
        "toxe": 6.9e-9, "toxm": 6.9e-9, "vth0": 0.66, "k1": 0.60, "k2": 0.0, "ndep": 2.5e17,
        "dvt0": 1.5, "dvt1": 0.55, "dvt2": -0.03, "nfactor": 1.2, "voff": -0.10, "eta0": 0.04, "etab": -0.02,
        "u0": 0.040, "ua": -1e-10, "ub": 2.0e-18, "uc": 5e-11, "vsat": 8.5e4, "rdsw": 250, "ute": -1.4,
        "pclm": 0.7, "pdiblc1": 0.15, "pdiblc2": 0.002, "pdiblcb": 0,
        "lint": 1.5e-8, "wint": 5e-9, "cgso": 2.8e-10, "cgdo": 2.8e-10, "cgbo": 1e-13, "cf": 0,
        "cjs": 0.9e-3, "mjs": 0.36, "pbs": 0.72, "cjsws": 1.8e-10, "mjsws": 0.25, "pbsws": 0.72,
        "cjswgs": 3.0e-10, "mjswgs": 0.30, "pbswgs": 0.72, "jss": 1.5e-6, "jsws": 1e-13, "jswgs": 1e-13,
        "njs": 1.05,
    }),
    "pch33": ("pmos", {
        "toxe": 7.0e-9, "toxm": 7.0e-9, "vth0": -0.67, "k1": 0.60, "k2": 0.0, "ndep": 2.5e17,
        "dvt0": 1.5, "dvt1": 0.55, "dvt2": -0.03, "nfactor": 1.2, "voff": -0.10, "eta0": 0.05, "etab": -0.03,
        "u0": 0.0100, "ua": 6e-10, "ub": 8e-19, "uc": -3e-11, "vsat": 1.0e5, "rdsw": 500, "ute": -1.1,
        "pclm": 0.8, "pdiblc1": 0.15, "pdiblc2": 0.003, "pdiblcb": 0,
        "lint": 1.5e-8, "wint": 5e-9, "cgso": 2.8e-10, "cgdo": 2.8e-10, "cgbo": 1e-13, "cf": 0,
        "cjs": 1.0e-3, "mjs": 0.42, "pbs": 0.85, "cjsws": 1.9e-10, "mjsws": 0.30, "pbsws": 0.85,
        "cjswgs": 3.0e-10, "mjswgs": 0.33, "pbswgs": 0.85, "jss": 1.0e-6, "jsws": 1e-13, "jswgs": 1e-13,
        "njs": 1.05,
    }),
}  # fmt: skip

DIODES: dict[str, tuple[str, Card]] = {
    # area in m^2; n is the emission coefficient, bv far outside the range used
    "nwdio": ("n-well in the p-substrate", {
        "is": 2e-6, "n": 1.05, "cjo": 1.2e-4, "vj": 0.6, "m": 0.38, "bv": 14, "ibv": 1e-6, "tnom": 27}),
    "pwdio": ("isolated p-well in its deep n-well", {
        "is": 2e-6, "n": 1.05, "cjo": 4.5e-4, "vj": 0.65, "m": 0.35, "bv": 11, "ibv": 1e-6, "tnom": 27}),
}  # fmt: skip

# Corner = (n speed, p speed), +1 fast, -1 slow. One unit of speed moves |vth0| by -10 % of a 0.42 V
# core threshold (-8 % of the thick-oxide one), the mobility by +4 %, the oxide by -2.5 %, junction
# capacitance by -5 %, drawn length by lint +5 nm a side.
CORNERS = {"tt": (0, 0), "ss": (-1, -1), "ff": (1, 1), "sf": (-1, 1), "fs": (1, -1)}
VTH_SHIFT = {"nch": 0.042, "pch": 0.042, "nch33": 0.055, "pch33": 0.055}


def at_corner(name: str, kind: str, card: Card, speed: int) -> Card:
    """Return the card of one device at a corner."""
    sign = 1 if kind == "nmos" else -1
    moved = dict(card)
    moved["vth0"] = round(card["vth0"] - sign * speed * VTH_SHIFT[name], 6)
    moved["u0"] = round(card["u0"] * (1 + 0.04 * speed), 8)
    for key in ("toxe", "toxm"):
        moved[key] = round(card[key] * (1 - 0.025 * speed), 13)
    for key in ("cjs", "cjsws", "cjswgs"):
        moved[key] = card[key] * (1 - 0.05 * speed)
    moved["lint"] = card["lint"] + 5e-9 * speed
    return moved


def model(name: str, kind: str, card: Card) -> str:
    """Return one .model card, five parameters a line."""
    items = [f"{key}={value:.6g}" for key, value in card.items()]
    lines = [" ".join(items[i : i + 8]) for i in range(0, len(items), 8)]
    return f".model {name} {kind}\n" + "\n".join(f"+ {line}" for line in lines)


def main() -> None:
    """Write generic180.lib beside this file."""
    out = [
        "* generic180: generic 180 nm-class transistors, NOT those of any foundry. Written by",
        "* make_generic180.py, where each number has its comment; what comes of them is in README.md.",
        "* nch pch: core, 1.8 V, L >= 0.18u.  nch33 pch33: thick oxide, 3.3 V, L >= 0.35u.",
        "* nwdio: n-well/p-substrate, pwdio: isolated p-well/deep n-well (area in m2).",
        "* BSIM4 (level 14). Use: .lib generic180.lib tt|ss|ff|sf|fs",
    ]
    for corner, (n_speed, p_speed) in CORNERS.items():
        out += ["", f".lib {corner}"]
        for name, (kind, card) in MOS.items():
            speed = n_speed if kind == "nmos" else p_speed
            out.append(model(name, kind, COMMON | at_corner(name, kind, card, speed)))
        out += [model(name, "d", card) for name, (_, card) in DIODES.items()]
        out.append(f".endl {corner}")
    Path(__file__).with_name("generic180.lib").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
