import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from debatch.config import Recipe
from debatch.errors import ConfigError
from debatch.model.backbones import build_backbone
from debatch.model.network import Network, batch_norms
from debatch.model.population import normalizing_by_group, set_population_statistics, without_running_averages
from debatch.model.weights import load_network, model_facts, save_weights
from debatch.screen.order import hash_order, nearly_equal_groups


@pytest.fixture
def network(tiny_recipe):
    torch.manual_seed(0)
    return Network(tiny_recipe, channels=3, classes=4, batches=2)


def unnamed(groups):
    """Groups whose channels have no names."""
    return [(group, ()) for group in groups]


def statistics(network):
    return [(layer.running_mean.clone(), layer.running_var.clone()) for layer in batch_norms(network)]


def test_first_layers_statistics_are_the_pooled_moments_of_its_input(network):
    images = torch.randn(24, 3, 32, 32)
    set_population_statistics(network, unnamed(images.split(8)))
    inputs = network.backbone.stem[0](images).detach().double()
    layer = network.backbone.stem[1]
    torch.testing.assert_close(layer.running_mean.double(), inputs.mean((0, 2, 3)), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(layer.running_var.double(), inputs.var((0, 2, 3), correction=0), atol=1e-6, rtol=1e-5)


def test_between_group_differences_count_in_the_variance(network):
    """Averaging the groups' variances would miss that their means differ."""
    groups = [torch.randn(8, 3, 32, 32) + shift for shift in (-3.0, 3.0)]
    set_population_statistics(network, unnamed(groups))
    inputs = network.backbone.stem[0](torch.cat(groups)).detach()
    torch.testing.assert_close(
        network.backbone.stem[1].running_var, inputs.var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-5
    )


def test_groups_of_two_processes_are_pooled_into_the_statistics_of_all(network):
    """Each sums what it saw; here the other process's sums are those of its own call."""
    mine, others = torch.randn(3, 8, 3, 32, 32), torch.randn(2, 6, 3, 32, 32) + 2
    assert set_population_statistics(network, unnamed([*mine, *others])) == 36
    whole = statistics(network)
    theirs = []
    set_population_statistics(network, unnamed(others), lambda tensor: theirs.append(tensor.clone()) or tensor)
    waiting = iter(theirs)
    assert set_population_statistics(network, unnamed(mine), lambda tensor: tensor.add_(next(waiting))) == 36
    for (mean, var), (mean_again, var_again) in zip(whole, statistics(network), strict=True):
        torch.testing.assert_close(mean, mean_again)
        torch.testing.assert_close(var, var_again)


def test_training_keeps_no_running_averages(network):
    """They would be of whichever groups this process saw."""
    before = statistics(network)
    network.train()
    with without_running_averages(network):
        network.embed(torch.randn(8, 3, 32, 32))
    for (mean, var), (mean_again, var_again) in zip(before, statistics(network), strict=True):
        assert torch.equal(mean, mean_again)
        assert torch.equal(var, var_again)


def test_neck_gets_statistics_too_and_earlier_ones_do_not_matter(network):
    images = torch.randn(16, 3, 32, 32)
    set_population_statistics(network, unnamed(images.split(8)))
    first = statistics(network)
    for layer in batch_norms(network):
        layer.running_mean.normal_()
        layer.running_var.uniform_(1, 2)
    set_population_statistics(network, unnamed(images.split(8)))
    for (mean, var), (mean_again, var_again) in zip(first, statistics(network), strict=True):
        torch.testing.assert_close(mean, mean_again)
        torch.testing.assert_close(var, var_again)
    assert len(first) == len(batch_norms(network.backbone)) + 2


def test_one_group_reproduces_the_training_forward_pass(network):
    images = torch.randn(16, 3, 32, 32)
    with normalizing_by_group(network), torch.no_grad():
        by_itself = network.embed(images)
    set_population_statistics(network, unnamed([images]))
    with torch.no_grad():
        torch.testing.assert_close(network.embed(images), by_itself, atol=1e-4, rtol=1e-3)


def test_only_batch_norm_switches():
    network = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.9))
    with normalizing_by_group(network):
        assert network[0].training
        assert not network[1].training
        network(torch.randn(8, 3))
    assert network[0].running_mean.abs().sum() == 0  # nothing is remembered
    assert not network[0].training
    assert network[0].track_running_stats


@given(st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=30), st.randoms())
def test_hash_order_depends_on_the_set_of_names_only(names, random):
    shuffled = random.sample(names, len(names))
    assert [names[at] for at in hash_order(names)] == [shuffled[at] for at in hash_order(shuffled)]


@given(st.integers(1, 500), st.integers(2, 70))
def test_groups_are_nearly_equal_and_drop_nothing(n, size):
    groups = nearly_equal_groups(np.arange(n), size)
    sizes = [len(group) for group in groups]
    assert sorted(np.concatenate(groups)) == list(range(n))
    assert max(sizes) - min(sizes) <= 1
    if n >= size:
        assert min(sizes) >= size / 2


def test_embeddings_are_non_negative_and_heads_hang_on_them(network):
    network.eval()
    outputs = network.heads(network.embed(torch.randn(5, 3, 32, 32)))
    assert outputs.embedding.shape == (5, 16)
    assert (outputs.embedding >= 0).all()
    assert outputs.class_logits.shape == (5, 4)
    assert outputs.batch_logits.shape == (5, 2)


def test_batch_head_does_not_train_the_trunk(network):
    outputs = network.heads(network.embed(torch.randn(8, 3, 32, 32)))
    outputs.batch_logits.sum().backward()
    assert network.batch_head.weight.grad is not None
    assert all(parameter.grad is None for parameter in [*network.backbone.parameters(), *network.neck.parameters()])
    assert not batch_norms(network.batch_head)


def test_timm_backbone_takes_any_number_of_channels():
    recipe = Recipe(backbone="resnet10t", pixels=64, embedding_width=16)
    network = Network(recipe, channels=5, classes=3, batches=2).eval()
    assert network.embed(torch.randn(2, 5, 64, 64)).shape == (2, 16)


def test_backbone_without_batch_norm_is_found_by_looking_at_it():
    recipe = Recipe(backbone="test_convnext", pixels=64, batch_norm="adaptive")
    with pytest.raises(ConfigError, match="has no batch normalization layer"):
        Network(recipe, channels=3, classes=3, batches=2)


def test_backbone_that_the_installed_timm_lacks_offers_near_ones():
    """Another timm than the pinned one: the configuration is held against the pinned one's list."""
    with pytest.raises(ConfigError, match=r"timm has no model 'resnet51'; near it: .*resnet"):
        build_backbone("resnet51", channels=3, pixels=64, weights=None)


def test_pretrained_file_that_is_not_there():
    with pytest.raises(ConfigError, match=r"no file /nowhere.safetensors"):
        Network(Recipe(backbone="resnet10t", weights="/nowhere.safetensors"), channels=3, classes=3, batches=2)


def test_pretrained_weights_come_from_a_local_file(tmp_path):
    from debatch.model.timm_import import import_timm

    trained = import_timm().create_model("resnet10t", num_classes=0)
    torch.save(trained.state_dict(), tmp_path / "weights.pth")
    recipe = Recipe(backbone="resnet10t", weights=str(tmp_path / "weights.pth"))
    network = Network(recipe, channels=3, classes=3, batches=2)
    torch.testing.assert_close(network.backbone.layer4[0].conv1.weight, trained.layer4[0].conv1.weight)


def test_weights_come_back(network, tiny_recipe, tmp_path):
    set_population_statistics(network, unnamed([torch.randn(16, 3, 32, 32)]))
    save_weights(network, tmp_path / "m.safetensors", model_facts(tiny_recipe, ["a", "b", "c"], 4, ["x", "y"]))
    again, batches = load_network(tmp_path / "m.safetensors", tiny_recipe, torch.device("cpu"))
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(again.embed(images), network.eval().embed(images))
    assert batches == ["x", "y"]
