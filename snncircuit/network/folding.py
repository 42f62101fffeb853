"""A module read as a chain of neuron layers: batch normalisation folded, averages in front of the next weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn

from snncircuit.errors import ConversionError
from snncircuit.network.layers import Convolution, Dense, Flatten, Pair, Pool, TransposedConvolution
from snncircuit.network.stages import Reader, Stage, at


def read_stages(module: nn.Module, input_shape: tuple[int, int, int]) -> tuple[Stage, ...]:
    """The neuron layers of a module, in order.

    A layer ends at its ReLU. Averages and batch normalisation between two layers belong to the next one's synapses; global average
    pooling of spikes is a layer of neurons by itself (as in Hwang et al., Sci Rep 10:3515, 2020). Dropout is nothing.

    Args:
        module: one convertible layer or a nested ``nn.Sequential`` of them.
        input_shape: channels, height, width.

    Raises:
        ConversionError: naming the path of a layer that has no spiking equivalent where it stands.
    """
    reader = Reader(shape=input_shape, in_shape=input_shape)
    for path, layer in _walk(module, ""):
        read = CONVERT.get(type(layer))
        if read is None:
            msg = (
                f"cannot convert {at(layer, path)}; convertible: {_convertible()}, and nn.Sequential of these"
            )
            raise ConversionError(msg)
        read(reader, copy.deepcopy(layer).double().eval(), path)
    return reader.finish()


def _walk(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    if type(module) is not nn.Sequential:
        yield path, module
        return
    for name, layer in module.named_children():
        yield from _walk(layer, f"{path}.{name}" if path else name)


def _convolution(reader: Reader, layer: nn.Module, path: str) -> None:
    assert isinstance(layer, nn.Conv2d)
    _zero_padding(layer, path)
    operator = Convolution(
        stride=_pair(layer.stride),
        padding=layer.padding if isinstance(layer.padding, str) else _pair(layer.padding),
        dilation=_pair(layer.dilation),
        groups=layer.groups,
    )
    reader.run(layer, path)
    weight = layer.weight.detach()
    if reader.gain is not None and reader.weight is None:
        groups = layer.groups
        per_output = reader.gain.reshape(groups, 1, -1).expand(-1, weight.shape[0] // groups, -1)
        weight = weight * per_output.reshape(*weight.shape[:2], 1, 1)
    reader.weigh("conv", layer, path, operator, weight)


def _transposed(reader: Reader, layer: nn.Module, path: str) -> None:
    assert isinstance(layer, nn.ConvTranspose2d)
    _zero_padding(layer, path)
    assert not isinstance(layer.padding, str)
    operator = TransposedConvolution(
        stride=_pair(layer.stride),
        padding=_pair(layer.padding),
        output_padding=_pair(layer.output_padding),
        dilation=_pair(layer.dilation),
        groups=layer.groups,
    )
    reader.run(layer, path)
    weight = layer.weight.detach()
    if reader.gain is not None and reader.weight is None:
        weight = weight * reader.gain.reshape(-1, 1, 1, 1)
    reader.weigh("convt", layer, path, operator, weight)


def _linear(reader: Reader, layer: nn.Module, path: str) -> None:
    assert isinstance(layer, nn.Linear)
    if len(reader.shape) != 1:
        msg = (
            f"{at(layer, path)} needs vectors, but its input has shape {reader.shape}; put a Flatten in front"
        )
        raise ConversionError(msg)
    reader.run(layer, path)
    weight = layer.weight.detach()
    if reader.gain is not None and reader.weight is None:
        weight = weight * reader.gain
    reader.weigh("fc", layer, path, Dense(), weight)


def _batch_norm(reader: Reader, layer: nn.Module, path: str) -> None:
    assert isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    if not layer.track_running_stats:
        msg = f"{at(layer, path)} keeps no running statistics, so there is nothing to fold"
        raise ConversionError(msg)
    if reader.spread:
        msg = f"{at(layer, path)} scales each pixel of {reader.where} by itself; put a BatchNorm2d in front of the Flatten"
        raise ConversionError(msg)
    reader.run(layer, path)
    assert layer.running_var is not None
    factor = torch.rsqrt(layer.running_var + layer.eps)
    reader.scale(factor * layer.weight.detach() if layer.affine else factor)
    if reader.weight is None:
        reader.normalised = at(layer, path)


def _relu(reader: Reader, layer: nn.Module, path: str) -> None:
    if reader.weight is not None:
        reader.close(rectified=True)
    elif reader.normalised:
        msg = f"{at(layer, path)} follows {reader.normalised} with no convolution or linear layer between the neurons"
        raise ConversionError(msg)
    # Otherwise it rectifies averages of spikes or of pixels, which are never negative.


def _average_pool(reader: Reader, layer: nn.Module, path: str) -> None:
    assert isinstance(layer, nn.AvgPool2d)
    kernel, stride, padding = _pair(layer.kernel_size), _pair(layer.stride), _pair(layer.padding)
    before = reader.shape
    own = reader.averages_spikes
    reader.run(layer, path)
    floor = tuple(
        (size + 2 * p - k) // s + 1 for size, k, s, p in zip(before[1:], kernel, stride, padding, strict=True)
    )
    uneven = reader.shape[1:] != floor or (padding != (0, 0) and not layer.count_include_pad)
    if uneven or layer.divisor_override is not None:
        msg = (
            f"{at(layer, path)} does not divide every window by its size; convertible: whole windows (no ceil_mode that cuts "
            "one), count_include_pad where there is padding, no divisor_override"
        )
        raise ConversionError(msg)
    if own and before[1:] == kernel and padding == (0, 0):
        reader.average(kernel, layer, path)
    else:
        _fold_average(reader, Pool(kernel=kernel, stride=stride, padding=padding))


def _global_average(reader: Reader, layer: nn.Module, path: str) -> None:
    assert isinstance(layer, nn.AdaptiveAvgPool2d)
    if layer.output_size not in (1, (1, 1)):
        msg = f"{at(layer, path)} has output size {layer.output_size}; convertible: 1, global average pooling"
        raise ConversionError(msg)
    if len(reader.shape) != 3:
        msg = f"{at(layer, path)} needs images, but its input has shape {reader.shape}"
        raise ConversionError(msg)
    kernel = (reader.shape[1], reader.shape[2])
    own = reader.averages_spikes
    reader.run(layer, path)
    if own:
        reader.average(kernel, layer, path)
    else:
        _fold_average(reader, Pool(kernel=kernel, stride=kernel, padding=(0, 0)))


def _fold_average(reader: Reader, pool: Pool) -> None:
    reader.scale(torch.full((reader.shape[0],), 1 / (pool.kernel[0] * pool.kernel[1]), dtype=torch.float64))
    reader.arrange(pool)


def _flatten(reader: Reader, layer: nn.Module, path: str) -> None:
    assert isinstance(layer, nn.Flatten)
    if (layer.start_dim, layer.end_dim) != (1, -1):
        msg = f"{at(layer, path)} flattens {layer.start_dim} to {layer.end_dim}; convertible: 1 to -1, images to vectors"
        raise ConversionError(msg)
    if len(reader.shape) == 1:
        return
    area = reader.shape[1] * reader.shape[2]
    reader.run(layer, path)
    reader.spread = reader.weight is not None and area > 1
    if reader.weight is None and reader.gain is not None:
        reader.gain = reader.gain.repeat_interleave(area)
    reader.arrange(Flatten())


def _nothing(reader: Reader, layer: nn.Module, path: str) -> None:
    """Nothing at inference."""


def _zero_padding(layer: nn.Conv2d | nn.ConvTranspose2d, path: str) -> None:
    if layer.padding_mode != "zeros":
        msg = f"{at(layer, path)} has padding mode {layer.padding_mode!r}; convertible: 'zeros'"
        raise ConversionError(msg)


def _pair(value: int | tuple[int, ...]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _convertible() -> str:
    return ", ".join(sorted(layer.__name__ for layer in CONVERT))


CONVERT: Mapping[type[nn.Module], Callable[[Reader, nn.Module, str], None]] = {
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _transposed,
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: _relu,
    nn.AvgPool2d: _average_pool,
    nn.AdaptiveAvgPool2d: _global_average,
    nn.Flatten: _flatten,
    nn.Dropout: _nothing,
    nn.Identity: _nothing,
}
"""What reads each layer; anything else is refused."""
