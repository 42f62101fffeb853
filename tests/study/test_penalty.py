import math

import pytest
import torch
from torch import nn

from snncircuit.study.penalty import charge_excess


def test_the_output_is_that_of_the_module() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 3)
    )
    images = torch.rand(5, 1, 8, 8)
    output, excess = charge_excess(module, images)
    assert torch.equal(output, module(images))
    assert excess.item() > 0


def test_the_charge_penalty_does_not_feel_the_scale_of_a_layer() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 1, 3), nn.ReLU())
    images = torch.rand(5, 1, 8, 8)
    _, before = charge_excess(module, images)
    with torch.no_grad():
        module[0].weight.mul_(3)
        module[0].bias.mul_(3)
        module[2].bias.mul_(3)
    _, after = charge_excess(module, images)
    assert before.item() > 0
    torch.testing.assert_close(after, before)


def test_there_is_no_penalty_while_no_charge_exceeds_a_threshold() -> None:
    module = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU())
    with torch.no_grad():
        module[0].weight.fill_(0.7)
    _, excess = charge_excess(module, torch.ones(5, 1, 8, 8))
    assert excess.item() == 0


def test_a_silent_layer_has_no_charge_to_be_penalised() -> None:
    module = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    with torch.no_grad():
        module[0].weight.fill_(-0.1)
        module[0].bias.zero_()
    _, excess = charge_excess(module, torch.rand(5, 1, 8, 8))
    assert excess.item() == 0


def test_charges_that_cancel_on_average_still_arrive_apart() -> None:
    # Two channels that fire at half rate in half of the pixels, and at full rate, without any spread, in the others.
    module = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 1, 1, bias=False))
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[2].weight.copy_(torch.tensor([3.0, -3.0]).reshape(1, 2, 1, 1))
    images = torch.ones(1, 1, 4, 4)
    images[..., :2] = 0.5
    _, excess = charge_excess(module, images)
    spread = math.sqrt(0.25 + 1e-4) - 0.01
    assert excess.item() == pytest.approx(2 * 0.5 * (3 * spread - 1) ** 2, rel=1e-4)
