import torch
from torch import nn

from snncircuit.study.penalty import charge_excess


def test_the_charge_penalty_does_not_feel_the_scale_of_a_layer() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 1, 3), nn.ReLU())
    images = torch.rand(5, 1, 8, 8)
    _, before = charge_excess(module, images)
    with torch.no_grad():
        module[0].weight.mul_(3)
        module[0].bias.mul_(3)
        module[2].bias.mul_(3)
    output, after = charge_excess(module, images)
    assert before > 0
    torch.testing.assert_close(after, before)
    torch.testing.assert_close(output, module(images))


def test_the_charge_penalty_is_zero_while_no_charge_exceeds_a_threshold() -> None:
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
