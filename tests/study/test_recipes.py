import json

import pytest
import torch
from torch import nn

from snncircuit.errors import NetworkError
from snncircuit.network.convert import calibrate
from snncircuit.study.datasets import load
from snncircuit.study.recipes import RECIPES, recipe
from snncircuit.study.training import build


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_plain_data(name: str) -> None:
    plan = recipe(name)
    assert plan.name == name
    assert json.loads(json.dumps(plan.settings())) == plan.settings()
    assert [dict(layer) for layer in plan.layers] == json.loads(
        json.dumps([dict(layer) for layer in plan.layers])
    )


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_builds_a_convertible_network_that_fits_its_task(name: str) -> None:
    plan = recipe(name)
    data = load(plan.data, "test", 3)
    module = build(plan).eval()
    output = module(data.images)
    assert output.shape == ((3, 10) if plan.task == "classify" else data.images.shape)
    assert set(calibrate(module, data.images, "max").scales)


def test_first_weights_keep_the_signal_alive_through_a_deep_network() -> None:
    signal, powers = torch.randn(10, 1, 28, 28), []
    for seed in range(20):
        torch.manual_seed(seed)
        with torch.no_grad():
            powers.append(float(build(recipe("mnist-autoencoder"))(signal).square().mean()))
    assert 0.1 < sum(powers) / len(powers) < 5


def test_the_paper_s_networks_have_the_paper_s_layers() -> None:
    shapes = [tuple(p.shape) for p in build(recipe("mnist-cnn")).parameters() if p.ndim > 1]
    assert shapes == [(20, 1, 3, 3), (50, 20, 5, 5), (500, 800), (10, 500)]
    convolutions = [m for m in build(recipe("cifar10-allconv")) if isinstance(m, nn.Conv2d)]
    written = "-".join(
        f"{m.out_channels}C{m.kernel_size[0]}" + ("(2)" if m.stride[0] == 2 else "") for m in convolutions
    )
    assert written == "96C3-96C3-96C3(2)-192C3-192C3-192C3(2)-192C3-192C1-10C1"


def test_an_unknown_recipe_is_answered_with_those_that_exist() -> None:
    with pytest.raises(NetworkError) as caught:
        recipe("resnet")
    expected = f"no training recipe called 'resnet'; there are: {', '.join(sorted(RECIPES))}"
    assert str(caught.value) == expected
