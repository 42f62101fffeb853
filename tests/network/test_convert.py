"""The converted network computes what the module computes, and what cannot be converted is refused by its place."""

import pytest
import torch
from hypothesis import assume, given, settings
from torch import nn

from snncircuit.errors import ConversionError
from snncircuit.network.convert import calibrate, convert, spiking
from snncircuit.network.description import Normalisation
from snncircuit.network.folding import read_stages
from tests.network.nets import CLASSIFIER_SHAPE, alive, autoencoder, classifier, images, modules, randomised

Shape = tuple[int, int, int]


def outputs_agree(module: nn.Module, shape: Shape) -> None:
    pictures = images(6, shape, seed=3)
    network = convert(module, images(20, shape), float_weights=True)
    *_, last = network.activations(pictures)
    with torch.no_grad():
        expected = module(pictures)
    scale = network.layers[-1].scale
    error = last.reshape(expected.shape) * scale - expected
    # Single precision leaves this much where large charges cancel.
    assert float(error.abs().max()) <= 1e-3 * max(scale, float(expected.abs().max()))


@settings(max_examples=50)
@given(modules())
def test_the_network_computes_what_the_module_computes(drawn: tuple[nn.Module, Shape]) -> None:
    module, shape = drawn
    assume(alive(module, shape))
    outputs_agree(module, shape)


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(1, 1),
        nn.Sequential(nn.Conv2d(1, 2, 3, padding="same", dilation=2), nn.Identity(), nn.Flatten(), nn.ReLU()),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.AvgPool2d(2), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten()),
        nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(2)),
        nn.Sequential(
            nn.AvgPool2d(2), nn.ReLU(), nn.Conv2d(1, 2, 2), nn.ReLU(), nn.AvgPool2d((2, 2)), nn.Flatten()
        ),
        nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.ReLU(), nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(1), nn.Conv2d(2, 3, 1)
        ),
        nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.ReLU(), nn.BatchNorm2d(2), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 2)
        ),
        nn.Sequential(nn.ConvTranspose2d(1, 2, 3, stride=2, output_padding=1, dilation=2), nn.ReLU()),
        nn.Sequential(
            nn.Flatten(), nn.Flatten(), nn.Linear(36, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)
        ),
    ],
    ids=[
        "linear",
        "same",
        "pool-then-norm",
        "gap-of-charges",
        "pools",
        "norm-then-gap",
        "norm-then-flat",
        "transposed",
        "flat",
    ],
)
def test_each_arrangement_computes_what_the_module_computes(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        module = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    shape = (1, 6, 6)
    outputs_agree(randomised(module, 5), shape)


def test_layers_are_named_by_kind_and_number() -> None:
    network = convert(classifier(), images(20, CLASSIFIER_SHAPE))
    assert [layer.name for layer in network.layers] == ["conv1", "conv2", "gap1", "fc1", "fc2"]
    assert [layer.rectified for layer in network.layers] == [True, True, True, True, False]
    assert [layer.path for layer in network.layers][1] == "Conv2d at '4.0'"
    network = convert(autoencoder(), images(20, CLASSIFIER_SHAPE))
    assert [layer.name for layer in network.layers] == ["conv1", "convt1", "convt2"]


def test_an_average_of_the_whole_image_is_a_layer_of_neurons_in_either_spelling() -> None:
    for pool in (nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((1, 1)), nn.AvgPool2d(4)):
        network = convert(
            randomised(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), pool), 0), images(9, (1, 6, 6))
        )
        assert [layer.name for layer in network.layers] == ["conv1", "gap1"]
        gap = network.layers[1]
        torch.testing.assert_close(
            gap.weight_exc,
            torch.full((2, 1, 4, 4), network.layers[0].scale / gap.scale / 16),
            rtol=0,
            atol=gap.grid,
        )


def test_a_full_rate_stands_for_the_largest_activation() -> None:
    pictures = images(30, CLASSIFIER_SHAPE)
    for normalised in convert(classifier(), pictures, "max", float_weights=True).activations(pictures):
        assert float(normalised.max()) == pytest.approx(1, abs=1e-4)


def test_a_percentile_leaves_its_share_of_the_positive_activations_above_one() -> None:
    pictures = images(200, CLASSIFIER_SHAPE)
    network = convert(classifier(), pictures, "percentile", 90.0)
    first = next(iter(network.activations(pictures)))
    assert float((first > 1).sum() / (first > 0).sum()) == pytest.approx(0.1, abs=0.01)


def test_each_weight_is_a_pair_of_devices_of_which_one_is_off() -> None:
    for layer in convert(classifier(), images(20, CLASSIFIER_SHAPE)).layers:
        for exc, inh in ((layer.weight_exc, layer.weight_inh), (layer.bias_exc, layer.bias_inh)):
            assert float(exc.min()) >= 0
            assert float(inh.min()) >= 0
            assert float((exc * inh).abs().max()) == 0


@pytest.mark.parametrize("spikes_per_step", [1, 4])
def test_charges_are_the_exact_sums_whatever_the_layout(spikes_per_step: int) -> None:
    generator = torch.Generator().manual_seed(0)
    for module in (classifier(), autoencoder()):
        for layer in convert(module, images(20, CLASSIFIER_SHAPE)).layers:
            spikes = torch.randint(0, spikes_per_step + 1, (7, *layer.in_shape), generator=generator).float()
            exact = layer.to(torch.float64).charges(spikes.double())
            for single, double in zip(layer.charges(spikes), exact, strict=True):
                assert torch.equal(single.double(), double)
            if spikes.ndim == 4:
                other = layer.charges(spikes.contiguous(memory_format=torch.channels_last))
                assert all(torch.equal(a, b) for a, b in zip(layer.charges(spikes), other, strict=True))


def test_currents_are_charges_rounded_to_the_grid() -> None:
    layer = convert(classifier(), images(20, CLASSIFIER_SHAPE)).layers[0]
    pictures = images(5, CLASSIFIER_SHAPE, seed=9)
    exact = layer.to(torch.float64).charges(pictures.double())
    for rounded, charge in zip(layer.current(pictures), exact, strict=True):
        assert float((rounded.double() - charge).abs().max()) <= layer.grid / 2
        assert torch.equal(rounded, torch.round(rounded / layer.grid) * layer.grid)


class Custom(nn.Module):
    """A module whose forward nobody can read."""


CANNOT = {
    "MaxPool2d at '1.0'": nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.MaxPool2d(2))),
    "Custom, the module itself": Custom(),
    "; convertible: AdaptiveAvgPool2d, AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, ConvTranspose2d, Dropout, ": Custom(),
    "Conv2d at '1' follows Conv2d at '0' without a ReLU": nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)
    ),
    "Conv2d at '1' cannot take an input of shape (2, 4, 4): ": nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Conv2d(3, 2, 3)
    ),
    "Linear at '1' needs vectors, but its input has shape (2, 4, 4); put a Flatten in front": nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Linear(4, 2)
    ),
    "Conv2d at '0' has padding mode 'reflect'; convertible: 'zeros'": nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")
    ),
    "BatchNorm2d at '1' keeps no running statistics": nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False)
    ),
    "BatchNorm1d at '2' scales each pixel of Conv2d at '0' by itself": nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Flatten(), nn.BatchNorm1d(32)
    ),
    "BatchNorm2d at '2' has no convolution or linear layer to be folded into": nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.BatchNorm2d(2)
    ),
    "ReLU at '3' follows BatchNorm2d at '2' with no convolution or linear layer": nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.BatchNorm2d(2), nn.ReLU()
    ),
    "the last AvgPool2d has no convolution or linear layer behind it": nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AvgPool2d(2)
    ),
    "AvgPool2d at '2' does not divide every window by its size": nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AvgPool2d(3, ceil_mode=True), nn.Conv2d(2, 2, 1)
    ),
    "AvgPool2d at '0' does not divide": nn.Sequential(
        nn.AvgPool2d(2, padding=1, count_include_pad=False), nn.Conv2d(1, 2, 3)
    ),
    "AdaptiveAvgPool2d at '0' has output size 2; convertible: 1": nn.Sequential(
        nn.AdaptiveAvgPool2d(2), nn.Conv2d(1, 2, 1)
    ),
    "AdaptiveAvgPool2d at '1' needs images, but its input has shape (36,)": nn.Sequential(
        nn.Flatten(), nn.AdaptiveAvgPool2d(1)
    ),
    "Flatten at '0' flattens 2 to -1; convertible: 1 to -1": nn.Sequential(nn.Flatten(2), nn.Linear(36, 2)),
    "nothing to convert": nn.Sequential(nn.Dropout(0.1)),
}


@pytest.mark.parametrize("text", CANNOT)
def test_what_cannot_be_converted_is_named(text: str) -> None:
    with pytest.raises(ConversionError) as caught:
        read_stages(CANNOT[text], (1, 6, 6))
    assert text in str(caught.value)


def test_a_layer_that_never_fires_is_named() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    assert isinstance(module[1], nn.Linear)
    module[1].weight.data.fill_(-1.0)
    module[1].bias.data.fill_(-1.0)
    with pytest.raises(
        ConversionError, match=r"fc1 \(Linear at '1'\) is never above 0 on the 3 calibration images"
    ):
        calibrate(module, images(3, (1, 2, 2)))


def test_calibration_takes_pixels_between_0_and_1() -> None:
    with pytest.raises(
        ConversionError, match=r"pixels in \[0, 1\]; found 3 images with pixels from 0.* to 2"
    ):
        calibrate(classifier(), images(3, CLASSIFIER_SHAPE).mul(0.5).index_fill(0, torch.tensor([1]), 2.0))
    with pytest.raises(ConversionError, match="found no image"):
        calibrate(classifier(), torch.zeros(0, *CLASSIFIER_SHAPE))


@pytest.mark.parametrize(
    ("method", "percentile"), [("mean", 99.9), ("percentile", 0.0), ("percentile", 101.0)]
)
def test_an_unknown_normalisation_is_refused(method: str, percentile: float) -> None:
    with pytest.raises(
        ConversionError, match=f"normalisation '{method}' at {percentile}: expected 'max', or 'percentile'"
    ):
        calibrate(classifier(), images(3, CLASSIFIER_SHAPE), method, percentile)


def test_scales_of_other_layers_are_refused() -> None:
    scales = Normalisation(method="max", percentile=100.0, images=1, scales={"conv1": 1.0})
    with pytest.raises(
        ConversionError, match="the normalisation has scales of conv1; the module has conv1, convt1, convt2"
    ):
        spiking(autoencoder(), scales, (1, 8, 8))
