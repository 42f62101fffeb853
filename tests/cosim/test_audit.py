"""An audit finds nothing where the circuit is the table, and exactly what was put in where it is not."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from snncircuit import lookup
from snncircuit.characterise.cell import load_cell
from snncircuit.characterise.drive import Drive, OperatingPoint, Sample
from snncircuit.characterise.run import Laboratory
from snncircuit.cosim.agreement import free_run, pool
from snncircuit.cosim.audit import Audit
from snncircuit.cosim.repeat import Passage
from snncircuit.cosim.replay import replay, waveforms
from snncircuit.cosim.sampling import Place
from snncircuit.errors import AgreementError, SimulationError
from snncircuit.shipped import find
from snncircuit.spice.cards import load_models
from snncircuit.spice.waveforms import Failure
from snncircuit.table import OperatingTable, TransferTable

POINT = OperatingPoint(v_dd=1.8, v_neg=-1.8)
FIGURES = {
    "spikes_matched",
    "spike_count_error",
    "energy_error",
    "v_mem_rmse",
    "bias",
    "confidence",
    "n_neurons",
}


@pytest.fixture(scope="module")
def table() -> OperatingTable:
    return TransferTable.load(find("neuron", "nmp_clocked")).at(v_dd=1.8, v_neg=-1.8)


class Bench:
    """Answers drives as a neuron that is a table: what a laboratory says of a circuit that was measured without error."""

    def __init__(self, table: OperatingTable, failing: Sequence[int] = ()) -> None:
        self.table, self.failing = table, failing

    def answer(self, wave: Sequence[tuple[OperatingPoint, Drive]]) -> Iterator[tuple[int, Sample]]:
        for index in reversed(range(len(wave))):
            yield index, Sample(failure="gone") if index in self.failing else self._sample(wave[index][1])

    def _sample(self, drive: Drive) -> Sample:
        figures, start = self.table.figures, (drive.v_mem - self.table.rest)
        exc, inh = (np.array(q) / figures["threshold_charge"] for q in (drive.q_exc, drive.q_inh))
        own = free_run(self.table, start / figures["threshold"], exc, inh)
        after = self.table.rest + figures["threshold"] * own.v_mem
        return Sample(
            v_mem=(drive.v_mem, *after.tolist()),
            spikes=tuple(own.spikes.tolist()),
            energy=tuple(map(tuple, own.energy.tolist())),
        )


def passages(table: OperatingTable, n: int = 6, n_steps: int = 80, seed: int = 1) -> list[Passage]:
    random = np.random.default_rng(seed)
    found = []
    for k in range(n):
        exc, inh = random.gamma(2.0, 0.3, n_steps), random.gamma(2.0, 0.15, n_steps)
        own = free_run(table, 0.0, exc, inh)
        place = Place(layer=f"fc{1 + k % 2}", index=k, image=3, stratum="low", spikes=int(own.spikes.sum()))
        found.append(Passage(place=place, q_exc=exc, q_inh=inh, v_mem=own.v_mem, spikes=own.spikes))
    return found


def audited(table: OperatingTable, circuit: OperatingTable, **options: Any) -> Audit:
    bench: Any = Bench(circuit, **options)
    return replay(table, passages(table), bench, POINT, seed=5)


def test_a_circuit_that_is_its_table_is_within_all_bars(table: OperatingTable) -> None:
    found = audited(table, table)
    found.check()
    assert all(bar.met for bar in found.bars().values())
    said = found.to_json()
    assert said.keys() >= FIGURES | {"layers", "neurons", "worst", "bars", "failures"}
    assert said["spikes_matched"] == 1
    assert said["n_spikes"] > 50
    assert max(said["v_mem_rmse"], said["energy_error"], said["spike_count_error"]) < 1e-9
    assert list(said["layers"]) == ["fc1", "fc2"]
    assert all(layer.keys() >= FIGURES for layer in said["layers"].values())
    assert said["repetition"]["steps_with_other_spikes"] == 0


def test_the_parts_add_up_to_the_whole(table: OperatingTable) -> None:
    said = audited(table, replace(table, energy=1.3 * table.energy)).to_json()
    for parts in (said["layers"].values(), said["neurons"]):
        assert sum(part["n_spikes"] for part in parts) == said["n_spikes"]
        assert sum(part["n_steps"] for part in parts) == said["n_steps"] == 480
        assert sum(part["energy"] for part in parts) == pytest.approx(said["energy"])
    assert sum(layer["n_neurons"] for layer in said["layers"].values()) == said["n_neurons"] == 6
    low, high = said["confidence"]["energy_error"]
    assert low <= said["energy_error"] <= high
    assert low < high


def test_what_is_put_into_the_circuit_is_found_and_told(table: OperatingTable) -> None:
    circuit = replace(table, residual=table.residual + 0.005)
    found = audited(table, circuit)
    said = found.to_json()
    assert said["bias"] == pytest.approx(-0.005, rel=1e-2)
    assert said["v_mem_rmse"] == pytest.approx(0.005, rel=0.05)
    with pytest.raises(AgreementError) as caught:
        found.check()
    told = str(caught.value)
    assert told.startswith(
        "the neurons of the run are not what ngspice makes of the circuit at tt, 27 degC, v_dd 1.8 V, v_neg -1.8 V: "
    )
    bars = found.bars()
    for name, bar in bars.items():
        assert (name + " " in told) == (not bar.met)
    assert f"bias {100 * bars['bias'].found:.3g} % (expected at most 0.002 %)" in told


def test_a_bias_that_a_few_neurons_cannot_tell_from_none_is_not_held_against_the_table(
    table: OperatingTable,
) -> None:
    one, other = audited(table, table).replays[:2]
    limit = 2e-5

    def biased(*biases: float) -> Audit:
        replays = tuple(
            replace(
                one, errors=replace(r.errors, forced_error=np.full(80, bias), free_error=np.full(80, bias))
            )
            for r, bias in zip((one, other, one, other), biases, strict=True)
        )
        return Audit(point=POINT, replays=replays, failures=(), seed=0, rounding=0.0, steps_differing=0)

    within, unclear, beyond = (
        biased(limit / 2, 0, 0, 0),
        biased(30e-5, -29e-5, 30e-5, 5e-5),
        biased(*[4e-5] * 4),
    )
    for found, met in ((within, True), (unclear, True), (beyond, False)):
        bar = found.bars()["bias"]
        assert bar.met == met
        assert (bar.found <= limit) == (found is within)
    with pytest.raises(AgreementError, match=r": bias 0\.004 % \(expected at most 0\.002 %\)$"):
        beyond.check()


def test_an_energy_of_one_supply_that_is_wrong_is_found_by_its_name(table: OperatingTable) -> None:
    energy = table.energy.copy()
    energy[0] *= 1.5
    found = audited(table, replace(table, energy=energy))
    wrong = found.to_json()["judged_energy_error_by_supply"]
    name = table.supplies[0].name
    assert max(wrong, key=wrong.__getitem__) == name
    assert all(error < 1e-9 for supply, error in wrong.items() if supply != name)
    if wrong[name] > 0.05:
        with pytest.raises(AgreementError, match=r"energy_error_by_supply .* \(expected at most 5 %\)"):
            found.check()


def test_the_worst_neuron_is_the_one_that_went_furthest_astray(table: OperatingTable) -> None:
    found = audited(table, replace(table, edge=table.edge + 0.02))
    apart = [float(np.sqrt(np.mean(r.errors.free_error**2))) for r in found.replays]
    assert found.worst is found.replays[int(np.argmax(apart))]
    said = found.to_json()["worst"]
    assert said["distance"] == pytest.approx(max(apart))
    assert said["layer"] == found.worst.passage.place.layer
    assert found.worst.passage.place.label == f"{said['layer']}:{said['index']}"


def test_the_free_run_is_that_of_the_network_not_of_the_table(table: OperatingTable) -> None:
    some = passages(table)
    other = replace(some[0], v_mem=some[0].v_mem + 0.01)
    bench: Any = Bench(table)
    found = replay(table, [other], bench, POINT)
    assert found.replays[0].errors.free_error == pytest.approx(0.01)
    assert found.rounding == pytest.approx(0.01, rel=0.2)
    assert pool([found.replays[0].errors]).v_mem_rmse < 1e-9
    expected = lookup.step(table, [0.0, *other.v_mem[:-1]], other.q_exc, other.q_inh).energy
    np.testing.assert_array_equal(found.replays[0].errors.own.energy, expected)


def test_a_neuron_that_could_not_be_simulated_fails_the_audit(table: OperatingTable) -> None:
    found = audited(table, table, failing=[2])
    assert found.failures == ("fc1:2: gone",)
    assert len(found.replays) == 5
    with pytest.raises(AgreementError, match=r"v_neg -1\.8 V: a simulation failed: fc1:2: gone$"):
        found.check()
    with pytest.raises(SimulationError, match=r"^no neuron could be simulated, .*: fc1:0: gone$"):
        audited(table, table, failing=range(6))


def test_progress_counts_the_simulations(table: OperatingTable) -> None:
    told: list[tuple[int, int]] = []
    bench: Any = Bench(table)
    replay(table, passages(table, 3), bench, POINT, progress=lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_neuron_that_cannot_be_drawn_is_told() -> None:
    class Hung:
        def map(self, decks: Sequence[object]) -> Iterator[tuple[int, Failure]]:
            assert len(decks) == 1
            yield 0, Failure(reason="no answer within 3 s")

    cell, pool, cache = load_cell(find("netlist", "nmp_clocked")), Hung(), None
    cards = {"tt": load_models(find("devices", "generic180"), "tt")}
    laboratory = Laboratory(cell=cell, cards=cards, pool=pool, cache=cache)  # type: ignore[arg-type]
    with pytest.raises(SimulationError, match=r"could not be simulated again: no answer within 3 s$"):
        waveforms(laboratory, POINT, Drive(v_mem=0.0, q_exc=(1e-13,), q_inh=(0.0,)))
