"""What a network is shown in training, step by step: traps that change no shape and raise no error."""

import numpy as np
import pytest
import torch
from helpers.tiny_trainer import SHARED, files, make_dealt_trainer

from debatch.config import Recipe
from debatch.learn.optimizer import learning_rate


def shown(objective: dict, augmentation: str = "none"):
    """A group as the objective sees it, and the group's standardised images as they are stored."""
    trainer = make_dealt_trainer(Recipe(**{**SHARED, "augmentation": augmentation, "objective": objective}))
    group = next(iter(trainer.images.groups([np.arange(12)])))
    views = trainer.objective.views(group, torch.Generator().manual_seed(1))
    return views, group.standardized(trainer.recipe.pixels)


def test_cutmix_pastes_standardised_pixels_of_a_partner():
    """Mixed before they are standardised, a pasted box would have its host's scale."""
    views, plain = shown({"mixing": "cutmix"})
    assert (views.partner != torch.arange(12)).any()
    assert 0 < views.weight < 1
    own, partners = views.images == plain, views.images == plain[views.partner]
    assert (own | partners).all()
    other = views.partner != torch.arange(12)
    assert own[other].float().mean().item() == pytest.approx(views.weight, abs=1e-3)


def test_mixup_blends_standardised_images():
    views, plain = shown({"mixing": "mixup"})
    assert 0 < views.weight < 1
    expected = views.weight * plain + (1 - views.weight) * plain[views.partner]
    torch.testing.assert_close(views.images, expected)
    assert not torch.equal(views.images, plain)


def test_unmixed_images_are_shown_as_they_are():
    views, plain = shown({"mixing": "none"})
    assert torch.equal(views.images, plain)
    assert views.weight == 1


def test_images_are_flipped_and_turned_where_the_recipe_asks_for_it():
    views, plain = shown({"mixing": "none"}, "dihedral")
    turned = [not torch.equal(one, other) for one, other in zip(views.images, plain, strict=True)]
    assert sum(turned) >= 6  # of twelve, seven in eight of which come out turned
    assert torch.equal(views.images.flatten(1).sort(dim=1).values, plain.flatten(1).sort(dim=1).values)


def test_the_learning_rate_moves_with_every_step(tmp_path):
    trainer = make_dealt_trainer(Recipe(**SHARED))
    rates = []
    trainer.optimizer.register_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    trainer.fit(files(tmp_path))
    steps, warmup = trainer.steps, trainer.epoch_steps
    assert len(rates) == steps == 6
    assert rates == pytest.approx([learning_rate(at, steps, warmup, SHARED["learning_rate"]) for at in range(steps)])
    assert len(set(rates)) > trainer.recipe.epochs
