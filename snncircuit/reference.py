"""Tables of neurons that nobody needs to measure: the ideal integrate-and-fire neuron with a lower bound, written as a table."""

from __future__ import annotations

import numpy as np

from snncircuit.table import FIGURES, MEASURED, OperatingTable, Supply


def ideal_table(
    v_lb: float, *, net: float = 8.0, q_common: float = 8.0, v_high: float = 16.0
) -> OperatingTable:
    """The table of the ideal neuron with reset by subtraction and the lower bound ``v_lb`` (thresholds, <= 0).

    The residual is ``max(v_lb - x, 0)``, exact on the nodes because one of them is the bound; a spike costs 1 J, so that energies
    are easy to check.
    """
    silent = np.array([v_lb - net - 1.0, v_lb - 1.0, -1e-9])
    fired = np.array([0.0, v_high + net])
    count = np.array([0, 0, 0, 1, 1])
    shape = (2, 2, count.size)
    residual = np.zeros(shape)
    residual[:, :, 0] = net
    figures = dict.fromkeys(FIGURES, 0.0) | {
        "threshold": 1.0,
        "threshold_charge": 1.0,
        "v_low": v_lb,
        "v_high": v_high,
        "net_inh": net,
        "net_exc": net,
        "lowest_membrane": v_lb,
        "reset_charge": 1.0,
        "gain_inh": 1.0,
    }
    return OperatingTable(
        point={"corner": "tt", "temperature": 27.0, "v_dd": 1.0, "v_neg": v_lb},
        start=np.array([v_lb, v_high]),
        q_common=np.array([0.0, q_common]),
        count=count,
        overdrive=np.concatenate([silent, fired]),
        edge=np.ones((1, 2, 2)),
        residual=residual,
        energy=np.broadcast_to(count.astype(float), (1, *shape)).copy(),
        energy_exc=np.zeros(1),
        energy_inh=np.zeros(1),
        state=np.full(shape, MEASURED, np.int8),
        supplies=(Supply(name="vdd", kind="rail", voltage=1.0),),
        step=1e-6,
        rest=0.0,
        figures=figures,
    )
