"""Training on parts whose images differ in channels and size, by stems that know channels by name."""

import copy
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.images import in_parts
from helpers.tiny_trainer import SHARED as DEALT
from helpers.tiny_trainer import files
from torch import nn

from debatch.config import Recipe
from debatch.config.stems import Stem
from debatch.embed import embed_images, statistics_groups
from debatch.learn.data import training_data
from debatch.learn.objectives import Progress
from debatch.learn.train import Trainer
from debatch.model.inputs import ImageSet, channels_seen

KINDS = [get_args(member)[0].model_fields["kind"].default for member in get_args(get_args(Stem)[0])]
# channel tokens are of vision transformers alone
BY_NAME = [kind for kind in KINDS if kind not in ("plain", "channel_tokens")]
SHARED = {
    **DEALT, "epochs": 1, "warmup_epochs": 0.0, "optimizer": "adamw", "learning_rate": 0.01, "statistics_images": 36,
}  # fmt: skip
# small, and everything learns from the first step on
OBJECTIVES = {
    "classification": {"kind": "classification"},
    "supcon": {"kind": "supcon"},
    "dino": {"kind": "dino", "partner": "other_batch", "centres": "batch", "barlow": 0.75, "local_views": 2,
             "head_width": 16, "bottleneck": 8, "prototypes": 32, "frozen_epochs": 0.0},
    "byol": {"kind": "byol", "projector_width": 16, "projection_width": 8},
    "proxy": {"kind": "proxy", "contrast": 0.2, "miro": 0.1},
}  # fmt: skip


def trainer_of(folder, recipe, sizes=((32, 32), (40, 40))):
    """Two parts of other channels and sizes; the last wells of each experiment are the test."""
    index, statistics, reader, _ = in_parts(folder, sizes)
    split = pd.DataFrame({"image_id": index["image_id"], "subset": np.where(index["well"] < "B10", "train", "test")})
    data = training_data(index, split, False, 0)
    seen = channels_seen(recipe, data.rows, reader)
    images = ImageSet(data.rows, statistics, reader, torch.device("cpu"), seen)
    every = ImageSet(index, statistics, reader, torch.device("cpu"), channels_seen(recipe, index, reader))
    return Trainer(recipe, data, images, seed=0, name="test"), every, index, split


def test_each_group_has_the_channels_and_statistics_of_its_part(tmp_path):
    trainer, *_ = trainer_of(tmp_path, Recipe(**SHARED, stem="slice_param"))
    images = trainer.images
    assert images.channels == ("c0", "c1", "c2", "c3")
    for group in images.groups(images.cut(np.arange(len(images)), 8)):
        part = images.rows["part"].iloc[group.positions[0]]
        assert group.channels == {"square": ("c0", "c1", "c2"), "other": ("c3", "c1", "c0")}[part]
        side = {"square": 32, "other": 40}[part]
        shown = group.standardized(side)
        torch.testing.assert_close(shown.mean((2, 3)), torch.zeros(len(shown), 3), atol=1e-4, rtol=0)
        torch.testing.assert_close(shown.std((2, 3), correction=0), torch.ones(len(shown), 3), atol=1e-3, rtol=0)


@pytest.mark.parametrize("spline", [0.0, 1.0])
def test_parts_of_other_sizes_are_cropped_to_one(tmp_path, spline):
    """Smaller images are enlarged, as at inference."""
    recipe = Recipe(**SHARED, stem="slice_param", augmentation="crop", thin_plate_spline=spline)
    trainer, *_ = trainer_of(tmp_path, recipe, ((24, 24), (48, 48)))
    for positions in trainer.images.cut(np.arange(len(trainer.images)), 12):
        (group,) = trainer.images.groups([positions])
        view = trainer.objective.views(group, torch.Generator().manual_seed(0)).images
        whole = group.standardized(32)
        assert view.shape == whole.shape == (len(positions), 3, 32, 32)
        torch.testing.assert_close(view.mean((2, 3)), whole.mean((2, 3)), atol=0.3, rtol=0)
        assert not torch.equal(view, whole)


@pytest.mark.parametrize("kind", BY_NAME)
def test_every_weight_that_should_learn_gets_a_gradient(tmp_path, kind):
    """The optimizer has it, and a step over both parts reaches it."""
    stem = {"kind": kind, "frozen": False} if kind == "channel_replication" else kind
    check_gradients(tmp_path, Recipe(**SHARED, stem=stem, objective=OBJECTIVES["proxy"]))


@pytest.mark.parametrize("name", ["classification", "supcon", "dino", "byol"])
def test_every_objective_hands_channels_on(tmp_path, name):
    check_gradients(tmp_path, Recipe(**SHARED, stem="slice_param", objective=OBJECTIVES[name]))


def check_gradients(folder, recipe):
    trainer, *_ = trainer_of(folder, recipe)
    objective = trainer.objective.train()
    for part in (0, 1):
        positions = np.flatnonzero(trainer.images.parts == part)[:8]
        (group,) = trainer.images.groups([objective.reads(positions, np.random.default_rng(0))])
        views = objective.views(group, torch.Generator().manual_seed(0))
        objective(views, group, Progress(0.5, 2)).loss.backward()
    optimized = {id(weight) for group in trainer.optimizer.param_groups for weight in group["params"]}
    # a teacher follows, and takes no gradient
    wanted = {name: weight for name, weight in objective.named_parameters() if weight.requires_grad}
    for name, weight in wanted.items():
        assert id(weight) in optimized, name
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name
    assert len(optimized) == len(wanted)
    inside = [name for name in wanted if ".backbone." in f".{name}" and "teacher" not in name]
    assert inside


@pytest.mark.parametrize("recipe", [
    Recipe(**SHARED, stem="slice_param", batch_norm="adaptive"),
    Recipe(**SHARED, stem="slice_param", objective=OBJECTIVES["dino"]),
], ids=["adabn", "cdcl"])  # fmt: skip
def test_adabn_and_cdcl_train_over_parts_of_other_channels(tmp_path, recipe):
    trainer, every, index, split = trainer_of(tmp_path, recipe)
    before = copy.deepcopy(trainer.network.state_dict())
    history = trainer.fit(files(tmp_path / "run"))
    assert np.isfinite(history["loss"]).all()
    changed = [name for name, tensor in trainer.network.state_dict().items() if not torch.equal(tensor, before[name])]
    assert "backbone.backbone.stem.0.bank" in changed
    groups = statistics_groups(recipe.inference, index, split, recipe)
    embedded = embed_images(trainer.network, every, groups, recipe, trainer.data.batch_names)
    assert len(embedded.embeddings) == (split["subset"] == "test").sum()
    assert np.isfinite(embedded.embeddings.filter(regex="^embedding_").to_numpy()).all()


def test_channels_and_patches_are_kept_apart_by_terms_of_the_loss(tmp_path, tiny_vit):
    stem = {"kind": "channel_tokens", "channel_diversity": 0.5, "token_diversity": [0.1, 0.2], "sample": False}
    recipe = Recipe(**{**SHARED, "backbone": tiny_vit, "stem": stem, "objective": OBJECTIVES["supcon"]})
    trainer, *_ = trainer_of(tmp_path, recipe)
    objective = trainer.objective.train()
    group = next(trainer.images.groups([np.arange(8)]))
    tokens = objective.network.backbone
    seen = []
    tokens.backbone.patch_embed.norm.register_forward_hook(lambda _, inputs, output: seen.append(output.detach()))
    objective(objective.views(group, torch.Generator().manual_seed(0)), group, Progress(0.0, 2))
    expected = []
    for patches in seen:  # of two views
        unit = nn.functional.normalize(patches.view(8, 3 * 4, -1), dim=-1)
        cosines = unit @ unit.mT
        same = torch.arange(12)[:, None] // 4 == torch.arange(12) // 4
        alike = cosines[:, same & ~torch.eye(12, dtype=torch.bool)].mean(), cosines[:, ~same].mean()
        at = tokens.channels.positions(group.channels)
        squared = torch.cdist(*(nn.functional.normalize(own[at]) for own in (tokens.embeddings, tokens.proxies))) ** 2
        drawn = nn.functional.cross_entropy(-squared / 0.07, torch.arange(3))
        expected.append(0.5 * drawn.detach() + 0.1 * alike[0] + 0.2 * alike[1])
    torch.testing.assert_close(objective.penalty().detach(), torch.stack(expected).mean(), atol=1e-4, rtol=1e-4)
    assert objective.penalty() is None
    before = tokens.proxies.detach().clone()
    trainer.fit(files(tmp_path / "run"))
    assert not torch.equal(tokens.proxies, before)
    objective.eval()
    objective.embed(group.standardized(32), group.channels)
    assert objective.penalty() is None
