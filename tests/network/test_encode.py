"""Every encoder's mean is the image, and what it gives depends on nothing but image, step and seed."""

import pytest
import torch

from snncircuit.errors import SimulationError
from snncircuit.network.encode import ConstantCurrent, Encoder, PoissonSpikes, RegularSpikes, make_encoder
from tests.network.nets import images

SHAPE = (2, 4, 5)
ALL = [ConstantCurrent(), RegularSpikes(), PoissonSpikes(seed=7)]


@pytest.mark.parametrize(
    ("encoder", "tolerance"), [(ALL[0], 1e-6), (ALL[1], 1 / 2000), (ALL[2], 5 * 0.5 / 2000**0.5)]
)
def test_the_mean_over_time_is_the_image(encoder: Encoder, tolerance: float) -> None:
    pictures = images(3, SHAPE)
    mean = encoder.values(pictures, 0, 0, 2000).mean(dim=0)
    assert float((mean - pictures).abs().max()) <= tolerance


@pytest.mark.parametrize("encoder", ALL[1:])
def test_spikes_are_whole_and_black_and_white_are_certain(encoder: Encoder) -> None:
    values = encoder.values(torch.stack([torch.zeros(SHAPE), torch.ones(SHAPE)]), 0, 0, 100)
    assert torch.equal(values[:, 0], torch.zeros(100, *SHAPE))
    assert torch.equal(values[:, 1], torch.ones(100, *SHAPE))
    assert set(encoder.values(images(2, SHAPE), 0, 0, 50).unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("encoder", ALL)
def test_neither_batch_nor_chunk_changes_anything(encoder: Encoder) -> None:
    pictures = images(4, SHAPE)
    whole = encoder.values(pictures, 10, 0, 12)
    for image in range(4):
        parts = [encoder.values(pictures[image : image + 1], 10 + image, start, 4) for start in (0, 4, 8)]
        assert torch.equal(torch.cat(parts)[:, 0], whole[:, image])


def test_regular_spikes_are_those_of_an_integrate_and_fire_neuron() -> None:
    spikes = RegularSpikes().values(torch.full((1, 1, 1, 1), 0.25), 0, 0, 9).flatten()
    assert spikes.tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 0]


def test_poisson_spikes_of_pixels_steps_images_and_seeds_are_independent() -> None:
    grey = torch.full((2, *SHAPE), 0.5)
    spikes = PoissonSpikes(seed=1).values(grey, 0, 0, 4000)
    rows = torch.cat([spikes.flatten(1), PoissonSpikes(seed=2).values(grey, 0, 0, 4000).flatten(1)], dim=1).T
    correlation = torch.corrcoef(torch.cat([rows[:, :-1], rows[:, 1:]])).fill_diagonal_(0)
    assert float(correlation.abs().max()) < 6 / 4000**0.5


def test_an_encoder_has_a_name() -> None:
    assert [make_encoder(name, 7) for name in ("constant", "if", "poisson")] == ALL
    assert [encoder.analog for encoder in ALL] == [True, False, False]


def test_an_unknown_encoder_or_seed_is_refused() -> None:
    with pytest.raises(SimulationError, match="no encoder 'morse'; there are constant, if, poisson"):
        make_encoder("morse")
    with pytest.raises(SimulationError, match="seed -1: expected 0 or more"):
        make_encoder("poisson", -1)
