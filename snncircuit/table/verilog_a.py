"""The text of a Verilog-A module that takes the same step as ``snncircuit.lookup.step``."""

from __future__ import annotations

from dataclasses import dataclass

from snncircuit.table.operating import OperatingTable

_PLANE, _SPACE = "1CC,1CC", "1CC,1CC,1CC"  # linear between the samples, constant beyond either end


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Identifiers and files of a module.

    Attributes:
        module: its identifier.
        edges: file of the firing edges.
        pieces: file of each count of spikes, from none on.
        supplies: of the measured sources, in the order of the table.
    """

    module: str
    edges: str
    pieces: tuple[str, ...]
    supplies: tuple[str, ...]


def module_text(name: str, table: OperatingTable, names: Names) -> str:
    """The module: one step at each rising edge of its clock.

    Every ``$table_model`` is called unconditionally and outside events, since some simulators hold it to the rules of
    analog operators; the clock only takes over what was computed.
    """
    return "\n".join(
        (
            *_header(name, table, names),
            *_declarations(table, names),
            "    analog begin",
            *_start(),
            "        // step: begin",
            *(f"        {line}" for line in step_lines(table, names)),
            "        // step: end",
            *_events(names),
            "    end",
            "endmodule",
            "",
        )
    )


def step_lines(table: OperatingTable, names: Names) -> list[str]:
    """The arithmetic of one step, one assignment a line: from ``v_mem, q_exc, q_inh`` to ``v_next, spikes, energy_…``."""
    last = len(names.pieces) - 1
    lines = ["taken = gain_inh * q_inh;", "common = min(q_exc, taken);"]
    for n in range(1, last + 1):
        lines.append(f'edge{n} = $table_model(v_mem, common, "{names.edges}", "{_PLANE};{n}");')
    low, high = (_number(float(table.overdrive[k])) for k in (0, -1))
    lines.append(f"x = min(max(v_mem + (q_exc - taken), edge1 + ({low})), edge{last} + ({high}));")
    lines.append("spikes = " + " + ".join(f"(x >= edge{n} ? 1 : 0)" for n in range(1, last + 1)) + ";")
    for n in range(last + 1):
        if n in (0, last):
            lines.append(f"y{n} = x - edge{max(n, 1)};")
        else:
            # Between edges that meet nothing lies, and nothing is read from there.
            lines.append(f"y{n} = (x - edge{n}) / max(edge{n + 1} - edge{n}, 1.0e-30);")
    for column, sheet in enumerate(("residual", *(f"more_{supply}" for supply in names.supplies)), start=1):
        for n, file in enumerate(names.pieces):
            lines.append(f'{sheet}{n} = $table_model(v_mem, common, y{n}, "{file}", "{_SPACE};{column}");')
        lines.append(f"{sheet} = {_chosen(sheet, last)};")
    lines.append("v_next = x - spikes + residual;")
    for index, supply in enumerate(names.supplies):
        exc, inh = (_number(float(e[index])) for e in (table.energy_exc, table.energy_inh))
        lines.append(f"energy_{supply} = ({exc}) * q_exc + ({inh}) * q_inh + more_{supply};")
    return lines


def _chosen(sheet: str, last: int) -> str:
    """The value of the piece that belongs to the number of spikes."""
    text = f"{sheet}{last}"
    for n in reversed(range(last)):
        text = f"(spikes == {n} ? {sheet}{n} : {text})"
    return text


def _header(name: str, table: OperatingTable, names: Names) -> list[str]:
    point = table.point
    shown = "".join(
        c if c.isascii() and c.isprintable() else "?" for c in f"{name}, corner {point['corner']}"
    )
    return [
        f"// {shown}, {point['temperature']:g} degC, v_dd {point['v_dd']:g} V, v_neg {point['v_neg']:g} V.",
        "// One network step of a measured neuron, written by snncircuit from its transfer table.",
        "// Needs $table_model of Verilog-AMS 2.4 with control strings such as 1CC,1CC;2 (linear, clamped at both ends,",
        "// dependent column 2), and these files in the simulator's folder:",
        *(f"//   {file}" for file in (names.edges, *names.pieces)),
        "//",
        "// Pins: exc, inh take the synaptic currents and hold a fixed voltage; clk: a rising edge ends each step;",
        "// spk: pulses after that edge, one for each spike; vm: the membrane after the step, held, V; energy: all that the",
        "// supplies gave so far, 1 V per pJ. The variables energy_... hold what each supply gives in the present step, J.",
        "//",
        "// Approximations: a step knows only the charges that arrived between two clock edges, whatever their shape, as pulses",
        "// given at once at its start; it remembers nothing but the membrane; spikes appear after the step in which the circuit",
        "// fires; nothing is seen of the waveform within a step; what lies outside the measured range is clamped to its border;",
        f"// one operating point, steps of {table.step:g} s. Values between the samples are linear, never across a firing edge.",
        "// Written to the language reference; not tried in any simulator.",
        "",
        '`include "disciplines.vams"',
        "",
    ]


def _declarations(table: OperatingTable, names: Names) -> list[str]:
    figures, n_pieces = table.figures, len(names.pieces)
    wide = table.step / (4 * (n_pieces - 1))
    parameters = {
        "sign_exc": (-1.0, "-1: synapses draw current out of exc; +1: they push it in"),
        "sign_inh": (1.0, "+1: synapses push current into inh; -1: they draw it out"),
        "v_exc": (table.rest, "V at which exc is held"),
        "v_inh": (table.rest, "V at which inh is held"),
        "v_start": (0.0, "membrane at the beginning, thresholds above rest"),
        "clk_level": (float(table.point["v_dd"]) / 2, "V"),
        "spk_high": (float(table.point["v_dd"]), "V of a spike"),
        "spk_width": (wide, "s of a spike, and between two of one step"),
        "t_edge": (wide / 50, "s of the edges of spk, vm and energy"),
        "rest": (table.rest, "V"),
        "threshold": (figures["threshold"], "V above rest"),
        "threshold_charge": (figures["threshold_charge"], "C"),
        "gain_inh": (
            figures["gain_inh"],
            "what an inhibitory charge takes, per excitatory one of the same size",
        ),
    }
    sheets = ("residual", *(f"more_{supply}" for supply in names.supplies))
    inner = [f"edge{n}" for n in range(1, n_pieces)] + [f"y{n}" for n in range(n_pieces)]
    inner += [f"{sheet}{n}" for sheet in sheets for n in range(n_pieces)] + list(sheets)
    outer = {
        f"energy_{s}": f'(* desc="energy of {s} in the present step", units="J" *) ' for s in names.supplies
    }
    state = ("charge_exc", "charge_inh", "mark_exc", "mark_inh", "v_mem", "v_next", "total", "t_toggle")
    return [
        f"module {names.module}(exc, inh, clk, spk, vm, energy);",
        "    inout exc, inh;",
        "    input clk;",
        "    output spk, vm, energy;",
        "    electrical exc, inh, clk, spk, vm, energy;",
        "",
        *(
            f"    parameter real {name} = {_number(value)}; // {meaning}"
            for name, (value, meaning) in parameters.items()
        ),
        "",
        *(f"    {mark}real {name};" for name, mark in outer.items()),
        *(f"    real {name};" for name in (*state, "q_exc", "q_inh", "taken", "common", "x", *inner)),
        "    integer spikes, waiting, high;",
        "",
    ]


def _start() -> list[str]:
    return [
        "        @(initial_step) begin",
        "            v_mem = v_start;",
        "            mark_exc = 0.0;",
        "            mark_inh = 0.0;",
        "            total = 0.0;",
        "            t_toggle = 1.0e9;",
        "            waiting = 0;",
        "            high = 0;",
        "        end",
        "        V(exc) <+ v_exc;",
        "        V(inh) <+ v_inh;",
        "        charge_exc = idt(sign_exc * I(exc), 0.0);",
        "        charge_inh = idt(sign_inh * I(inh), 0.0);",
        "        q_exc = max((charge_exc - mark_exc) / threshold_charge, 0.0);",
        "        q_inh = max((charge_inh - mark_inh) / threshold_charge, 0.0);",
    ]


def _events(names: Names) -> list[str]:
    return [
        "        @(cross(V(clk) - clk_level, +1)) begin",
        "            v_mem = v_next;",
        "            mark_exc = charge_exc;",
        "            mark_inh = charge_inh;",
        f"            total = total + {' + '.join(f'energy_{supply}' for supply in names.supplies)};",
        "            waiting = spikes;",
        "            high = (spikes > 0) ? 1 : 0;",
        "            t_toggle = $abstime + spk_width;",
        "        end",
        "        @(timer(t_toggle)) begin",
        "            if (high == 1) begin",
        "                high = 0;",
        "                waiting = waiting - 1;",
        "            end else begin",
        "                high = (waiting > 0) ? 1 : 0;",
        "            end",
        "            t_toggle = (waiting > 0) ? $abstime + spk_width : 1.0e9;",
        "        end",
        "        V(spk) <+ transition(spk_high * high, 0.0, t_edge);",
        "        V(vm) <+ transition(rest + threshold * v_mem, 0.0, t_edge);",
        "        V(energy) <+ transition(1.0e12 * total, 0.0, t_edge);",
    ]


def _number(value: float) -> str:
    return repr(float(value))
