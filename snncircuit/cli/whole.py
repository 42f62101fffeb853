"""``whole``: a small network as one circuit in ngspice beside its simulation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from snncircuit.cli import console, given
from snncircuit.cli.measure import jobs_option, models_option
from snncircuit.units import engineering


@click.command(short_help="Run a small network as one circuit in ngspice, beside its simulation.")
@click.argument("network")
@click.option("--neuron", default="nmp_clocked", show_default=True, help="A shipped name or a .nc file.")
@click.option("--netlist", help="The neuron for ngspice; by default the shipped one of the table's name.")
@click.option("--vneg", type=float, help="Negative supply, V; the lowest of the table by default.")
@click.option("--vdd", type=float, help="Positive supply, V.")
@click.option("--corner", default="tt", show_default=True, help="Of the table.")
@click.option("--temperature", type=float, default=27.0, show_default=True, help="Of the table, degC.")
@click.option("--images", type=click.IntRange(1), default=20, show_default=True, help="Test images.")
@click.option("--steps", type=click.IntRange(1), default=50, show_default=True, help="Network steps.")
@models_option
@jobs_option
@click.option(
    "--timeout", type=click.FloatRange(1), default=7200.0, show_default=True, help="Seconds for one image."
)
@click.option(
    "--deck",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the deck of the first image here, as ngspice gets it.",
)
@console.json_option
def whole(
    network: str,
    neuron: str,
    netlist: str | None,
    vneg: float | None,
    vdd: float | None,
    corner: str,
    temperature: float,
    images: int,
    steps: int,
    models: Path | None,
    jobs: int,
    timeout: float,
    deck: Path | None,
    as_json: bool,
) -> None:
    """Draw NETWORK (a .toml file, or a shipped name) as one circuit, run it in ngspice, and compare with the simulation."""
    from snncircuit.cosim.circuit import circuit_behind
    from snncircuit.cosim.whole import draw_network, hold_whole
    from snncircuit.spice.cache import SampleCache
    from snncircuit.spice.engine import EnginePool

    if neuron == given.IDEAL:
        msg = "the ideal neuron has no circuit; expected a table, such as nmp_clocked"
        raise click.BadParameter(msg, param_hint="--neuron")
    population = given.population(neuron, v_neg=vneg, v_dd=vdd, corner=corner, temperature=temperature)
    made: Any = population.neuron
    table = given.table(neuron)
    cell = given.cell(netlist or table.name)
    changed = [*(["netlist"] if netlist else []), *(["cards"] if netlist or models else [])]
    circuit = circuit_behind(table, made.table, cell, given.cards(cell, models), changed=changed)
    converted, description, data = given.material(network, images, None, False)
    if deck is not None:
        charge = made.table.figures["threshold_charge"]
        drawn, _ = draw_network(converted, circuit, charge=charge, image=data.images[:1], steps=steps)
        deck.write_text(drawn.text, encoding="ascii")
    label = f"{description.name} in ngspice, images"
    with SampleCache() as cache, EnginePool(jobs, timeout) as pool:
        kept = f"every finished image is kept in {cache.path}; repeat the same command to go on"
        with console.resumable(kept), console.progress(label) as report:
            found = hold_whole(
                converted,
                made,
                circuit,
                data.images,
                data.labels if description.task == "classify" else None,
                steps=steps,
                pool=pool,
                cache=cache,
                progress=report,
            )
        version = pool.version
    settings = {
        "network": description.name,
        **population.settings,
        "steps": steps,
        "images": images,
        "data": data.origin,
        "ngspice": version,
    }
    said = {
        **found.to_json(),
        "circuit": dict(circuit.differences),
        "deck": None if deck is None else str(deck),
        "settings": settings,
    }
    if as_json:
        console.emit(said)
    else:
        show(said)


def show(said: Mapping[str, Any]) -> None:
    """Print the JSON object for people."""
    settings, worst = said["settings"], said["worst"]
    energy, rates = said["energy"], said["neuron_steps_per_second"]
    supplies = list(dict.fromkeys(s for layer in said["energy_by_layer"].values() for s in layer))
    rows = []
    for supply in supplies:
        for layer, found in said["energy_by_layer"].items():
            pair = found[supply]
            rows.append([supply, layer, *(engineering(pair[who], "J") for who in ("spice", "surrogate"))])
    console.show(
        f"{settings['network']} of {settings['neuron']} neurons at VNEG {settings['v_neg']:g} V as one circuit, {said['images']} images, "
        f"{settings['steps']} steps, per inference",
        ["supply", "layer", "SPICE", "simulated"],
        rows,
    )
    if said["class_agreement"] is not None:
        right = said["accuracy"]
        click.echo(
            f"same class on {said['class_agreement']:.1%} of the images; right are {right['spice']:.1%} in SPICE and "
            f"{right['surrogate']:.1%} simulated"
        )
    click.echo(
        f"spike counts within 1 on {said['spike_counts_within_1']:.2%} of the neurons, equal on {said['spike_counts_equal']:.2%}; worst: "
        f"neuron {worst['neuron']} of {worst['layer']}, image {worst['image']}, {worst['spice']} in SPICE and "
        f"{worst['surrogate']} simulated; same step on {said['steps_equal']:.2%}"
    )
    spikes = (
        f"{name} {pair['spice']:.1f} and {pair['surrogate']:.1f}" for name, pair in said["spikes"].items()
    )
    click.echo(f"spikes, SPICE and simulated: {', '.join(spikes)}")
    click.echo(
        f"energy {engineering(energy['spice'], 'J')} in SPICE and {engineering(energy['surrogate'], 'J')} simulated, "
        f"{said['energy_error']:+.2%}"
    )
    click.echo(
        f"neuron-steps per second of processor time: {rates['spice']:.1f} in ngspice, {rates['surrogate']:,.0f} simulated, "
        f"{said['speed_ratio']:,.0f} times as many; ngspice took {said['seconds']:.0f} s"
    )
    for image, reason in said["failures"].items():
        click.echo(f"image {image} failed: {reason}")


COMMANDS = (whole,)
