import numpy as np
import pandas as pd
import pytest
import torch
from helpers.images import MemoryReader, make_images, make_index, self_statistics
from helpers.tiny_trainer import with_objective

from debatch.config.recipe import Recipe
from debatch.errors import DataError
from debatch.learn.augment import unmixed
from debatch.learn.data import training_data
from debatch.learn.objectives.classification import classification_loss, reversal_strength
from debatch.learn.train import Trainer, TrainingFiles
from debatch.model.inputs import ImageSet
from debatch.model.network import Network

INDEX = make_index(experiments=5, wells=12)
IMAGES = make_images(INDEX)


def trainer(recipe, index=INDEX, test=("E04",)):
    split = pd.DataFrame(
        {"image_id": index["image_id"], "subset": np.where(index["batch"].isin(test), "test", "train")}
    )
    data = training_data(index, split, recipe.shuffle_labels, 0)
    images = ImageSet(data.rows, self_statistics(index, IMAGES), MemoryReader(INDEX, IMAGES), torch.device("cpu"))
    return Trainer(recipe, data, images, seed=0, name="m/separated/seed0")


def gradients(recipe, reversal):
    """Of the trunk's last linear layer and of the batch head, for one group."""
    torch.manual_seed(0)
    network = Network(recipe, 3, 4, 3)
    network.train()
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    labels, batches = torch.arange(8) % 4, torch.arange(8) % 3
    outputs = network.heads(network.embed(images), reversal)
    loss = classification_loss(outputs, unmixed(images), labels, batches, 1.0)
    loss.total.backward()
    return network.neck[3].weight.grad.clone(), network.batch_head.weight.grad.clone()


def test_trunk_gets_the_batch_losss_gradient_reversed_and_scaled_and_the_head_its_own(tiny_recipe):
    class_only, head = gradients(tiny_recipe, reversal=0.0)
    weak, head_weak = gradients(tiny_recipe, reversal=0.1)
    strong, head_strong = gradients(tiny_recipe, reversal=0.4)
    # what the batch loss adds to the trunk grows with the strength, and the head learns as it would without
    torch.testing.assert_close(4 * (weak - class_only), strong - class_only, atol=1e-6, rtol=1e-3)
    assert (weak - class_only).abs().max() > 1e-4
    torch.testing.assert_close(head, head_weak)
    torch.testing.assert_close(head, head_strong)
    # and it points away from where the batch would be told better
    torch.manual_seed(0)
    network = Network(tiny_recipe, 3, 4, 3)
    network.train()
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    embedding = network.embed(images).float()
    torch.nn.functional.cross_entropy(network.batch_head(embedding), torch.arange(8) % 3).backward()
    torch.testing.assert_close(weak - class_only, -0.1 * network.neck[3].weight.grad, atol=1e-6, rtol=1e-3)


def test_strength_follows_danns_ramp_or_stays():
    assert reversal_strength(0.1, "dann", 0.0) == 0
    assert reversal_strength(0.1, "dann", 0.1) == pytest.approx(0.1 * 0.46211716)  # tanh(5 p)
    assert reversal_strength(0.1, "dann", 1.0) == pytest.approx(0.1, rel=1e-3)
    assert reversal_strength(0.1, "constant", 0.0) == 0.1


def test_strengths_of_a_run_are_those_of_its_steps(tiny_recipe, tmp_path, monkeypatch):
    recipe = with_objective(tiny_recipe, gradient_reversal=0.2)
    seen = []
    heads = Network.heads
    monkeypatch.setattr(
        Network, "heads", lambda self, x, reversal=0.0: (seen.append(reversal), heads(self, x, reversal))[1]
    )
    run = trainer(recipe)
    run.fit(TrainingFiles(tmp_path / "history.csv", tmp_path / "checkpoint.pt"))
    expected = [reversal_strength(0.2, "dann", step / run.steps) for step in range(run.steps)]
    assert sorted(set(seen)) == pytest.approx(expected)


def test_reversal_is_off_by_default(tiny_recipe):
    assert not Recipe().has_adversary
    outputs = Network(tiny_recipe, 3, 4, 3).heads(torch.ones(2, 16, requires_grad=True))
    grad = torch.autograd.grad(outputs.batch_logits.sum(), outputs.embedding, allow_unused=True)
    assert grad == (None,)


def test_single_batch_groups_need_enough_groups_a_step(tiny_recipe):
    recipe = with_objective(tiny_recipe, gradient_reversal=0.1).model_copy(update={"batch_norm": "adaptive"})
    with pytest.raises(DataError, match=r"needs `groups_per_step: 4` or more, .* 4 of the 4 training batches; it is 2"):
        trainer(recipe)
    trainer(recipe.model_copy(update={"groups_per_step": 4}))
    trainer(recipe, test=("E02", "E03", "E04"))  # two training batches: two groups will do


def test_adversary_needs_two_batches(tiny_recipe):
    recipe = with_objective(tiny_recipe, gradient_reversal=0.1)
    with pytest.raises(DataError, match="gradient reversal needs training images of two batches or more"):
        trainer(recipe, test=("E01", "E02", "E03", "E04"))


def test_step_of_one_batch_has_no_adversary(tiny_recipe, monkeypatch):
    recipe = with_objective(tiny_recipe, gradient_reversal=0.1, reversal_schedule="constant")
    recipe = recipe.model_copy(update={"batch_norm": "adaptive", "groups_per_step": 4})
    run = trainer(recipe)
    seen = []
    heads = Network.heads
    monkeypatch.setattr(
        Network, "heads", lambda self, x, reversal=0.0: (seen.append(reversal), heads(self, x, reversal))[1]
    )
    run.network.train()
    first, second = np.flatnonzero(run.data.batches == 0)[:8], np.flatnonzero(run.data.batches == 1)[:8]
    for groups in ([first], [first, second]):
        run._take_step(5, groups, run.images.groups(groups))
    assert seen == [0.0, 0.1, 0.1]
