"""Supervised contrastive learning."""

import numpy as np
import pytest
import torch
from helpers.tiny_trainer import SHARED, files, log_probabilities, make_dealt_trainer
from torch.nn.functional import cosine_similarity

from debatch.config import Recipe
from debatch.learn.objectives import Progress
from debatch.learn.objectives.supcon import contrastive_loss
from debatch.model.network import batch_norms

RECIPE = Recipe(**SHARED, objective={"kind": "supcon"})


def test_loss_is_the_papers_equation_by_hand():
    projections = torch.tensor([[2.0, 0.0], [0.6, 0.8], [0.0, 3.0], [-1.0, 0.0]])
    labels = torch.tensor([0, 0, 1, 1])
    expected = 0.0
    for i, positive in enumerate([1, 0, 3, 2]):
        others = [a for a in range(4) if a != i]
        shares = {a: np.exp(float(cosine_similarity(projections[i], projections[a], 0)) / 0.5) for a in others}
        expected -= np.log(shares[positive] / sum(shares.values())) / 4
    assert float(contrastive_loss(projections, labels, 0.5)) == pytest.approx(expected, rel=1e-6)


def test_each_images_positives_are_averaged_and_nothing_depends_on_lengths():
    one = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    loss = contrastive_loss(one, labels, 0.1)
    torch.testing.assert_close(contrastive_loss(7 * one, labels, 0.1), loss)
    torch.testing.assert_close(contrastive_loss(one[order], labels[order], 0.1), loss)


def test_two_views_of_an_image_are_turned_apart_and_pass_as_groups_of_the_recipes_size():
    trainer = make_dealt_trainer(RECIPE)
    trainer.objective.train()
    group = next(trainer.images.groups([np.arange(12)]))
    first, second = trainer.objective.views(group, torch.Generator().manual_seed(0))
    assert not torch.equal(first, second)
    torch.testing.assert_close(first.flatten(2).sort(2).values, second.flatten(2).sort(2).values)
    seen = []
    for layer in batch_norms(trainer.network):
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    trainer.objective((first, second), group, Progress(0.0, 3))
    assert set(seen) == {12}


def test_heads_pass_no_gradient_on():
    trainer = make_dealt_trainer(RECIPE)
    objective = trainer.objective.train()
    group = next(trainer.images.groups([np.arange(12)]))
    views = objective.views(group, torch.Generator().manual_seed(0))
    step = objective(views, group, Progress(0.0, 3))
    heads = [*objective.network.class_head.parameters(), *objective.network.batch_head.parameters()]
    step.loss.backward()
    assert all(parameter.grad is not None for parameter in objective.parameters())
    with torch.no_grad():
        for parameter in heads:
            parameter.mul_(2)
    before = objective.network.neck[3].weight.grad.clone()
    objective.zero_grad()
    objective(views, group, Progress(0.0, 3)).loss.backward()
    torch.testing.assert_close(objective.network.neck[3].weight.grad, before)


def test_it_learns_to_tell_the_classes_and_every_weight_changes(tmp_path):
    recipe = RECIPE.model_copy(update={"epochs": 24, "optimizer": "adamw", "learning_rate": 0.01})
    trainer = make_dealt_trainer(recipe)
    start = [parameter.detach().clone() for parameter in trainer.objective.parameters()]
    history = trainer.fit(files(tmp_path))
    assert all(not torch.equal(*pair) for pair in zip(start, trainer.objective.parameters(), strict=True))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert np.exp(log_probabilities(trainer)).mean() > 0.5  # of the right one of four classes, in a batch not seen
