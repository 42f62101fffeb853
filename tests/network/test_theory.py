"""Laws of converted networks: charge is conserved in every layer, and rates approach the ANN's activations as 1/T."""

import numpy as np
import pytest
import torch

from snncircuit.network.convert import convert
from snncircuit.network.encode import ConstantCurrent, Encoder, PoissonSpikes
from snncircuit.network.readout import correct_by_step, squared_error_by_step
from snncircuit.network.reference import run_reference
from snncircuit.network.simulate import simulate
from snncircuit.neuron.ideal import IdealNeuron
from tests.network.nets import CLASSIFIER_SHAPE, autoencoder, classifier, images


@pytest.mark.parametrize("encoder", [ConstantCurrent(), PoissonSpikes(seed=3)])
@pytest.mark.parametrize("v_lb", [None, 0.0, -0.4])
@pytest.mark.parametrize("module", [classifier, autoencoder])
def test_rates_are_drive_minus_what_is_left_on_the_membrane_plus_clipped_charge(
    module: object, v_lb: float | None, encoder: Encoder
) -> None:
    steps = 40
    assert callable(module)
    network = convert(module(), images(20, CLASSIFIER_SHAPE), float_weights=True).to(torch.float64)
    pictures = images(3, CLASSIFIER_SHAPE, seed=8).double()
    record = {layer.name: tuple(range(torch.Size(layer.out_shape).numel())) for layer in network.layers}
    outcome = run_reference(
        network,
        IdealNeuron(v_lb=v_lb),
        encoder,
        pictures,
        first_image=0,
        steps=steps,
        record=record,
        exit_margin=None,
    )
    rate = encoder.values(pictures, 0, 0, steps).sum(dim=0) / steps
    for layer in network.layers:
        # The drive is linear, so that of the mean is the mean of the drives.
        drive = layer.drive(rate).flatten(1)
        rate = outcome.counts[layer.name] / steps
        left = torch.from_numpy(outcome.traces[layer.name].v_mem[-1]).double() / steps
        clipped = rate.flatten(1) - drive + left
        total = outcome.tallies[layer.name].clipped_charge / steps
        assert float(clipped.sum()) == pytest.approx(total, abs=1e-5 * clipped.numel())
        assert float(clipped.min()) >= -1e-5
        if v_lb is None:
            assert total == 0
            assert float(clipped.abs().max()) <= 1e-5


def test_the_error_of_unbounded_neurons_falls_as_one_over_time() -> None:
    network = convert(classifier(), images(100, CLASSIFIER_SHAPE), "max")
    pictures = images(20, CLASSIFIER_SHAPE, seed=4)
    times = [100, 200, 400, 800, 1600]
    errors = []
    for steps in times:
        run = simulate(network, IdealNeuron(), pictures, torch.zeros(20, dtype=torch.int64), steps=steps)
        errors.append([figures.rate_rmse for figures in run.layers.values()])
    for layer in np.log(np.array(errors)).T:
        assert np.polyfit(np.log(times), layer, 1)[0] == pytest.approx(-1, abs=0.15)
    assert max(errors[-1]) < 0.01


def test_the_class_is_that_of_most_spikes_and_then_of_the_fuller_membrane() -> None:
    spikes = torch.tensor([[[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]]])
    v_mem = torch.tensor([[[0.1, 0.9, 0.0]], [[0.2, 0.9, 0.3]], [[0.0, 5.0, 0.0]]])
    for label, expected in ((0, [0, 0, 1]), (1, [0, 0, 0]), (2, [1, 1, 0])):
        assert correct_by_step(spikes, v_mem, torch.tensor([label])).tolist() == expected


def test_membranes_never_outweigh_a_spike() -> None:
    spikes, v_mem = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[-9.0, 9.0]]])
    assert correct_by_step(spikes, v_mem, torch.tensor([0])).tolist() == [1]


def test_an_image_is_the_rate_times_the_scale() -> None:
    spikes = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]])
    errors = squared_error_by_step(spikes, 0.5, torch.tensor([[[[0.25, 0.5]]]]))
    assert errors.tolist() == [(0.25**2 + 0.5**2) / 2, 0.5**2 / 2]
