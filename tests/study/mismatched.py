"""A small network and a table with mismatched neurons, for the studies of chips and rungs."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from snncircuit.network.convert import convert
from snncircuit.network.layers import SpikingNetwork
from snncircuit.neuron.circuit import CircuitNeuron
from snncircuit.neuron.variation import NOMINAL
from snncircuit.study.datasets import load
from snncircuit.study.images import Images
from tests.network.event.drawn import measured

SIGMAS = (0.08, 0.08, 0.05, 0.002, 0.05)


def data(images: int = 6) -> Images:
    return load("mnist", "test", images)


def network(levels: int | None = None) -> SpikingNetwork:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 3, 4, stride=4),
        nn.ReLU(),
        nn.Conv2d(3, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(100, 10),
    )
    return convert(module, data().images, "max", name="small", levels=levels)


def neuron(v_neg: float = -1.8) -> CircuitNeuron:
    draws = NOMINAL + np.random.default_rng(0).standard_normal((40, 5)) * SIGMAS
    return CircuitNeuron(replace(measured("nmp_clocked", v_neg), variation=draws))


def unvaried() -> CircuitNeuron:
    return CircuitNeuron(replace(measured("nmp_clocked", -1.8), variation=None))
