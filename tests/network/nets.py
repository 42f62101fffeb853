"""Small networks for the tests, and a hypothesis strategy of them."""

import math

import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch import Tensor, nn

from snncircuit.errors import ConversionError
from snncircuit.network.convert import calibrate


def randomised(module: nn.Module, seed: int) -> nn.Module:
    """The module in eval mode with random biases and batch statistics and weights that keep signals alive."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            fan_in = layer.weight[0].numel()
            layer.weight.data.normal_(0.3 / fan_in**0.5, 1.2 / math.sqrt(fan_in), generator=generator)
            if layer.bias is not None:
                layer.bias.data.normal_(0.05, 0.2, generator=generator)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_(0, 0.3, generator=generator)
            layer.running_var.uniform_(0.3, 2, generator=generator)
            if layer.affine:
                layer.weight.data.normal_(1, 0.4, generator=generator)
                layer.bias.data.normal_(0.1, 0.2, generator=generator)
    return module.eval()


def images(count: int, shape: tuple[int, int, int], seed: int = 0) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


def classifier(seed: int = 0) -> nn.Module:
    """Every kind of neuron layer but the transposed convolution: conv1, conv2, gap1, fc1, fc2."""
    return randomised(
        nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Dropout(0.5)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 8),
            nn.ReLU(),
            nn.Linear(8, 5),
        ),
        seed,
    )


def alive(module: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Whether every layer is above 0 for some calibration image, so that it can be normalised."""
    try:
        calibrate(module, images(20, shape))
    except ConversionError as error:
        return "never above 0" not in str(error)
    return True


CLASSIFIER_SHAPE = (1, 8, 8)


def autoencoder(seed: int = 0) -> nn.Module:
    """conv1, convt1, convt2."""
    return randomised(
        nn.Sequential(
            nn.Conv2d(1, 5, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(5, 4, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(4, 1, 2, stride=2),
            nn.ReLU(),
        ),
        seed,
    )


@st.composite
def modules(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, int, int]]:
    """A random convertible module and the shape that it takes."""
    channels, side = draw(st.integers(1, 3)), draw(st.integers(5, 9))
    shape = (channels, side, draw(st.integers(5, 9)))
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 3))):
        out, groups = draw(st.integers(1, 2)), draw(st.sampled_from([1, channels]))
        options = {
            "stride": draw(st.integers(1, 2)),
            "padding": draw(st.integers(0, 1)),
            "bias": draw(st.booleans()),
            "groups": groups,
        }
        kernel = draw(st.integers(2, 3))
        kind = draw(st.sampled_from([nn.Conv2d, nn.ConvTranspose2d]))
        if draw(st.booleans()):
            layers.append(nn.BatchNorm2d(channels))
        layer = kind(channels, out * groups, kernel, **options)
        channels = out * groups
        layers.append(layer)
        if draw(st.booleans()):
            layers.append(nn.BatchNorm2d(channels, affine=draw(st.booleans())))
        layers.append(nn.ReLU())
        if draw(st.booleans()):
            layers.append(nn.AvgPool2d(2, stride=1, padding=draw(st.integers(0, 1))))
    tail = draw(st.sampled_from(["vectors", "gap", "images"]))
    try:
        size = _size(nn.Sequential(*layers), shape)
    except RuntimeError:
        size = 0
    assume(size > 0)  # torch cannot run an image smaller than the kernel
    if tail == "gap":
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(channels), nn.Linear(channels, 4)]
    elif tail == "vectors":
        layers += [nn.Flatten(), nn.Linear(size, 4), nn.BatchNorm1d(4)]
    else:
        layers += [nn.Conv2d(channels, 2, 1)]
    return randomised(nn.Sequential(*layers), draw(st.integers(0, 1000))), shape


def _size(module: nn.Module, shape: tuple[int, int, int]) -> int:
    with torch.no_grad():
        return module.eval()(torch.zeros(1, *shape)).numel()
