"""What a network, its images and its neurons are known by, so that finished work is never taken for that of others."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from snncircuit.network.layers import SpikingNetwork


def of_network(network: SpikingNetwork) -> str:
    """SHA-256 of the layers as they run: operators, shapes, scales, weights and biases."""
    facts = hashlib.sha256()
    for layer in network.layers:
        facts.update(
            repr(
                (layer.name, layer.operator, layer.before, layer.after, layer.in_shape, layer.scale)
            ).encode()
        )
        for tensor in (layer.weight_exc, layer.weight_inh, layer.bias_exc, layer.bias_inh):
            facts.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return facts.hexdigest()


def of_tensors(*tensors: Tensor) -> str:
    """SHA-256 of the numbers of tensors, one after the other."""
    facts = hashlib.sha256()
    for tensor in tensors:
        facts.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return facts.hexdigest()


def of_array(values: NDArray[np.float64]) -> str:
    """SHA-256 of the numbers of an array."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
