"""``demo``: the main job end to end, small enough for ten minutes on two cores."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from snncircuit import shipped
from snncircuit.cli import agreements, console, given, measure, results, simulations, sweeps, validation
from snncircuit.cli.values import parse_values

NEURON = "nmp_clocked"
NETWORKS = ("mnist-cnn", "mnist-autoencoder")
SWEPT = "mnist-autoencoder"
DEEPEST = -1.8  # V
SUPPLIES = parse_values(f"0:{DEEPEST}:-0.2")


@click.command(short_help="The main job end to end, in minutes.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="snncircuit-demo",
    show_default=True,
    help="Folder for what it writes; a repeated demo reuses what is there.",
)
@click.option("--images", type=click.IntRange(1), default=40, show_default=True, help="Test images.")
@click.option("--steps", type=click.IntRange(1), default=100, show_default=True, help="Network steps.")
@measure.jobs_option
@console.json_option
def demo(output: Path, images: int, steps: int, jobs: int, as_json: bool) -> None:
    """Measure a neuron, run two networks with it, sweep the negative supply, and check the table against ngspice."""
    started = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    table, measured = live_table(output, jobs)
    runs = []
    for network in NETWORKS:
        for neuron in ("ideal", str(table)):
            done = simulations.simulation(
                network,
                neuron=neuron,
                steps=steps,
                images=images,
                vneg=None if neuron == "ideal" else DEEPEST,
            )
            runs.append(done.to_json())
    folder = output / f"{SWEPT}-{NEURON}-{images}x{steps}"
    dataset = sweeps.swept(SWEPT, NEURON, SUPPLIES, folder, steps=steps, images=images)
    figure = output / "sweep.png"
    sweeps.draw(dataset, figure)
    from snncircuit.study.sweep_dataset import points

    swept = points(dataset)
    agreement = None
    if measured is not None:
        points_live = given.points(["tt"], [27.0], [1.8], [DEEPEST])
        agreement = validation.check(
            given.table(str(table)), given.cell(NEURON), points_live, jobs=jobs, steps=200, neurons=2
        )
    seconds = time.monotonic() - started
    if as_json:
        console.emit(
            {
                "characterise": measured,
                "runs": runs,
                "points": swept,
                "validate": agreement,
                "table": str(table),
                "dataset": str(folder / "sweep.nc"),
                "figure": str(figure),
                "seconds": seconds,
            }
        )
        return
    if agreement is not None:
        agreements.show_agreement(table.stem, agreement)
    results.show_comparison(runs)
    results.show_sweep(swept)
    click.echo(f"table    {table}\nsweep    {folder / 'sweep.nc'}\nfigure   {figure}\n{seconds:.0f} s")


def live_table(output: Path, jobs: int) -> tuple[Path, dict[str, Any] | None]:
    """The neuron measured here and now on a coarse grid, and what that took; the shipped table where there is no ngspice."""
    from snncircuit.spice.doctor import doctor

    found = doctor()
    if not found.ok:
        path = shipped.find("neuron", NEURON)
        console.remark(f"no ngspice here: going on with the shipped table {path}. {found.how_to_install}")
        return path, None
    console.remark(f"{found.ngspice}, {found.library}: {found.self_test}")
    path = output / f"{NEURON}.nc"
    neuron = given.coarse(given.cell(NEURON))
    supplies = given.points(["tt"], [27.0], [1.8], [0.0, DEEPEST])
    return path, measure.measure(neuron, supplies, models=None, jobs=jobs, timeout=60.0, path=path)


COMMANDS = (demo,)
