"""A neuron to begin with: a shipped one under a new name, every key of its cell.toml explained, its transistor cards beside it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from snncircuit import shipped
from snncircuit.characterise.cell import FILE
from snncircuit.errors import CellError

DEFAULT = "nmp_simple"
CARDS = "generic180"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")

# Key or section of a cell.toml -> what a designer should know of it.
_EXPLAINED: Mapping[str, tuple[str, ...]] = {
    "schema": (
        "What snncircuit must know of the neuron. Numbers are SI, or SPICE numbers in quotes ('200n').",
        "An unknown or missing key is an error that lists the keys. docs/CELLS.md tells all of it.",
    ),
    "netlist": (
        "A file in this folder, with one .subckt for the neuron; the tool writes sources, .tran and .options.",
    ),
    "ground": (
        "Port tied to node 0; leave the key out if there is none. Every port needs exactly one role.",
    ),
    "models": ("Transistor cards, by sections tt ss ff sf fs; --models FILE takes their place.",),
    "step": (
        "One network step. Each step brings one pulse of current to each input:",
        "from pulse_start on, flat for about pulse_width with edges of pulse_edge; charge = current * pulse_width.",
        "max_time_step bounds the simulator's own steps.",
    ),
    "membrane": (
        "Observed, never driven. rest: V. capacitance (F) and threshold (V above rest): first guesses,",
        "from which the search for the real threshold begins.",
    ),
    "spike": (
        "A spike is a rising crossing of level (V). load: F of the fan-out. max_per_step: most spikes in one step.",
    ),
    "inputs.exc": (
        "direction 'out': synapses draw current out of the port. line_capacitance: F of the wire.",
    ),
    "inputs.inh": ("direction 'in': synapses push current into the port.",),
    "supplies.vdd": (
        "Rails: volts, or v_dd or v_neg, which are swept. Each rail's energy is reported by itself.",
        "share = 64: the rail feeds a part that 64 neurons share, and one neuron is charged a 64th.",
    ),
    "biases.iw": ("A bias port: voltage (V) or current (A, into the port).",),
    "clocks.ev": ("A pulse in every step: low, high (V or v_dd, v_neg), delay, width, edge (s).",),
    "initial": ("Where nodes start, V or v_dd, v_neg: what the operating point alone may get wrong.",),
    "range": (
        "What may be asked. v_neg, v_dd: legal supplies. q_common: grid of the charge that both inputs share, from 0 on;",
        "q_net: lowest and highest excess of excitation; both in thresholds. v_mem: legal starts of the membrane, V.",
    ),
    "limits": ("V that the devices stand between any two terminals.",),
}


def write_cell(name: str, folder: Path, source: str | None = None) -> list[Path]:
    """Write a neuron to change.

    Args:
        name: of the neuron and of its subcircuit: a letter, then letters, digits and '_'.
        folder: new.
        source: a shipped neuron; by default ``DEFAULT``.

    Returns:
        The files: cell.toml, the netlist, and the cards and their limits where the source uses the generic ones.

    Raises:
        CellError: a bad name, a folder that exists or cannot be written, an unknown source.
    """
    if not _NAME.fullmatch(name):
        msg = f"{name!r} cannot name a neuron: expected a letter, then letters, digits and '_', at most 40"
        raise CellError(msg)
    if folder.exists() or folder.is_symlink():
        msg = f"{folder} exists already; expected the name of a new folder, nothing is overwritten"
        raise CellError(msg)
    old = source or DEFAULT
    original = shipped.find("netlist", old)
    cards = shipped.find("devices", CARDS)
    whole_word = re.compile(rf"\b{re.escape(old)}\b")
    texts = {
        FILE: _explained(whole_word.sub(name, (original / FILE).read_text(encoding="utf-8")), cards.name),
        "neuron.cir": whole_word.sub(name, (original / "neuron.cir").read_text(encoding="utf-8")),
    }
    if f'models = "{cards.name}"' in texts[FILE]:
        for path in (cards, cards.with_suffix(".toml")):
            texts[path.name] = path.read_text(encoding="utf-8")
    draft = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for file, text in texts.items():
            (draft / file).write_text(text, encoding="utf-8")
        draft.rename(folder)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        msg = f"cannot write {folder}: {error.strerror or error}"
        raise CellError(msg) from error
    return [folder / file for file in texts]


def _explained(text: str, cards: str) -> str:
    """A cell.toml with the cards beside it and a comment above each key that has one."""
    lines: list[str] = []
    for line in text.splitlines():
        key = re.match(r"\[?([\w.]+)", line)
        name = key[1] if key else ""
        lines += [f"# {comment}" for comment in _EXPLAINED.get(name, ())]
        lines.append(f'models = "{cards}"' if name == "models" and not line.startswith("[") else line)
    return "\n".join(lines) + "\n"
