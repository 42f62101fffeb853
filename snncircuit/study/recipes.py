"""How the shipped networks are built and trained, as plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Literal

from snncircuit.errors import NetworkError

Task = Literal["classify", "reconstruct"]
Layer = Mapping[str, object]
_LATER = ("flip", "smoothing", "first_side")  # fields that older files do not state


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides a training besides the data and the seed.

    Attributes:
        name: name of the network.
        task: what the output is held against: the label, or the image itself.
        data: name of the data set.
        layers: one mapping per torch module: ``type`` and its arguments.
        epochs: passes over the training images.
        batch: images per update.
        learning_rate: highest learning rate; it rises linearly over the first twentieth and falls as a cosine to zero.
        weight_decay: decoupled weight decay of AdamW.
        shift: largest random shift of a training image in either direction, pixels.
        charge_penalty: weight of the penalty on charges that a circuit neuron cannot take, see ``penalty``.
        images: how many training images, from the first; 0 for all.
        flip: whether a training image is mirrored left to right half of the time.
        smoothing: share of a label that is spread over all classes.
        first_side: side of the training images in the first epoch, px, half their own; it grows to their own over the first two thirds
            of the epochs. An epoch costs the square of the side, and convolutions learn most of what they learn at any size. 0 for
            their own throughout.
    """

    name: str
    task: Task
    data: str
    layers: tuple[Layer, ...]
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    shift: int = 0
    charge_penalty: float = 0.0
    images: int = 0
    flip: bool = False
    smoothing: float = 0.0
    first_side: int = 0

    def settings(self) -> dict[str, object]:
        """Everything but the layers, as TOML can hold it; of ``_LATER`` only what is used."""
        return {
            key: value
            for key, value in asdict(self).items()
            if key != "layers" and (value or key not in _LATER)
        }


def _conv(inputs: int, outputs: int, kernel: int, **options: object) -> Layer:
    return {
        "type": "Conv2d",
        "in_channels": inputs,
        "out_channels": outputs,
        "kernel_size": kernel,
        **options,
    }


def _conv_transpose(inputs: int, outputs: int, kernel: int, **options: object) -> Layer:
    return {
        "type": "ConvTranspose2d",
        "in_channels": inputs,
        "out_channels": outputs,
        "kernel_size": kernel,
        **options,
    }


def _block(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[Layer, ...]:
    """A convolution that keeps the side (or halves it), its batch norm, which conversion folds away, and a ReLU."""
    return (
        _conv(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        {"type": "BatchNorm2d", "num_features": outputs},
        _RELU,
    )


def _linear(inputs: int, outputs: int) -> Layer:
    return {"type": "Linear", "in_features": inputs, "out_features": outputs}


_RELU: Layer = {"type": "ReLU"}
_POOL: Layer = {"type": "AvgPool2d", "kernel_size": 2}

MNIST_CNN = Recipe(
    name="mnist-cnn",
    task="classify",
    data="mnist",
    layers=(
        _conv(1, 20, 3),
        _RELU,
        _POOL,
        _conv(20, 50, 5),
        _RELU,
        _POOL,
        {"type": "Flatten"},
        _linear(800, 500),
        _RELU,
        {"type": "Dropout", "p": 0.5},
        _linear(500, 10),
    ),
    epochs=14,
    batch=100,
    learning_rate=2e-3,
    weight_decay=1e-2,
    shift=2,
)

MNIST_GAP = Recipe(
    name="mnist-gap",
    task="classify",
    data="mnist",
    layers=(
        _conv(1, 16, 3),
        {"type": "BatchNorm2d", "num_features": 16},
        _RELU,
        _POOL,
        _conv(16, 32, 3),
        {"type": "BatchNorm2d", "num_features": 32},
        _RELU,
        _POOL,
        _conv(32, 32, 3),
        {"type": "BatchNorm2d", "num_features": 32},
        _RELU,
        _conv(32, 10, 1),
        _RELU,
        {"type": "AdaptiveAvgPool2d", "output_size": 1},
        {"type": "Flatten"},
    ),
    epochs=14,
    batch=100,
    learning_rate=4e-3,
    weight_decay=1e-2,
    shift=2,
)

MNIST_AUTOENCODER = Recipe(
    name="mnist-autoencoder",
    task="reconstruct",
    data="mnist",
    layers=(
        _conv(1, 6, 3, stride=2, padding=1),
        _RELU,
        _conv(6, 12, 3, stride=2, padding=1),
        _RELU,
        _conv(12, 16, 3, padding=1),
        _RELU,
        _conv_transpose(16, 12, 3, padding=1),
        _RELU,
        _conv_transpose(12, 6, 4, stride=2, padding=1),
        _RELU,
        _conv_transpose(6, 1, 4, stride=2, padding=1),
        _RELU,
    ),
    epochs=8,
    batch=100,
    learning_rate=4e-3,
    weight_decay=1e-2,
    charge_penalty=0.1,
    images=20_000,
)

CIFAR10_ALLCONV = Recipe(
    name="cifar10-allconv",
    task="classify",
    data="cifar10",
    layers=(
        *_block(3, 96, 3),
        *_block(96, 96, 3),
        *_block(96, 96, 3, stride=2),
        *_block(96, 192, 3),
        *_block(192, 192, 3),
        *_block(192, 192, 3, stride=2),
        *_block(192, 192, 3),
        *_block(192, 192, 1),
        _conv(192, 10, 1),
        _RELU,
        {"type": "AdaptiveAvgPool2d", "output_size": 1},
        {"type": "Flatten"},
    ),
    epochs=12,
    batch=100,
    learning_rate=4e-3,
    weight_decay=5e-2,
    shift=4,
    flip=True,
    smoothing=0.1,
    first_side=16,
)
"""96C3-96C3-96C3(2)-192C3-192C3-192C3(2)-192C3-192C1-10C1-GAP (Hwang et al., Sci Rep 10:3515, 2020)."""

DIGITS = Recipe(
    name="digits",
    task="classify",
    data="digits",
    layers=({"type": "Flatten"}, _linear(64, 16), _RELU, _linear(16, 10)),
    epochs=60,
    batch=50,
    learning_rate=1e-2,
    weight_decay=1e-2,
    charge_penalty=0.3,
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {r.name: r for r in (CIFAR10_ALLCONV, DIGITS, MNIST_CNN, MNIST_GAP, MNIST_AUTOENCODER)}
)


def recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        NetworkError: when there is none, with the names that exist.
    """
    if name not in RECIPES:
        msg = f"no training recipe called {name!r}; there are: {', '.join(sorted(RECIPES))}"
        raise NetworkError(msg)
    return RECIPES[name]
