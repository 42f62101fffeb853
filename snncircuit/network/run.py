"""What is known after a run, and its JSON object."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from snncircuit.network.figures import LayerFigures
from snncircuit.network.live import LiveTrace
from snncircuit.network.outcome import Trace

BAD_RATE_RMSE = 0.05
"""A layer whose rates are further than this from the ANN's normalised activations is bad."""

Setting = str | int | float | bool | None
_SCORES = ("accuracy", "mse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A simulated network.

    Attributes:
        engine: name of the engine that ran.
        score: ``accuracy`` (labels) or ``mse`` (images).
        by_step: the score after each step.
        ann_score: the same score of the ANN that was converted, on the same images.
        ann_score_quantised: of the ANN with weights on the levels of the synapses; None where no levels were asked for.
        layers: layer name to its figures, in order.
        steps_used: after how many steps each image stopped; empty where it is not known.
        image_steps_per_second: steps run of all images over wall time.
        settings: network, neuron, steps, images, encoder, seed and whatever the caller adds (v_neg, hashes, …).
        rails: lowest and highest membrane that the supplies allow, thresholds above rest; None for ideal neurons.
        traces: layer name to the traces that were asked for.
        live: traces of the neurons that were live circuits.
    """

    engine: str
    score: str
    by_step: tuple[float, ...]
    ann_score: float
    layers: Mapping[str, LayerFigures]
    image_steps_per_second: float
    ann_score_quantised: float | None = None
    steps_used: tuple[int, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    rails: tuple[float, float] | None = None
    traces: Mapping[str, Trace] = field(default_factory=dict, compare=False)
    live: tuple[LiveTrace, ...] = field(default=(), compare=False)

    @property
    def first_bad_layer(self) -> str | None:
        """The first layer whose rates are not those of the ANN, or None."""
        return next((name for name, layer in self.layers.items() if layer.rate_rmse > BAD_RATE_RMSE), None)

    @property
    def energy_terms(self) -> dict[str, float]:
        """J per inference of each term, over all layers and supplies."""
        return _sum_by((term, joule) for _, _, term, joule in self.energies())

    @property
    def energy_by_layer(self) -> dict[str, dict[str, float]]:
        """J per inference of each supply of each layer."""
        return {
            name: _sum_by((supply, joule) for layer, supply, _, joule in self.energies() if layer == name)
            for name, figures in self.layers.items()
            if figures.energy
        }

    @property
    def energy(self) -> float | None:
        """J per inference; None for neurons without energy."""
        return sum(self.energy_terms.values()) if self.energy_terms else None

    def energies(self) -> Iterator[tuple[str, str, str, float]]:
        """Layer, supply, term and J per inference of every contribution."""
        for name, figures in self.layers.items():
            for supply, terms in figures.energy.items():
                for term, joule in terms.items():
                    yield name, supply, term, joule

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints: plain dicts, lists, numbers and None; SI units and thresholds."""
        total = sum(figures.out_of_range for figures in self.layers.values())
        worst = max(figures.out_of_range_fraction for figures in self.layers.values())
        scores: dict[str, Any] = {}
        for score in _SCORES:
            own = score == self.score
            scores[score] = self.by_step[-1] if own else None
            scores[f"ann_{score}"] = self.ann_score if own else None
            scores[f"ann_{score}_quantised"] = self.ann_score_quantised if own else None
            scores[f"{score}_by_step"] = list(self.by_step) if own else None
        return {
            "engine": self.engine,
            **scores,
            "spikes": self._figure("spikes"),
            "clipped_charge": self._figure("clipped_charge"),
            "rate_rmse": self._figure("rate_rmse"),
            "first_bad_layer": self.first_bad_layer,
            "energy": self.energy,
            "energy_terms": self.energy_terms,
            "energy_by_layer": self.energy_by_layer,
            "out_of_range": total,
            "out_of_range_fraction": worst,
            "v_low": self._figure("v_low"),
            "v_high": self._figure("v_high"),
            "headroom": self.headroom,
            "grid": self._figure("grid"),
            "rounding": self._figure("rounding"),
            "steps_used": self._steps_used(),
            "image_steps_per_second": self.image_steps_per_second,
            "settings": dict(self.settings),
        }

    @property
    def headroom(self) -> dict[str, dict[str, float]] | None:
        """Distance of each layer's lowest and highest membrane to the rails, thresholds; None without rails."""
        if self.rails is None:
            return None
        low, high = self.rails
        return {
            name: {"low": figures.v_low - low, "high": high - figures.v_high}
            for name, figures in self.layers.items()
        }

    def _steps_used(self) -> dict[str, Any] | None:
        """Mean and extremes, and how many images used how many steps."""
        if not self.steps_used:
            return None
        return {
            "mean": sum(self.steps_used) / len(self.steps_used),
            "min": min(self.steps_used),
            "max": max(self.steps_used),
            "images": {str(steps): images for steps, images in sorted(Counter(self.steps_used).items())},
        }

    def _figure(self, name: str) -> dict[str, Any]:
        return {layer: getattr(figures, name) for layer, figures in self.layers.items()}


def _sum_by(pairs: Iterator[tuple[str, float]]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for key, value in pairs:
        sums[key] += value
    return dict(sums)
