"""The optimizers are torch's own, but for their calls of torch's compiler."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from debatch.config.recipe import Recipe
from debatch.learn.optimizer import (
    LEARNING,
    build_optimizer,
    by_weight_decay,
    clip_gradients,
    learning_rate,
    set_weight_decay,
)

TORCHS = {
    "adamw": lambda groups, rate: torch.optim.AdamW(groups, lr=rate),
    "sgd": lambda groups, rate: torch.optim.SGD(groups, lr=rate, momentum=0.9),
}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))


def trained(net, optimizer, steps):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        net(torch.randn(16, 4, generator=generator)).square().sum().backward()
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_steps_are_torchs_to_the_bit_also_from_a_saved_state(kind):
    recipe = Recipe(backbone="small_resnet", optimizer=kind, weight_decay=0.1, learning_rate=0.001)
    first, second, plain = network(), network(), network()
    ours = build_optimizer(by_weight_decay(first.parameters(), 0.1), recipe)
    groups = [
        {"params": [p for p in plain.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in plain.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    expected = trained(plain, TORCHS[kind](groups, recipe.peak_learning_rate), 5)
    assert torch.equal(trained(first, ours, 5), expected)
    resumed = build_optimizer(by_weight_decay(second.parameters(), 0.1), recipe)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(copy.deepcopy(ours.state_dict()))
    assert torch.equal(trained(first, ours, 3), trained(second, resumed, 3))


def test_no_step_imports_the_compiler():
    code = (
        "import sys, torch\n"
        "from debatch.config.recipe import Recipe\n"
        "from debatch.learn.optimizer import build_optimizer, by_weight_decay\n"
        "net = torch.nn.Linear(2, 2)\n"
        "for kind in ('sgd', 'adamw'):\n"
        "    groups = by_weight_decay(net.parameters(), 0.1)\n"
        "    optimizer = build_optimizer(groups, Recipe(backbone='small_resnet', optimizer=kind))\n"
        "    optimizer.zero_grad()\n"
        "    net(torch.ones(3, 2)).sum().backward()\n"
        "    optimizer.step()\n"
        "    optimizer.load_state_dict(optimizer.state_dict())\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_a_gradient_is_clipped_without_heads_that_only_measure():
    recipe = Recipe(backbone="small_resnet", gradient_clip=0.5)
    body, head = nn.Linear(4, 4), nn.Linear(4, 2)
    measured = {**LEARNING, "params": list(head.parameters()), "measures": True}
    optimizer = build_optimizer([*by_weight_decay(body.parameters(), 0.1), measured], recipe)
    (100 * (body(torch.ones(3, 4)).sum() + head(torch.ones(3, 4)).sum())).backward()
    before = [weight.grad.clone() for weight in head.parameters()]
    clip_gradients(optimizer, recipe)
    length = torch.stack([weight.grad.square().sum() for weight in body.parameters()]).sum().sqrt()
    assert float(length) == pytest.approx(0.5, rel=1e-4)
    assert all(torch.equal(weight.grad, own) for weight, own in zip(head.parameters(), before, strict=True))


def test_weight_decay_moves_to_its_last_value_where_weights_decay():
    recipe = Recipe(backbone="small_resnet", weight_decay=0.1, final_weight_decay=0.3)
    optimizer = build_optimizer(by_weight_decay(network().parameters(), 0.1), recipe)
    seen = []
    for share in (0.0, 0.5, 1.0):
        set_weight_decay(optimizer, recipe, share)
        seen.append([group["weight_decay"] for group in optimizer.param_groups])
    assert [decay for decay, _ in seen] == pytest.approx([0.1, 0.2, 0.3])
    assert {plain for _, plain in seen} == {0.0}
    assert learning_rate(100, 100, 10, 1.0, 0.25) == pytest.approx(0.25)
