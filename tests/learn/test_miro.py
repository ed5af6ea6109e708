"""MIRO: features on the way are held to those of the network as it began."""

import math

import numpy as np
import pytest
import torch
from helpers.tiny_trainer import SHARED, files, make_dealt_trainer, with_objective

from debatch.config import Recipe
from debatch.errors import ConfigError
from debatch.learn.objectives import Progress
from debatch.learn.objectives.miro import POINTS, FrozenTwin, features_of

RECIPE = Recipe(**SHARED, objective={"kind": "proxy", "miro": 0.1, "miro_rate": 3.0})


def group_of(trainer):
    group = next(trainer.images.groups([np.arange(12)]))
    return group, trainer.objective.views(group, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("backbone", ["small_resnet", "small_resnet_2", "small_densenet"])
def test_the_stem_and_three_stages_are_looked_at(backbone):
    trainer = make_dealt_trainer(RECIPE.model_copy(update={"backbone": backbone}))
    network = trainer.network.eval()
    with features_of(network.backbone, backbone) as found:
        network.embed(torch.randn(2, 3, 32, 32))
    assert len(found) == POINTS
    assert [tuple(each.shape[2:]) for each, _ in found] == sorted({tuple(each.shape[2:]) for each, _ in found})[::-1]
    assert [each.shape[1] for each, _ in found] == [width for _, width in found]
    network.embed(torch.randn(2, 3, 32, 32))
    assert len(found) == POINTS  # nothing listens any more


def test_the_distance_is_the_papers_by_hand_and_nothing_at_the_start():
    trainer = make_dealt_trainer(RECIPE)
    network, twin = trainer.network.eval(), trainer.objective.twin
    images = torch.randn(4, 3, 32, 32)

    def distance():
        with features_of(network.backbone, "small_resnet") as found:
            network.embed(images)
        return float(twin.distance(found, images, ()).detach())

    at_start = POINTS * math.log(0.1) / 2
    assert distance() == pytest.approx(at_start, rel=1e-4)
    with torch.no_grad():
        last = network.backbone.blocks[1].body[4]
        last.bias += 0.7  # of the last features that are looked at but one
    moved = torch.relu(network.backbone.blocks[1](network.backbone.blocks[0](network.backbone.stem(images))))
    with features_of(twin.twin, "small_resnet") as kept, torch.no_grad():
        twin.twin(images)
    with features_of(network.backbone, "small_resnet") as found, torch.no_grad():
        network.backbone(images)
    squares = [float((own - before).square().mean()) for (own, _), (before, _) in zip(found, kept, strict=True)]
    torch.testing.assert_close(moved, found[2][0], atol=1e-5, rtol=1e-4)
    assert squares[:2] == [0, 0]
    assert min(squares[2:]) > 0
    assert distance() == pytest.approx(at_start + sum(squares) / 0.1 / 2, rel=1e-3)


def test_the_twin_stays_and_the_variances_learn_at_a_rate_of_their_own(tmp_path):
    trainer = make_dealt_trainer(RECIPE.model_copy(update={"epochs": 1, "learning_rate": 0.02}))
    twin = trainer.objective.twin
    before = {name: tensor.clone() for name, tensor in twin.state_dict().items()}
    rates = {id(weight): group["lr"] for group in trainer.optimizer.param_groups for weight in group["params"]}
    assert rates[id(twin.variances[0])] == pytest.approx(3 * rates[id(trainer.network.neck[0].weight)])
    assert not any(id(weight) in rates for weight in twin.twin.parameters())
    group, views = group_of(trainer)
    trainer.objective.train()
    assert not any(module.training for module in twin.twin.modules())
    trainer.objective(views, group, Progress(0.0, 3)).loss.backward()
    wanted = [weight for weight in trainer.objective.parameters() if weight.requires_grad]
    assert all(weight.grad is not None for weight in wanted)
    assert {id(weight) for weight in wanted} == set(rates)
    trainer.fit(files(tmp_path))
    changed = {name for name, tensor in twin.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if name.startswith("variances")}


def test_its_weight_is_that_of_the_loss():
    losses = []
    for weight in (0.0, 0.1, 0.2):
        trainer = make_dealt_trainer(with_objective(RECIPE, miro=weight))
        group, views = group_of(trainer)
        losses.append(float(trainer.objective.eval()(views, group, Progress(0.0, 3)).sums["loss"]) / 12)
    expected = 0.1 * POINTS * math.log(0.1) / 2
    assert np.diff(losses) == pytest.approx([expected, expected], rel=1e-3)


def test_a_backbone_of_unknown_stages_is_refused():
    recipe = RECIPE.model_copy(update={"backbone": "strange"})
    with pytest.raises(ConfigError, match=r"nothing is known of the stages of the backbone 'strange'"):
        FrozenTwin(recipe, torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), [("a", "b", "c")], "float32")
