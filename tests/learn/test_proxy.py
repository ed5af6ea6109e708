"""ProxyNCA++, and SimCLR's pairs beside it: what CHAMMI's paper says, and not what its released code does."""

import numpy as np
import pytest
import torch
from helpers.images import make_images
from helpers.tiny_trainer import LARGER, SHARED, files, image_set, make_dealt_trainer, split_of, with_objective
from torch.nn.functional import normalize

from debatch.config import Recipe
from debatch.embed import embed_images, statistics_groups
from debatch.errors import DataError
from debatch.learn.objectives import Progress
from debatch.learn.objectives.proxy import Proxies
from debatch.learn.objectives.supcon import contrastive_loss
from debatch.model.proxies import proxy_loss

RECIPE = Recipe(**SHARED, objective={"kind": "proxy"})


def made_up(rows, columns, rate):
    """Numbers that other implementations were given too."""
    return torch.sin(rate * torch.arange(rows * columns, dtype=torch.float32) + 0.3).view(rows, columns)


def step_of(recipe, seed=0):
    trainer = make_dealt_trainer(recipe)
    objective = trainer.objective.train()
    group = next(trainer.images.groups([np.arange(12)]))
    views = objective.views(group, torch.Generator().manual_seed(seed))
    return objective, views, group


def test_losses_are_those_of_other_implementations():
    """pytorch-metric-learning 2.9.0 and CHAMMI's own give the first, lightly 1.6.0 the second."""
    embeddings, proxies = made_up(6, 8, 0.37), made_up(4, 8, 0.23)
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    assert float(proxy_loss(embeddings, proxies, labels, 0.11111)) == pytest.approx(14.660106, rel=1e-4)
    views = torch.cat([embeddings, made_up(6, 8, 0.91)])
    assert float(contrastive_loss(views, torch.arange(6).repeat(2), 0.07)) == pytest.approx(10.705353, rel=1e-5)


def test_squared_distances_are_divided_by_the_temperature_and_not_by_its_square():
    embeddings, proxies, labels = torch.randn(5, 8), torch.randn(3, 8), torch.tensor([0, 1, 2, 0, 1])
    squared = torch.cdist(normalize(embeddings), normalize(proxies)).square()
    for temperature in (1.0, 0.07):
        shares = torch.exp(-squared / temperature)
        expected = -torch.log(shares[torch.arange(5), labels] / shares.sum(1)).mean()
        torch.testing.assert_close(proxy_loss(embeddings, proxies, labels, temperature), expected, rtol=1e-4, atol=1e-5)
    of_any_length = proxy_loss(9 * embeddings, 4 * proxies, labels, 1.0)
    torch.testing.assert_close(of_any_length, proxy_loss(embeddings, proxies, labels, 1.0))


def test_proxies_learn_at_a_rate_of_their_own_and_every_weight_changes(tmp_path):
    recipe = with_objective(RECIPE, proxy_rate=3.0).model_copy(
        update={"epochs": 12, "optimizer": "adamw", "learning_rate": 0.01}
    )
    trainer = make_dealt_trainer(recipe)
    (group,) = [g for g in trainer.optimizer.param_groups if any(w is trainer.objective.proxies for w in g["params"])]
    network = trainer.optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(3 * network["lr"])
    assert group["weight_decay"] == 0
    counted = [id(weight) for each in trainer.optimizer.param_groups for weight in each["params"]]
    assert len(counted) == len(set(counted)) == len(list(trainer.objective.parameters()))
    start = [parameter.detach().clone() for parameter in trainer.objective.parameters()]
    history = trainer.fit(files(tmp_path))
    assert all(not torch.equal(*pair) for pair in zip(start, trainer.objective.parameters(), strict=True))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    # of four classes, in a batch not seen: as the workflow embeds it
    groups = statistics_groups("train", LARGER, split_of(LARGER), recipe)
    images = image_set(LARGER, LARGER, make_images(LARGER))
    embedded = embed_images(trainer.network, images, groups, recipe, trainer.data.batch_names)
    vectors = torch.from_numpy(embedded.embeddings.filter(regex="^embedding_").to_numpy(copy=True))
    nearest = (normalize(vectors) @ normalize(trainer.objective.proxies.detach()).T).argmax(1).numpy()
    assert (nearest == embedded.predictions["label"].to_numpy()).mean() > 0.9


def test_proxies_are_of_training_classes_alone():
    """A class that the tests alone know is no proxy to be far from."""
    trainer = make_dealt_trainer(RECIPE)
    labels = np.where(trainer.data.labels == 1, 3, trainer.data.labels)  # of four classes 0, 2 and 3 are left
    data = trainer.data.__class__(**{**vars(trainer.data), "labels": labels})
    objective = Proxies(RECIPE, trainer.images.channel_sets, data, "float32")
    assert len(objective.proxies) == 3
    assert objective.network.class_head.out_features == 4
    assert objective.numbers.tolist() == np.searchsorted([0, 2, 3], labels).tolist()
    with pytest.raises(DataError, match="all of one class"):
        Proxies.require_usable(RECIPE, data.__class__(**{**vars(data), "labels": np.zeros_like(labels)}), "m")


def test_pairs_are_two_views_of_one_image(monkeypatch):
    """The released code pairs views of different images."""
    recipe = with_objective(RECIPE, contrast=1.0).model_copy(update={"augmentation": "none"})
    objective, views, group = step_of(recipe)
    assert objective.proxies is None
    seen = {}

    def noting(projections, labels, temperature):
        seen.update(projections=projections.detach(), labels=labels)
        return contrastive_loss(projections, labels, temperature)

    monkeypatch.setattr("debatch.learn.objectives.proxy.contrastive_loss", noting)
    objective(views, group, Progress(0.0, 3))
    assert len(views) == 2
    for first in range(12):
        (second,) = [at for at in range(24) if at != first and seen["labels"][at] == seen["labels"][first]]
        # nothing was changed at random: two views of an image have one embedding
        torch.testing.assert_close(seen["projections"][first], seen["projections"][second])


def test_combined_loss_is_a_share_of_each():
    """Not the cross entropy of an embedding taken for logits."""
    shared = {"update": {"augmentation": "none"}}
    losses = {}
    for contrast in (0.0, 0.2, 1.0):
        recipe = with_objective(RECIPE, contrast=contrast).model_copy(**shared)
        objective, views, group = step_of(recipe)
        losses[contrast] = float(objective(views, group, Progress(0.0, 3)).sums["loss"]) / 12
    assert losses[0.2] == pytest.approx(0.2 * losses[1.0] + 0.8 * losses[0.0], rel=1e-4)


def test_heads_pass_no_gradient_on():
    objective, views, group = step_of(RECIPE)
    objective(views, group, Progress(0.0, 3)).loss.backward()
    assert all(parameter.grad is not None for parameter in objective.parameters())
    before = objective.network.neck[3].weight.grad.clone()
    with torch.no_grad():
        objective.network.class_head.weight.mul_(2)
        objective.network.batch_head.weight.mul_(2)
    objective.zero_grad()
    objective(views, group, Progress(0.0, 3)).loss.backward()
    torch.testing.assert_close(objective.network.neck[3].weight.grad, before)
