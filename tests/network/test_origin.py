"""A Run says what made it, and what is no longer that is refused."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from snncircuit.errors import SimulationError
from snncircuit.network.fingerprints import of_tensors
from snncircuit.network.live import SIGNALS, LiveTrace
from snncircuit.network.origin import (
    REPEATED,
    check_repeatable,
    check_same,
    network_digest,
    table_digest,
)
from snncircuit.network.run import Run
from snncircuit.reference import ideal_table
from snncircuit.table import OperatingTable


def run(**settings: Any) -> Run:
    return Run(
        engine="dense",
        score="accuracy",
        by_step=(1.0,),
        ann_score=1.0,
        layers={},
        image_steps_per_second=1.0,
        settings=settings,
        rails=None if settings.get("neuron") == "ideal" else (-2.0, 2.0),
    )


def changed(table: OperatingTable, name: str) -> Any:
    value = getattr(table, name)
    if isinstance(value, np.ndarray):
        other = value.copy()
        other.flat[-1] += 1
        return other
    if name == "supplies":
        return tuple(replace(supply, voltage=0.5) for supply in value)
    if isinstance(value, dict):
        key = next(iter(value))
        return value | {key: "other" if isinstance(value[key], str) else value[key] + 1}
    return value + 1


def test_every_number_of_a_step_is_in_the_digest_of_a_table() -> None:
    table = ideal_table(-1.0)
    digest = table_digest(table)
    assert digest == table_digest(ideal_table(-1.0))
    beside = {"reasons", "variation", "validation"}
    seen = {digest}
    names = [f.name for f in fields(table) if f.name not in beside]
    for name in names:
        seen.add(table_digest(replace(table, **{name: changed(table, name)})))
    assert len(seen) == 1 + len(names)
    assert table_digest(replace(table, reasons=("one",))) == digest


def test_images_and_networks_have_digests_of_what_they_hold(tmp_path: Path) -> None:
    images = torch.rand(2, 1, 3, 3)
    assert of_tensors(images) == of_tensors(images.clone())
    assert of_tensors(images) != of_tensors(images.flip(0))
    (tmp_path / "net.toml").write_text("a")
    (tmp_path / "net.safetensors").write_text("b")
    first = network_digest(tmp_path / "net")
    assert network_digest(tmp_path / "net.toml") == first
    (tmp_path / "net.safetensors").write_text("c")
    assert network_digest(tmp_path / "net") != first


def test_a_run_that_does_not_say_what_made_it_is_refused() -> None:
    settings = dict.fromkeys(REPEATED)
    assert check_repeatable(run(**settings)) == settings
    with pytest.raises(SimulationError, match=r"^a Run of ideal neurons has no circuit behind it"):
        check_repeatable(run(neuron="ideal", **settings))
    nothing = np.zeros((1, 1))
    live = LiveTrace(layer="fc1", index=3, **dict.fromkeys(SIGNALS, nothing))
    with pytest.raises(SimulationError, match=r"^neurons of the Run were ngspice itself: fc1:3; expected"):
        check_repeatable(replace(run(**settings), live=(live,)))
    del settings["table_sha256"], settings["seed"]
    with pytest.raises(SimulationError, match=r"missing table_sha256, seed; it is of an older snncircuit"):
        check_repeatable(run(**settings))


def test_what_is_no_longer_the_same_is_refused_with_both_digests() -> None:
    made = run(table_sha256="aa")
    check_same(made, "table", "n.nc", "aa")
    with pytest.raises(SimulationError) as caught:
        check_same(made, "table", "n.nc", "bb")
    assert str(caught.value) == (
        "the table at n.nc is not the one of the Run: expected SHA-256 aa, found bb; "
        "give the one that made the Run, or run the network again"
    )
