"""The transfer table of a neuron: the one bridge between the SPICE half and the torch half.

One network step of a neuron maps ``(v_mem, q_exc, q_inh)`` to ``(v_next, spikes, energy of each supply)``. All three inputs are in
thresholds: the membrane above rest in units of ``threshold``, the charges in units of ``threshold_charge``. The table is a grid over the
start ``v_mem``, the charge that both inputs share, ``q_common = min(q_exc, gain_inh * q_inh)``, and the would-be membrane
``x = v_mem + q_exc - gain_inh * q_inh``, because in these coordinates every node can be measured. It holds

* ``edge[spike, v_mem, q_common]``: the x from which on the step gives at least 1, 2, … spikes;
* ``residual[v_mem, q_common, node]``: ``v_next - (x - spikes)``, what the circuit does beyond the ideal neuron, on nodes that follow
  the edges (``overdrive``), so that no interpolation ever crosses a firing edge;
* ``energy[supply, v_mem, q_common, node]``: joule that each supply delivers in the step beyond its synaptic part
  ``energy_exc * q_exc + energy_inh * q_inh``, which is linear in the charges and would have a kink in these coordinates.

The overdrive of a node is ``x - edge_1`` (negative) where the neuron stays silent, ``(x - edge_n) / (edge_{n+1} - edge_n)`` between two
edges and ``x - edge_n`` beyond the last. The operating point (corner, temperature, v_dd, v_neg) is four more axes.
"""

from snncircuit.table.damage import SCHEMA
from snncircuit.table.operating import (
    FIGURES,
    FILLED,
    HOLE,
    MEASURED,
    POINT_AXES,
    SHEETS,
    VARIATION,
    OperatingTable,
    Supply,
)
from snncircuit.table.transfer import TransferTable

__all__ = [
    "FIGURES",
    "FILLED",
    "HOLE",
    "MEASURED",
    "POINT_AXES",
    "SCHEMA",
    "SHEETS",
    "VARIATION",
    "OperatingTable",
    "Supply",
    "TransferTable",
]
