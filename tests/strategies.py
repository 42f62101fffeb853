"""Hypothesis strategies that several tests share, and the valid examples that they spoil."""

from hypothesis import strategies as st

NETLIST = """\
* leaky: a membrane, two mirrors' worth of resistors, an inverter
.subckt leaky vm exc inh spk vdd vneg gnd
Cm vm gnd 500f
Re exc vm 1k
Ri inh vm 1k
Rl vm vneg 1e12
MP spk vm vdd vdd pch w=2u l=0.5u ad=1p as=1p pd=5u ps=5u
MN spk vm gnd gnd nch w=1u l=0.5u ad=0.5p as=0.5p pd=3u ps=3u
.ends leaky
"""

CARDS = """\
* two toy transistors
.lib tt
.model nch nmos level=1 vto=0.5 kp=100u
.model pch pmos level=1 vto=-0.5 kp=50u
.endl
.lib ss
.model nch nmos level=1 vto=0.55 kp=90u
.model pch pmos level=1 vto=-0.55 kp=45u
.endl
"""

CELL = """\
schema = 1
name = "leaky"
title = "a toy"
netlist = "neuron.cir"
subckt = "leaky"
ground = "gnd"
models = "cards.lib"
[step]
duration = "1u"
pulse_start = "20n"
pulse_width = "200n"
pulse_edge = "2n"
max_time_step = "40n"
[membrane]
port = "vm"
rest = 0.0
capacitance = "500f"
threshold = 0.9
[spike]
port = "spk"
load = "20f"
level = 0.9
max_per_step = 1
[inputs.exc]
port = "exc"
direction = "in"
line_capacitance = "50f"
[inputs.inh]
port = "inh"
direction = "out"
line_capacitance = "50f"
[supplies.vdd]
port = "vdd"
voltage = "v_dd"
[supplies.vneg]
port = "vneg"
voltage = "v_neg"
share = 2
[initial]
spk = "v_dd"
[range]
v_neg = [-1.8, 0.0]
v_dd = [1.62, 1.98]
q_common = [0.0, 1.0, 2.0]
q_net = [-2.0, 2.0]
v_mem = [-1.8, 1.7]
[limits]
terminal = 3.63
"""

finite = st.floats(allow_nan=False, allow_infinity=False)


def spoilt(text: str) -> st.SearchStrategy[str]:
    """A valid text with lines dropped, doubled, moved, cut or replaced by anything."""
    lines = text.splitlines()
    line = st.sampled_from(lines)
    strange = st.one_of(
        line,
        st.text(max_size=30),
        st.builds(lambda a, b: f"{a} {b}", line, st.text(max_size=10)),
        st.builds(lambda a, n: a[:n], line, st.integers(0, 30)),
        st.builds(lambda a, b, n: a[:n] + b + a[n:], line, st.text(max_size=3), st.integers(0, 30)),
    )
    whole = st.builds(
        lambda start, added, rest: "\n".join([*lines[:start], *added, *lines[start + rest :]]),
        st.integers(0, len(lines)),
        st.lists(strange, max_size=3),
        st.integers(0, 3),
    )
    return st.one_of(whole, st.lists(strange, max_size=8).map("\n".join), st.text())
