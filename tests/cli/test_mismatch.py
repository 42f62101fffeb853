"""``mismatch`` on real ngspice: what it reports is what it keeps, and what it cannot do it says in one paragraph."""

import json
from pathlib import Path

import numpy as np
import pytest

from snncircuit.characterise.closed_form import Pair, Sensitivity
from snncircuit.characterise.mismatch import Draws
from snncircuit.cli import main, spreads
from snncircuit.spice.mismatch_cards import Pelgrom
from snncircuit.spice.transistors import Transistor
from snncircuit.table import VARIATION, TransferTable


@pytest.mark.ngspice
def test_draws_are_reported_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.nc"
    words = ["mismatch", "nmp_clocked", "--draws", "2", "--seed", "5", "--no-closed-form", "--jobs", "1"]
    assert main([*words, "--check", "1", "--steps", "5", "-o", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (point,) = said["points"]
    assert (said["draws"], said["seed"], point["v_neg"], point["measured"], point["failed"]) == (
        2,
        5,
        -1.8,
        2,
        0,
    )
    kept = TransferTable.load(path).at(v_neg=-1.8).variation
    assert kept is not None
    assert point["mean"] == dict(zip(VARIATION, kept.mean(axis=0), strict=True))
    assert point["sigma"] == dict(zip(VARIATION, kept.std(axis=0, ddof=1), strict=True))
    assert point["held"][0]["steps"] == 5
    # The second time nothing is simulated, and people get the same.
    assert main([*words, "-o", str(path)]) == 0
    assert f"{100 * point['sigma']['gain_exc']:.3f} ±" in capsys.readouterr().out
    again = TransferTable.load(path).at(v_neg=-1.8).variation
    np.testing.assert_array_equal(again, kept)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["absent"], "no neuron table called 'absent' ships"),
        (["nmp_clocked", "--netlist", "nmp"], "was measured from another netlist than"),
        (["nmp_clocked", "--mismatch", "absent.toml"], "found no such file; name one with --mismatch"),
        (["nmp_clocked", "--vneg", "-0.3"], "was not measured at v_neg = -0.3"),
        (["nmp_clocked", "--draws", "1"], "1 is not in the range"),
    ],
)
def test_a_mistake_ends_in_one_paragraph(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mismatch", *words, "-o", str(tmp_path / "t.nc")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "t.nc").exists()


def theory(sigma: float) -> Sensitivity:
    device = Transistor(
        path="mp1",
        model="p",
        nodes=("d", "g", "s", "b"),
        size=("1u", "1u", "1"),
        pelgrom=Pelgrom(a_vt=1e-9, a_beta=1e-8),
    )
    slopes = np.zeros((1, 2, 5))
    slopes[0, 0] = sigma
    return Sensitivity(devices=(device,), slopes=slopes)


def test_a_spread_agrees_within_three_sampling_errors_and_not_beyond(
    capsys: pytest.CaptureFixture[str],
) -> None:
    n = 801  # one sampling error is 2.5 %
    values = np.random.default_rng(1).standard_normal((n, 5))
    values = 1 + 0.1 * values / values.std(axis=0, ddof=1)
    drawn = Draws(values=values, numbers=tuple(range(n)))
    pair = Pair(devices=("mp1", "mp3"), gm_over_id=20.0, sigma_vt=5e-3, sigma_beta=0.0, sigma=0.1)
    found = spreads.spread(drawn)
    np.testing.assert_allclose(list(found["sigma"].values()), 0.1)
    np.testing.assert_allclose(list(found["sigma_sampling_error"].values()), 0.1 / 40)
    np.testing.assert_allclose(found["correlation"], np.corrcoef(values.T))
    for expected, agrees in ((0.1, True), (0.1 / 1.07, True), (0.1 / 1.08, False), (0.1 / 0.92, False)):
        compared = spreads.comparison(drawn, theory(expected), {"gain_exc": pair})
        assert all(c["agrees"] is agrees for c in compared.values())
        assert compared["gain_exc"]["pair"]["agrees"] is True
        assert compared["leak"]["pair"] is None
        assert compared["threshold"]["shares"] == [{"device": "mp1", "share": 1.0}]
    point = {
        "corner": "tt",
        "temperature": 27.0,
        "v_dd": 1.8,
        "v_neg": -1.8,
        **found,
        "closed_form": compared,
    }
    point["failures"] = ["draw 3: hung"]
    spreads.show({"name": "x", "seed": 0, "table": "x.nc", "points": [point]})
    out = capsys.readouterr().out
    assert "10.000 (mp1 mp3)" in out
    assert "no neuron: draw 3: hung" in out
