"""What a circuit neuron costs more than an ideal one, in the same engine, on the same spikes.

    python benches/neuron.py [--quick] [--json]

Circuit neurons are tables that spike exactly as ideal neurons with a lower bound do, so the work of the synapses is the same: once as
tables of 128 points along one axis each, once as a full multilinear map of the size of a shipped one, both with the energy of every
supply. ``circuit_over_ideal_…`` is the larger of the ratios of the two networks.
"""

from __future__ import annotations

import timing
import workload
from circuit_neurons import LOWEST, full_neuron, table_neuron

from snncircuit.neuron.ideal import IdealNeuron

IMAGES = {"mnist": 16, "cifar10": 8}
STEPS = 64
SECONDS = 120.0
QUICK_IMAGES = {"mnist": 8, "cifar10": 4}
QUICK_STEPS = 32
QUICK_SECONDS = 16.0


def compare(name: str, images: int, steps: int, seconds: float, engine: str) -> tuple[timing.Race, list[str]]:
    """The race on one network, once all neurons are seen to spike alike."""
    work = workload.build(name, images=images, steps=steps)
    neurons = {"ideal": IdealNeuron(v_lb=LOWEST), "table": table_neuron(), "full": full_neuron()}
    runs = {kind: workload.runner(work, neuron, engine) for kind, neuron in neurons.items()}
    outcomes = {kind: run() for kind, run in runs.items()}
    for kind, outcome in outcomes.items():
        for layer, counts in outcomes["ideal"].counts.items():
            if not outcome.counts[layer].equal(counts):
                msg = f"{name}: {kind} neurons of {layer} spike otherwise than ideal ones"
                raise SystemExit(msg)
    energies = [len(neurons[kind].energies(outcomes[kind].tallies["conv1"])) for kind in ("table", "full")]
    race = timing.race(runs, work=work.image_steps, seconds=seconds)
    return race, [
        f"{name}: all spike alike, {workload.hidden_activity(outcomes['ideal']):.1%} of the hidden neuron-steps; energy of "
        f"{energies[0]} supplies (tables) and {energies[1]} (full map) included"
    ]


def worse(one: timing.Ratio, other: timing.Ratio) -> timing.Ratio:
    """The one with the larger median CPU time."""
    return max(one, other, key=lambda ratio: ratio.cpu.median)


def main() -> None:
    """Run the comparison on both networks and show it."""
    parser = timing.arguments(__doc__)
    parser.add_argument("--engine", default="event", help="event or dense")
    given = parser.parse_args()
    races, ratios, notes = {}, {}, []
    for name in workload.NETWORKS:
        images = (QUICK_IMAGES if given.quick else IMAGES)[name]
        steps = QUICK_STEPS if given.quick else STEPS
        seconds = QUICK_SECONDS if given.quick else SECONDS
        races[name], said = compare(name, images, steps, seconds, given.engine)
        notes += said
        for kind in ("table", "full"):
            ratios[f"circuit_over_ideal_{kind}_{name}"] = races[name].speed("ideal", over=kind)
    for kind in ("table", "full"):
        key = f"circuit_over_ideal_{kind}"
        ratios[key] = worse(*(ratios[f"{key}_{name}"] for name in workload.NETWORKS))
    timing.show(
        timing.Report(bench="neuron", unit="image·steps/s", races=races, ratios=ratios, notes=notes),
        json=given.json,
    )


if __name__ == "__main__":
    main()
