"""Training of the shipped networks: the same weights for the same recipe, data and seed, resumable after every epoch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from snncircuit.network.files import half_precision
from snncircuit.study.checkpoint import restore, save
from snncircuit.study.images import Images
from snncircuit.study.penalty import charge_excess
from snncircuit.study.recipes import Recipe, Task, recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands: `done` of `updates` steps of the optimiser, and the latest loss."""

    epoch: int
    epochs: int
    done: int
    updates: int
    loss: float


def build(plan: Recipe) -> nn.Sequential:
    """The untrained module of a recipe: biases zero, weights normal with variance 2/fan-in, drawn from torch's random state.

    This variance carries the signal undiminished through any number of ReLU layers (He et al., 2015); torch's own default starves the
    output of a deep autoencoder, whose last ReLU then dies.
    """
    modules = []
    for layer in plan.layers:
        options = {key: value for key, value in layer.items() if key != "type"}
        modules.append(getattr(nn, str(layer["type"]))(**options))
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=math.sqrt(2 / _fan_in(module)))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return nn.Sequential(*modules)


def _fan_in(module: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> float:
    """Inputs that reach one output; a transposed convolution spreads its kernel over stride² outputs."""
    if isinstance(module, nn.ConvTranspose2d):
        return module.in_channels * math.prod(module.kernel_size) / math.prod(module.stride)
    return module.weight[0].numel()


def train(
    plan: Recipe | str,
    data: Images,
    *,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    threads: int = 1,
) -> nn.Sequential:
    """Train a network; the module comes back in evaluation mode, its numbers rounded to half precision, in which they are stored.

    Every epoch is a function of the state before it, the seed and its number, so a training that was killed and goes on from `checkpoint`
    ends with the same weights as one that was not. `threads` is part of that: sums of floats depend on it.

    Args:
        plan: a recipe or the name of one.
        data: the training images.
        seed: first weights, order of the images, shifts and dropout follow from it.
        checkpoint: file that holds the state after each epoch; an existing one is continued, a finished one only read.
        progress: called after every update.
        threads: threads that torch may use meanwhile.

    Raises:
        NetworkError: when there is no such recipe, or the checkpoint is damaged or of another recipe, seed or data.
    """
    chosen = recipe(plan) if isinstance(plan, str) else plan
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            return _train(chosen, data, seed, checkpoint, progress)
    finally:
        torch.set_num_threads(before)


def score(module: nn.Module, data: Images, task: Task) -> float:
    """Fraction of right labels for classification, mean squared error per pixel for reconstruction; module in evaluation mode."""
    total = 0.0
    with torch.no_grad():
        for images, labels in zip(data.images.split(500), data.labels.split(500), strict=True):
            output = module(images)
            if task == "classify":
                total += float((output.argmax(dim=1) == labels).sum())
            else:
                total += float(((output - images) ** 2).mean(dim=(1, 2, 3)).sum(dtype=torch.float64))
    return total / len(data)


def _train(
    plan: Recipe,
    data: Images,
    seed: int,
    checkpoint: Path | None,
    progress: Callable[[Progress], None] | None,
) -> nn.Sequential:
    torch.manual_seed(seed)
    module = build(plan)
    optimiser = torch.optim.AdamW(module.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    key = _key(plan, data, seed)
    first = (
        restore(checkpoint, key, module, optimiser) if checkpoint is not None and checkpoint.exists() else 0
    )
    per_epoch = -(-len(data) // plan.batch)
    updates = per_epoch * plan.epochs
    for epoch in range(first, plan.epochs):
        module.train()
        torch.manual_seed(_mix(seed, epoch))
        for index, batch in enumerate(torch.randperm(len(data)).split(plan.batch)):
            done = epoch * per_epoch + index
            for group in optimiser.param_groups:
                group["lr"] = plan.learning_rate * _schedule((done + 0.5) / updates)
            images = _resized(
                _flipped(_shifted(data.images[batch], plan.shift), plan.flip), _side(plan, epoch)
            )
            loss = _loss(plan, module, images, data.labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if progress is not None:
                progress(
                    Progress(
                        epoch=epoch, epochs=plan.epochs, done=done + 1, updates=updates, loss=loss.item()
                    )
                )
        if checkpoint is not None:
            save(checkpoint, key, epoch + 1, module, optimiser)
    return half_precision(module)


def _loss(
    plan: Recipe, module: nn.Sequential, images: Float[Tensor, "n c h w"], labels: Int[Tensor, " n"]
) -> Float[Tensor, ""]:
    if plan.charge_penalty:
        output, excess = charge_excess(module, images)
    else:
        output, excess = module(images), images.new_zeros(())
    reconstruct = plan.task == "reconstruct"
    loss = (
        functional.mse_loss(output, images)
        if reconstruct
        else functional.cross_entropy(output, labels, label_smoothing=plan.smoothing)
    )
    return loss + plan.charge_penalty * excess


def _schedule(position: float) -> float:
    """Share of the highest learning rate at a position between 0 and 1 of the training."""
    warm = 0.05
    return (
        position / warm if position < warm else 0.5 + 0.5 * math.cos(math.pi * (position - warm) / (1 - warm))
    )


def _shifted(images: Float[Tensor, "n c h w"], shift: int) -> Float[Tensor, "n c h w"]:
    """Each image moved by its own whole number of pixels, up to `shift` either way; black comes in from the border."""
    if shift == 0:
        return images
    n, _channels, height, width = images.shape
    padded = functional.pad(images, (shift, shift, shift, shift))
    down, right = torch.randint(0, 2 * shift + 1, (2, n))
    rows = (down[:, None] + torch.arange(height))[:, None, :, None]
    columns = (right[:, None] + torch.arange(width))[:, None, None, :]
    one = torch.arange(n)[:, None, None, None]
    channel = torch.arange(images.shape[1])[None, :, None, None]
    return padded[one, channel, rows, columns]


def _flipped(images: Float[Tensor, "n c h w"], flip: bool) -> Float[Tensor, "n c h w"]:
    """Each image mirrored left to right or not, by a coin of its own."""
    if not flip:
        return images
    coin = torch.randint(0, 2, (len(images), 1, 1, 1), dtype=torch.bool)
    return torch.where(coin, images.flip(3), images)


def _side(plan: Recipe, epoch: int) -> int:
    """Side of the training images in an epoch, px, a multiple of 4; 0 for their own."""
    grown = epoch / (plan.epochs * 2 / 3)
    return (
        0 if not plan.first_side or grown >= 1 else plan.first_side + 4 * round(plan.first_side * grown / 4)
    )


def _resized(images: Float[Tensor, "n c h w"], side: int) -> Tensor:
    """The images at another side by averaging; as they are for 0."""
    if side in (0, images.shape[2]):
        return images
    return functional.interpolate(images, size=(side, side), mode="bilinear", antialias=True)


def _mix(seed: int, epoch: int) -> int:
    """A seed of its own for each epoch."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{epoch}".encode()).digest()[:4], "big")


def _key(plan: Recipe, data: Images, seed: int) -> str:
    """What decides a training, as one hash."""
    facts = json.dumps(
        [plan.settings(), [dict(layer) for layer in plan.layers], data.name, len(data), seed], sort_keys=True
    )
    pixels = hashlib.sha256(data.images.numpy().tobytes() + data.labels.numpy().tobytes())
    return hashlib.sha256(facts.encode() + pixels.digest()).hexdigest()
