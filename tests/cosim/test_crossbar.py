"""The matrices of a network's layers do what its operators do."""

import numpy as np
import pytest
import torch
from torch import nn

from snncircuit.cosim.crossbar import MOST_NEURONS, crossbars_of
from snncircuit.errors import SimulationError
from snncircuit.network.convert import convert
from tests.network.nets import CLASSIFIER_SHAPE, classifier, images, randomised


@pytest.fixture
def small() -> nn.Module:
    """Convolutions, pooling in front of and behind them, a matrix: 118 neurons."""
    layers = (
        nn.Conv2d(1, 4, 3, stride=2),
        nn.ReLU(),
        nn.AvgPool2d(2, stride=1),
        nn.Conv2d(4, 6, 2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )
    return randomised(nn.Sequential(*layers), 3)


def test_matrices_give_the_charges_of_the_operators(small: nn.Module) -> None:
    network = convert(small, images(20, CLASSIFIER_SHAPE))
    image = images(1, CLASSIFIER_SHAPE, seed=7)
    crossbars = crossbars_of(network, image)
    assert [s.name for s in crossbars] == [layer.name for layer in network.layers]
    first = network.layers[0].current(image)
    for got, wanted in zip((crossbars[0].bias_exc, crossbars[0].bias_inh), first, strict=True):
        np.testing.assert_array_equal(got, wanted.flatten().double().numpy())
    generator = torch.Generator().manual_seed(2)
    for layer, crossbar in zip(network.layers[1:], crossbars[1:], strict=True):
        spikes = torch.randint(0, 2, (1, *layer.in_shape), generator=generator).float()
        sent = spikes.flatten().double().numpy()
        q_exc, q_inh = layer.charges(spikes)
        np.testing.assert_array_equal(
            crossbar.weight_exc @ sent + crossbar.bias_exc, q_exc.flatten().double().numpy()
        )
        np.testing.assert_array_equal(
            crossbar.weight_inh @ sent + crossbar.bias_inh, q_inh.flatten().double().numpy()
        )


def test_a_network_too_large_is_refused_with_what_it_has() -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    with pytest.raises(
        SimulationError, match=rf"network has 299 neurons \(conv1 256, .*at most {MOST_NEURONS}"
    ):
        crossbars_of(network, images(1, CLASSIFIER_SHAPE))
