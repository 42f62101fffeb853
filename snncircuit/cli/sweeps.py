"""Whole networks against the negative supply: ``sweep``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncircuit.cli import console, given, results
from snncircuit.cli.options import circuit_options, simulation_options
from snncircuit.cli.values import values_option

if TYPE_CHECKING:
    import xarray as xr


@click.command(short_help="Run a network at each negative supply.")
@click.argument("network")
@click.option("--neuron", default="nmp_clocked", show_default=True, help="A shipped name or a .nc file.")
@click.option(
    "--vneg", callback=values_option, default="0:-1.8:-0.2", show_default=True, help="Negative supplies, V."
)
@circuit_options
@simulation_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the sweep; NETWORK-NEURON by default. An interrupted sweep goes on there.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The figure; sweep.png in the folder by default.",
)
@console.json_option
def sweep(
    network: str,
    neuron: str,
    vneg: tuple[float, ...],
    output: Path | None,
    plot: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run NETWORK at each negative supply with circuit neurons, and with ideal ones of the same bound beside them."""
    folder = output or Path(f"{Path(network).stem}-{Path(neuron).stem}")
    figure = plot or folder / "sweep.png"
    dataset = swept(network, neuron, vneg, folder, **options)
    draw(dataset, figure)
    from snncircuit.study.sweep_dataset import points

    found = points(dataset)
    if as_json:
        console.emit({"points": found, "dataset": str(folder / "sweep.nc"), "figure": str(figure)})
    else:
        results.show_sweep(found)
        click.echo(f"{folder / 'sweep.nc'}\n{figure}")


def swept(
    network: str,
    neuron: str,
    v_negs: Sequence[float],
    folder: Path,
    *,
    steps: int,
    images: int,
    vdd: float | None = None,
    corner: str = "tt",
    temperature: float = 27.0,
    pump_efficiency: float = 0.7,
    encoder: str = "constant",
    engine: str = "auto",
    synapse_levels: int | None = None,
    float_weights: bool = False,
    early_exit: int | None = None,
    seed: int = 0,
    max_out_of_range: float = 0.02,
) -> xr.Dataset:
    """What ``snncircuit sweep`` runs; options as there.

    Raises:
        SnnCircuitError: when the network, the neuron or the images cannot be used.
        Interrupted: on Ctrl-C; every finished run is kept in the folder.
    """
    from snncircuit.study.sweep import Operation, SweepProgress
    from snncircuit.study.sweep import sweep as study

    if neuron == given.IDEAL:
        msg = "a sweep needs a circuit neuron; the ideal one is run beside it at the same bound"
        raise click.BadParameter(msg, param_hint="--neuron")

    def operate(v_neg: float) -> Operation:
        at = given.population(
            neuron,
            v_neg=v_neg,
            v_dd=vdd,
            corner=corner,
            temperature=temperature,
            pump_efficiency=pump_efficiency,
        )
        assert at.rails is not None
        return Operation(neuron=at.neuron, v_lb=at.rails[0], rails=at.rails)

    converted, description, data = given.material(network, images, synapse_levels, float_weights)
    table = given.locate("neuron", neuron)
    settings = {
        "neuron": given.table(neuron).name,
        "table_sha256": hashlib.sha256(table.read_bytes()).hexdigest(),
        "v_dd": vdd,
        "corner": corner,
        "temperature": temperature,
        "pump_efficiency": pump_efficiency,
    }
    kept = f"every finished run is kept in {folder}; repeat the same command to go on"
    with console.resumable(kept), console.progress(f"{description.name} against VNEG") as report:

        def tell(step: SweepProgress) -> None:
            report(step.run * step.of + step.images, step.runs * step.of)

        return study(
            converted,
            operate,
            v_negs,
            data.images,
            given.targets(description, data),
            steps=steps,
            path=folder,
            settings=settings,
            encoder=encoder,
            engine=given.engine(engine),
            exit_margin=early_exit,
            seed=seed,
            max_out_of_range=max_out_of_range,
            progress=tell,
        )


def draw(dataset: xr.Dataset, path: Path) -> None:
    """Write the figure of a sweep."""
    from snncircuit.report.plots import plot_sweep, save

    save(plot_sweep(dataset), path)


COMMANDS = (sweep,)
