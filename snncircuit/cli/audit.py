"""``audit``: neurons of a run of a whole network against live ngspice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncircuit.cli import console, given
from snncircuit.cli.audit_text import show_audit
from snncircuit.cli.measure import jobs_option, models_option

if TYPE_CHECKING:
    from snncircuit.cosim.audit import Audit
    from snncircuit.cosim.circuit import Circuit
    from snncircuit.cosim.repeat import Repetition
    from snncircuit.network.run import Run
    from snncircuit.table import OperatingTable, TransferTable


@click.command(short_help="Hold neurons of a network run against live ngspice.")
@click.argument("run_file", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--neurons", type=click.IntRange(1), default=32, show_default=True, help="Neurons to replay.")
@click.option(
    "--images",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Images of the run to take them from.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the sample and the bootstrap."
)
@click.option("--network", help="Where the network of the run now lies; where it lay by default.")
@click.option("--table", help="Where the table of the run now lies; where it lay by default.")
@click.option("--netlist", help="The neuron for ngspice; by default the shipped one of the table's name.")
@click.option("--corner", help="Section of the cards for ngspice; that of the run by default.")
@click.option("--temperature", type=float, help="For ngspice, degC; that of the run by default.")
@models_option
@jobs_option
@click.option(
    "--timeout", type=click.FloatRange(1), default=600.0, show_default=True, help="Seconds for one neuron."
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the worst neuron, SPICE and table over each other, as PNG, SVG or PDF.",
)
@console.json_option
def audit(
    run_file: Path,
    neurons: int,
    images: int,
    seed: int,
    network: str | None,
    table: str | None,
    netlist: str | None,
    corner: str | None,
    temperature: float | None,
    models: Path | None,
    jobs: int,
    timeout: float,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Replay neurons of RUN (a file of snncircuit run -o) in live ngspice, with the very charges that they received.

    Ends with exit code 2 when the run is further from SPICE than it may be. With --netlist, --models, --corner or --temperature
    ngspice may run another circuit than the one that the table was measured from; then it should.
    """
    from snncircuit.cosim.circuit import circuit_behind
    from snncircuit.network.run_file import load_run

    run = load_run(run_file)
    repetition, loaded, at = again(run, network, table)
    cell = given.cell(netlist or loaded.name)
    changed = [
        *(["netlist"] if netlist is not None else []),
        *(["cards"] if netlist is not None or models is not None else []),
    ]
    circuit = circuit_behind(
        loaded,
        at,
        cell,
        given.cards(cell, models),
        corner=corner,
        temperature=temperature,
        changed=changed,
    )
    for name, text in circuit.differences.items():
        console.remark(f"ngspice runs other {name}, {text}")
    found, settings = held(
        repetition,
        at,
        circuit,
        neurons=neurons,
        images=images,
        seed=seed,
        jobs=jobs,
        timeout=timeout,
        plot=plot,
    )
    said = {
        **found.to_json(),
        "circuit": dict(circuit.differences),
        "figure": None if plot is None else str(plot),
        "settings": {"run": str(run_file), **settings, "of_run": dict(run.settings)},
    }
    if as_json:
        console.emit(said)
    else:
        show_audit(said)
    found.check()


def again(
    run: Run, network: str | None, table: str | None
) -> tuple[Repetition, TransferTable, OperatingTable]:
    """What made a Run, found again: ready to be repeated, with its table and the operating point of it.

    Raises:
        SimulationError: when the Run does not say what made it, or that is no longer what it was.
        SnnCircuitError: when it is gone or cannot be used.
    """
    from snncircuit.cosim.repeat import Repetition
    from snncircuit.network import fingerprints
    from snncircuit.network.convert import load_spiking
    from snncircuit.network.origin import (
        check_repeatable,
        check_same,
        network_digest,
        table_digest,
    )
    from snncircuit.neuron.circuit import CircuitNeuron
    from snncircuit.study import datasets

    settings: Any = check_repeatable(run)
    path = given.locate("network", network or settings["network_file"])
    converted, description = load_spiking(
        path, levels=settings["synapse_levels"], float_weights=settings["float_weights"]
    )
    check_same(run, "network", str(path), network_digest(path))
    word = table or settings["table_file"]
    loaded = given.table(word)
    at = loaded.at(**{axis: settings[axis] for axis in ("corner", "temperature", "v_dd", "v_neg")})
    check_same(run, "table", str(given.locate("neuron", word)), table_digest(at))
    data = datasets.load(description.dataset, "test", settings["images"])
    check_same(run, "images", data.origin, fingerprints.of_tensors(data.images))
    neuron = CircuitNeuron(at, pump_efficiency=settings["pump_efficiency"])
    return Repetition(run=run, network=converted, neuron=neuron, images=data.images), loaded, at


def held(
    repetition: Repetition,
    table: OperatingTable,
    circuit: Circuit,
    *,
    neurons: int,
    images: int,
    seed: int,
    jobs: int,
    timeout: float,
    plot: Path | None,
) -> tuple[Audit, dict[str, Any]]:
    """The audit of a Run, and what it was made with; draws the worst neuron when there is a ``plot``.

    Raises:
        SnnCircuitError: when there is nothing to compare.
        Interrupted: on Ctrl-C; every finished simulation is kept.
    """
    from snncircuit.characterise.run import Laboratory
    from snncircuit.cosim.replay import replay
    from snncircuit.cosim.sampling import choose_images, sample
    from snncircuit.spice.cache import SampleCache
    from snncircuit.spice.engine import EnginePool

    shown = choose_images(len(repetition.images), images, seed)
    passages = repetition.passages(sample(repetition.counts(shown), shown, neurons, seed))
    with SampleCache() as cache, EnginePool(jobs, timeout) as pool:
        laboratory = Laboratory(
            cell=circuit.cell, cards={circuit.point.corner: circuit.cards}, pool=pool, cache=cache
        )
        kept = f"every finished simulation is kept in {cache.path}; repeat the same command to go on"
        with console.resumable(kept), console.progress(f"auditing {circuit.cell.name}") as report:
            found = replay(table, passages, laboratory, circuit.point, seed=seed, progress=report)
            if plot is not None:
                draw(found, table, laboratory, plot)
        settings = {
            "neurons": neurons,
            "images": list(shown),
            "seed": seed,
            "netlist": str(circuit.cell.path),
            "models": str(circuit.cards.path),
            "corner": circuit.point.corner,
            "temperature": circuit.point.temperature,
            "v_dd": circuit.point.v_dd,
            "v_neg": circuit.point.v_neg,
            "ngspice": pool.version,
            "reused": laboratory.reused,
        }
    return found, settings


def draw(found: Audit, table: OperatingTable, laboratory: Any, path: Path) -> None:
    """Draw the worst neuron of an audit."""
    from snncircuit.cosim.replay import waveforms
    from snncircuit.report.audit_figure import Portrait
    from snncircuit.report.plots import plot_audit, save

    worst, cell = found.worst, laboratory.cell
    waves = waveforms(laboratory, found.point, worst.drive)
    passage, place = worst.passage, worst.passage.place
    portrait = Portrait(
        title=f"{place.label} at image {place.image}, {place.stratum}",
        step=table.step,
        threshold=table.figures["threshold"],
        rest=table.rest,
        time=waves.time,
        membrane=waves.signal(f"v({cell.membrane.port})"),
        crossings=waves.crossings(f"v({cell.spike.port})", cell.spike.level),
        v_mem=passage.v_mem,
        spikes=passage.spikes,
        error=worst.errors.free_error,
        q_exc=passage.q_exc,
        q_inh=passage.q_inh,
    )
    save(plot_audit(portrait), path)


COMMANDS = (audit,)
