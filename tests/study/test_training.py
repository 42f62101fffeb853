import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from snncircuit import shipped
from snncircuit.errors import NetworkError
from snncircuit.network.files import load_network
from snncircuit.study import training
from snncircuit.study.datasets import load
from snncircuit.study.images import Images
from snncircuit.study.penalty import charge_excess
from snncircuit.study.recipes import RECIPES, Recipe, recipe
from snncircuit.study.training import Progress, score, train

TINY = Recipe(
    name="tiny",
    task="classify",
    data="mnist",
    layers=(
        {"type": "Conv2d", "in_channels": 1, "out_channels": 4, "kernel_size": 5, "stride": 3},
        {"type": "BatchNorm2d", "num_features": 4},
        {"type": "ReLU"},
        {"type": "Flatten"},
        {"type": "Dropout", "p": 0.2},
        {"type": "Linear", "in_features": 256, "out_features": 10},
    ),
    epochs=3,
    batch=16,
    learning_rate=1e-2,
    weight_decay=1e-2,
    shift=1,
)


@pytest.fixture(scope="module")
def data() -> Images:
    return load("mnist", "test", 200)


def weights(module: nn.Module) -> list[Tensor]:
    return list(module.state_dict().values())


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


class Killed(Exception):
    pass


def test_the_seed_decides_the_weights(data: Images) -> None:
    once = train(TINY, data, seed=3)
    torch.rand(5)
    assert same(once, train(TINY, data, seed=3))
    assert not same(once, train(TINY, data, seed=4))


def test_training_leaves_random_state_and_threads_as_they_were(data: Images) -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    train(TINY, data, threads=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("killed_at", [1, 2])
def test_a_killed_training_goes_on_to_the_same_weights(data: Images, tmp_path: Path, killed_at: int) -> None:
    def kill(progress: Progress) -> None:
        if progress.epoch == killed_at and progress.done % 5 == 4:
            raise Killed

    path = tmp_path / "tiny.checkpoint"
    with pytest.raises(Killed):
        train(TINY, data, seed=1, checkpoint=path, progress=kill)
    seen: list[Progress] = []
    resumed = train(TINY, data, seed=1, checkpoint=path, progress=seen.append)
    assert seen[0].epoch == killed_at
    assert same(resumed, train(TINY, data, seed=1))


def test_a_finished_training_is_only_read(data: Images, tmp_path: Path) -> None:
    path = tmp_path / "tiny.checkpoint"
    first = train(TINY, data, checkpoint=path)
    seen: list[Progress] = []
    assert same(first, train(TINY, data, checkpoint=path, progress=seen.append))
    assert seen == []


def test_progress_counts_every_update(data: Images) -> None:
    seen: list[Progress] = []
    train(TINY, data, progress=seen.append)
    assert [p.done for p in seen] == list(range(1, 40))
    assert {p.updates for p in seen} == {39}
    assert seen[-1].loss < seen[0].loss


def test_training_learns(data: Images) -> None:
    module = train(dataclasses.replace(TINY, epochs=12), data)
    assert score(module, data, "classify") > 0.9


def test_what_comes_back_is_what_a_file_would_hold(data: Images) -> None:
    module = train(TINY, data)
    assert not module.training
    for tensor in module.parameters():
        if tensor.ndim > 1:
            assert torch.equal(tensor, tensor.half().float())


@pytest.mark.parametrize(
    "other",
    [
        {"plan": dataclasses.replace(TINY, batch=20)},
        {"seed": 9},
        {"data": load("mnist", "test", 199)},
    ],
)
def test_the_checkpoint_of_another_training_is_refused(
    data: Images, tmp_path: Path, other: dict[str, object]
) -> None:
    path = tmp_path / "tiny.checkpoint"
    one = dataclasses.replace(TINY, epochs=1)
    train(one, data, checkpoint=path)
    arguments = {"plan": one, "data": data, "seed": 0} | other
    with pytest.raises(NetworkError, match=r"is the checkpoint of another recipe, seed or data; delete it"):
        train(**arguments, checkpoint=path)  # type: ignore[arg-type]


def test_a_damaged_checkpoint_is_refused(data: Images, tmp_path: Path) -> None:
    path = tmp_path / "tiny.checkpoint"
    train(dataclasses.replace(TINY, epochs=1), data, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(NetworkError, match=r"tiny\.checkpoint cannot be read as a training checkpoint"):
        train(TINY, data, checkpoint=path)


def test_a_shift_moves_the_whole_image_and_loses_nothing_inside() -> None:
    torch.manual_seed(0)
    images = torch.zeros(40, 2, 9, 9)
    images[:, 0, 4, 4], images[:, 1, 4, 4] = 1.0, 2.0
    moved = training._shifted(images, 2)
    places = set()
    for one in moved:
        (row, column) = one[0].nonzero()[0].tolist()
        assert one[0].sum() == 1
        assert one[1, row, column] == 2
        places.add((row, column))
    assert len(places) > 10
    assert all(2 <= r <= 6 and 2 <= c <= 6 for r, c in places)


@pytest.mark.parametrize("bias", [False, True])
def test_first_weights_have_the_variance_of_he(bias: bool) -> None:
    layer = {"type": "ConvTranspose2d", "in_channels": 50, "out_channels": 60, "kernel_size": 4, "stride": 2}
    module = training.build(dataclasses.replace(TINY, layers=({**layer, "bias": bias},)))
    assert module[0].weight.var().item() == pytest.approx(2 / (50 * 16 / 4), rel=0.03)
    assert [p.abs().sum().item() for p in module.parameters() if p.ndim == 1] == [0.0] * bias


def test_the_charge_penalty_lowers_the_charges_of_an_autoencoder(data: Images) -> None:
    plan = dataclasses.replace(
        TINY,
        task="reconstruct",
        layers=(
            {"type": "Conv2d", "in_channels": 1, "out_channels": 4, "kernel_size": 4, "stride": 2},
            {"type": "ReLU"},
            {"type": "ConvTranspose2d", "in_channels": 4, "out_channels": 1, "kernel_size": 4, "stride": 2},
            {"type": "ReLU"},
        ),
        epochs=6,
        shift=0,
    )
    free = train(plan, data)
    held = train(dataclasses.replace(plan, charge_penalty=1.0), data)
    excess = [charge_excess(module, data.images)[1].item() for module in (free, held)]
    assert excess[1] < 0.8 * excess[0]
    assert score(held, data, "reconstruct") < 0.08  # an image of zeros has 0.11


@pytest.mark.parametrize("name", sorted(RECIPES.keys() & set(shipped.names("network"))))
def test_a_shipped_network_is_that_of_its_recipe_and_as_good_as_it_says(name: str) -> None:
    module, description = load_network(shipped.find("network", name))
    plan = recipe(name)
    assert description.task == plan.task
    assert dict(description.recipe) == plan.settings()
    assert repr(module) == repr(training.build(plan))
    sample = score(module, load(plan.data, "test", 300), plan.task)
    assert sample == pytest.approx(description.score, abs=0.02 if plan.task == "classify" else 5e-4)


@pytest.mark.parametrize("name", sorted(RECIPES.keys() & set(shipped.names("network"))))
def test_a_shipped_network_scores_on_all_test_images_what_its_file_says(
    name: str, mnist_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNNCIRCUIT_DATA", str(mnist_folder))
    module, description = load_network(shipped.find("network", name))
    found = score(module, load(recipe(name).data, "test"), recipe(name).task)
    assert found == pytest.approx(description.score, abs=2e-4 if description.task == "classify" else 1e-6)
    good = {
        "mnist-cnn": found >= 0.99,
        "mnist-gap": found >= 0.98,
        "mnist-autoencoder": found < 0.006,
        "digits": found >= 0.95,
    }
    assert good[name]


def test_mirroring_moves_pixels_only_within_their_row(data: Images) -> None:
    torch.manual_seed(0)
    flipped = training._flipped(data.images, True)
    kept = (flipped == data.images).flatten(1).all(dim=1)
    assert 0.3 < kept.float().mean() < 0.7
    assert torch.equal(flipped[~kept], data.images[~kept].flip(3))
    assert training._flipped(data.images, False) is data.images


def test_images_grow_to_their_own_side_and_keep_their_mean() -> None:
    plan = dataclasses.replace(recipe("cifar10-allconv"), epochs=9)
    sides = [training._side(plan, epoch) for epoch in range(9)]
    assert sides[0] == 16
    assert sides[6:] == [0, 0, 0]
    assert sides[:6] == sorted(sides[:6])
    images = torch.rand(2, 3, 32, 32)
    smaller = training._resized(images, 16)
    assert smaller.shape == (2, 3, 16, 16)
    assert torch.allclose(smaller.mean(dim=(2, 3)), images.mean(dim=(2, 3)), atol=5e-3)
    assert training._resized(images, 0) is images
