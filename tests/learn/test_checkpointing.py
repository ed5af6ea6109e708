"""Outputs that are computed again in the backward pass instead of kept: the same training."""

from collections import Counter

import pytest
import torch
from helpers.tiny_trainer import files, make_trainer, note_gradients

from debatch.config import Recipe
from debatch.errors import ConfigError
from debatch.model.network import Network, batch_norms
from debatch.model.population import without_running_averages


def gradients_of_a_run(recipe, folder):
    folder.mkdir()
    trainer = make_trainer(recipe)
    noted = note_gradients(trainer)
    trainer.fit(files(folder))
    statistics = {name: tensor for name, tensor in trainer.network.named_buffers() if tensor.is_floating_point()}
    return noted, statistics


@pytest.mark.parametrize("batch_norm", ["standard", "adaptive"])
@pytest.mark.parametrize("backbone", ["small_densenet", "small_resnet_2"])
def test_training_is_the_same_with_and_without(tiny_recipe, tmp_path, batch_norm, backbone):
    changes = {"backbone": backbone, "batch_norm": batch_norm, "epochs": 1, "precision": "float32"}
    recipe = tiny_recipe.model_copy(update=changes)
    plain, statistics = gradients_of_a_run(recipe, tmp_path / "plain")
    again, others = gradients_of_a_run(recipe.model_copy(update={"checkpointing": True}), tmp_path / "again")
    assert len(plain) == len(again) > 1
    for name, gradient in plain[0].items():
        torch.testing.assert_close(again[0][name], gradient, rtol=1e-4, atol=1e-6)
    for name, values in statistics.items():
        torch.testing.assert_close(others[name], values, rtol=1e-3, atol=1e-4)


def calls_and_gradients(recipe, images):
    """How often batch norms ran in a step's two passes, and the gradients."""
    torch.manual_seed(0)
    network = Network(recipe, channels=3, classes=4, batches=2).train()
    calls = Counter()
    for number, layer in enumerate(batch_norms(network.backbone)):
        layer.register_forward_pre_hook(lambda *_, number=number: calls.update([number]))
    with without_running_averages(network):
        outputs = network.heads(network.embed(images), reversal=0.3)
        (outputs.class_logits[:, 0] + outputs.batch_logits[:, 1]).square().mean().backward()
    for layer in batch_norms(network):
        assert layer.running_mean.abs().sum() == 0
        assert layer.num_batches_tracked == 0
    return calls, {name: parameter.grad for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("backbone", ["densenet121", "small_densenet"])
def test_norms_run_twice_remember_nothing_and_give_the_same_gradients(backbone):
    """With a reversed gradient too. In the papers' own DenseNet it is the widest norm of each layer."""
    recipe, images = Recipe(backbone=backbone, pixels=32, embedding_width=16), torch.randn(8, 3, 32, 32)
    once, gradients = calls_and_gradients(recipe, images)
    again, others = calls_and_gradients(recipe.model_copy(update={"checkpointing": True}), images)
    assert set(once.values()) == {1}
    assert sum(count == 2 for count in again.values()) >= len(once) // 3
    for name, gradient in gradients.items():
        torch.testing.assert_close(others[name], gradient, rtol=1e-4, atol=1e-6)


def test_embedding_computes_nothing_twice():
    network = Network(Recipe(backbone="small_densenet", embedding_width=8, checkpointing=True), 3, 4, 2).eval()
    calls = Counter()
    for number, layer in enumerate(batch_norms(network)):
        layer.register_forward_pre_hook(lambda *_, number=number: calls.update([number]))
    with torch.inference_mode():
        network.embed(torch.randn(4, 3, 32, 32))
    assert set(calls.values()) == {1}


def test_a_network_that_cannot_is_named():
    with pytest.raises(ConfigError, match="the backbone 'dla34' cannot compute outputs again"):
        Network(Recipe(backbone="dla34", pixels=32, checkpointing=True), 3, 4, 2)
