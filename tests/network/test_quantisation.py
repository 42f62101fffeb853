"""Weights lie where an array of devices can hold them, and no sum of them is ever inexact."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from snncircuit.errors import ConversionError
from snncircuit.network.convert import calibrate, convert, spiking
from snncircuit.network.layers import SpikingNetwork, Synapses
from snncircuit.network.quantisation import MOST, on_grid
from tests.network.nets import CLASSIFIER_SHAPE, alive, autoencoder, classifier, images, modules

LEVELS = st.sampled_from([None, 2, 3, 4, 16, 255])
Shape = tuple[int, int, int]


def converted(module: nn.Module, shape: Shape, levels: int | None) -> tuple[SpikingNetwork, SpikingNetwork]:
    """With weights as trained, and quantised."""
    scales = calibrate(module, images(20, shape))
    return spiking(module, scales, shape, float_weights=True), spiking(module, scales, shape, levels=levels)


def largest_sum(layer: Synapses) -> float:
    every = torch.ones((1, *layer.in_shape), dtype=torch.float64)
    return max(float(q.max()) for q in layer.to(torch.float64).charges(every))


@given(modules(), LEVELS)
def test_no_line_receives_more_than_int16_holds_when_every_input_spikes(
    drawn: tuple[nn.Module, Shape], levels: int | None
) -> None:
    module, shape = drawn
    assume(alive(module, shape))
    for layer in converted(module, shape, levels)[1].layers:
        assert largest_sum(layer) <= MOST * layer.grid
        for tensor in (layer.weight_exc, layer.weight_inh, layer.bias_exc, layer.bias_inh):
            steps = tensor.double() / layer.grid
            assert torch.equal(steps, steps.round())
            assert tensor.dtype == torch.float32


@given(modules(), LEVELS)
def test_what_is_quantised_stays_as_it_is(drawn: tuple[nn.Module, Shape], levels: int | None) -> None:
    module, shape = drawn
    assume(alive(module, shape))
    for layer in converted(module, shape, levels)[1].layers:
        again = on_grid(dataclasses.replace(layer, grid=0.0), levels)
        assert torch.equal(again.weight_exc, layer.weight_exc)
        assert torch.equal(again.weight_inh, layer.weight_inh)
        assert torch.equal(again.bias_exc, layer.bias_exc)
        assert again.rounding == 0


@given(modules(), st.integers(2, 9))
def test_a_device_has_no_more_levels_than_asked_for(drawn: tuple[nn.Module, Shape], levels: int) -> None:
    module, shape = drawn
    assume(alive(module, shape))
    for layer in converted(module, shape, levels)[1].layers:
        held = torch.cat([layer.weight_exc.flatten(), layer.weight_inh.flatten()]).double().unique()
        steps = (held / layer.grid).long()
        apart = np.gcd.reduce(steps.numpy())  # levels are evenly spaced, by whole steps of the grid
        assert int(steps.max()) <= (levels - 1) * max(apart, 1)


@pytest.mark.parametrize("module", [classifier(), autoencoder()], ids=["classifier", "autoencoder"])
def test_the_grid_is_the_finest_and_changes_no_weight_by_more_than_half_a_step(module: nn.Module) -> None:
    before, after = converted(module, CLASSIFIER_SHAPE, None)
    for trained, layer in zip(before.layers, after.layers, strict=True):
        change = (layer.weight_exc - layer.weight_inh) - (trained.weight_exc - trained.weight_inh)
        assert float(change.abs().max()) <= layer.grid / 2
        assert largest_sum(trained) > MOST * layer.grid / 2
        size = (trained.weight_exc - trained.weight_inh).square().mean().sqrt()
        assert layer.rounding == pytest.approx(float(change.square().mean().sqrt() / size), rel=1e-3)


def test_a_grid_on_which_rounding_lifts_a_sum_too_far_is_doubled() -> None:
    first = converted(classifier(), CLASSIFIER_SHAPE, None)[0].layers[0]
    # 1.5 steps of the grid round to 2 everywhere, and 2 of each are more than int16 holds.
    linear = nn.Linear(20_000, 1, bias=False)
    linear.weight.data.fill_(1.5)
    network = converted(nn.Sequential(nn.Flatten(), linear), (2, 100, 100), None)[0]
    layer = dataclasses.replace(
        network.layers[0], weight_exc=torch.full((1, 20_000), 1.5 * 2.0**-15), bias_exc=torch.zeros(1)
    )
    assert largest_sum(layer) <= MOST * 2.0**-15
    assert on_grid(layer).grid == 2.0**-14
    assert first.grid == 0


def test_more_levels_come_closer_to_the_weights() -> None:
    rounding = []
    for levels in (2, 4, 16, 256, None):
        layers = converted(classifier(), CLASSIFIER_SHAPE, levels)[1].layers
        rounding.append([layer.rounding for layer in layers if layer.name != "gap1"])  # all alike there
    for coarse, fine in itertools.pairwise(rounding):
        assert all(a >= b for a, b in zip(coarse, fine, strict=True))
    assert max(rounding[-2]) < 0.01


def test_levels_are_part_of_the_network_and_so_is_what_it_was_before() -> None:
    plain, coarse = (converted(classifier(), CLASSIFIER_SHAPE, levels)[1] for levels in (None, 4))
    assert (plain.levels, plain.trained) == (None, None)
    assert coarse.levels == 4
    assert coarse.trained is not None
    assert all(layer.grid == 0 for layer in coarse.trained.layers)


@pytest.mark.parametrize("levels", [1, 0, -3])
def test_fewer_than_two_levels_are_refused(levels: int) -> None:
    with pytest.raises(ConversionError, match=f"{levels} synapse levels: expected 2 or more"):
        convert(classifier(), images(9, CLASSIFIER_SHAPE), levels=levels)


def test_levels_of_float_weights_are_refused() -> None:
    with pytest.raises(ConversionError, match="4 synapse levels and float weights exclude each other"):
        convert(classifier(), images(9, CLASSIFIER_SHAPE), levels=4, float_weights=True)
