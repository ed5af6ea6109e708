"""Stems: networks that know channels by name."""

from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import nn

from debatch.config import Recipe
from debatch.config.read import validate
from debatch.config.stems import Stem
from debatch.errors import ConfigError, DataError
from debatch.learn import identity
from debatch.learn.identity import code_digest
from debatch.model import stems
from debatch.model.network import Network, batch_norms
from debatch.model.population import set_population_statistics
from debatch.model.stems import Vocabulary
from debatch.model.stems.costs import stem_cost
from debatch.model.stems.first_layer import first_convolution, for_channels
from debatch.model.weights import load_network, model_facts, save_weights

# of CHAMMI's three data sets, as its parts name them
SETS = [("nucleus", "membrane", "protein"), ("microtubules", "protein", "nucleus", "er"), ("er", "nucleus", "rna")]
KINDS = [get_args(member)[0].model_fields["kind"].default for member in get_args(get_args(Stem)[0])]
BY_NAME = [kind for kind in KINDS if kind not in ("plain", "channel_tokens")]
ANY_SUBSET = ["channel_replication", "depthwise", "slice_param", "hypernet", "template_mixing"]
SHARED = {
    "backbone": "small_resnet", "pixels": 32, "embedding_width": 16, "group": 12, "groups_per_step": 3, "epochs": 1,
    "warmup_epochs": 0.0, "optimizer": "adamw", "learning_rate": 0.01, "learning_rate_images": 36,
    "statistics_images": 36, "precision": "float32",
}  # fmt: skip


def network_of(stem, sets=SETS, **keys):
    torch.manual_seed(0)
    return Network(Recipe(**{**SHARED, "stem": stem, **keys}), 3, 4, 2, sets)


def test_each_kind_is_a_file_of_its_name_and_a_name_alone_will_do():
    folder = Path(stems.__file__).parent
    assert {path.stem for path in folder.glob("[a-z]*.py")} - {"base", "first_layer", "costs"} == set(KINDS) - {"plain"}
    for kind in BY_NAME:
        assert Recipe(stem=kind) == Recipe(stem={"kind": kind})
    with pytest.raises(ConfigError, match=r"`stem.kind`: no kind 'slice'; did you mean 'slice_param'\?"):
        validate(Recipe, {"stem": "slice"}, "methods.yaml")
    with pytest.raises(ConfigError, match=r"`stem: channel_tokens` is for vision transformers"):
        validate(Recipe, {"stem": "channel_tokens"}, "methods.yaml")


def test_plain_is_the_backbone_alone():
    torch.manual_seed(0)
    named, unnamed = network_of("plain"), Network(Recipe(**SHARED), 3, 4, 2)
    assert list(named.state_dict()) == list(unnamed.state_dict())
    assert isinstance(named.backbone.stem[0], nn.Conv2d)


@pytest.mark.parametrize("kind", BY_NAME)
def test_channels_are_known_by_name_wherever_they_stand(kind):
    network = network_of(kind).eval()
    images = torch.randn(2, 4, 32, 32)
    order = [2, 0, 3, 1]
    with torch.no_grad():
        embedding = network.embed(images, SETS[1])
        again = network.embed(images[:, order], [SETS[1][place] for place in order])
        other = network.embed(images[:, order], SETS[1])
    torch.testing.assert_close(again, embedding)
    assert not torch.allclose(other, embedding)


@pytest.mark.parametrize("kind", BY_NAME)
def test_other_sets_of_known_channels_pass_where_a_stem_is_made_of_channels(kind):
    network, images = network_of(kind).eval(), torch.randn(2, 2, 32, 32)
    if kind in ANY_SUBSET:
        assert network.embed(images, ["rna", "membrane"]).shape == (2, 16)
        with pytest.raises(DataError, match=r"knows no channel 'golgi'; it was trained on nucleus, .*, er, rna"):
            network.embed(images, ["rna", "golgi"])
    else:
        with pytest.raises(DataError, match=r"nucleus, membrane, protein; .* no other set of them; these have rna"):
            network.embed(images, ["rna", "membrane"])


def test_parts_share_what_they_have_in_common():
    """A name has one kernel: what one part learns of its nuclei serves the others."""
    bank = network_of("slice_param").backbone.backbone.stem[0].bank
    assert len(bank) == 6
    network = network_of("slice_param")
    network.embed(torch.randn(4, 3, 32, 32), SETS[2]).sum().backward()
    gradient = network.backbone.backbone.stem[0].bank.grad.flatten(1).norm(dim=1)
    assert (gradient > 0).tolist() == [True, False, False, False, True, True]  # nucleus, er, rna


@pytest.mark.parametrize("kind", ["slice_param", "hypernet", "template_mixing"])
def test_kernels_are_made_once_a_group_and_are_as_wide_as_the_backbones(kind):
    network = network_of(kind)
    layer = network.backbone.backbone.stem[0]
    made, shapes = layer.kernels, []
    layer.kernels = lambda positions: shapes.append(made(positions)) or shapes[-1]
    network.embed(torch.randn(6, 4, 32, 32), SETS[1])
    (kernels,) = shapes
    assert kernels.shape == (4, 16, 3, 3)
    torch.manual_seed(0)
    own = Network(Recipe(**SHARED), 3, 4, 2).backbone.stem[0].weight
    assert 0.6 < float((kernels.std() / own.std()).detach()) < 1.5


def test_depthwise_is_filters_of_each_channel_alone_summed_by_weights():
    layer = network_of({"kind": "depthwise", "filters": 5}).backbone.backbone.stem[0]
    layer.told, images = SETS[1], torch.randn(2, 4, 32, 32)
    at = layer.channels.positions(SETS[1])
    weights = torch.softmax(layer.weights[at], 0)
    summed = 0
    for place, number in enumerate(at):
        patch = nn.functional.conv2d(images[:, [place]], layer.patches[[number]], layer.patch_bias[[number]], 2, 1)
        maps = nn.functional.conv2d(patch, layer.filters[number][:, None], padding=1)
        summed = summed + weights[place] * maps
    torch.testing.assert_close(layer(images), layer.norm(layer.mix(summed)), atol=1e-5, rtol=1e-4)


def test_replicated_channels_stand_side_by_side_and_learn_nothing():
    network = network_of("channel_replication").eval()
    assert not any(weight.requires_grad for weight in network.backbone.parameters())
    images = torch.randn(2, 3, 32, 32)
    features = network.backbone(images, SETS[2]).view(2, 6, -1)
    single = network.backbone.backbone(images[:, 1:2].expand(-1, 3, -1, -1))
    torch.testing.assert_close(features[:, 0], single)  # nucleus: second of the part, first of the vocabulary
    assert (features[:, 1:4] == 0).all()
    assert all(w.requires_grad for w in network_of({"kind": "channel_replication", "frozen": False}).parameters())


def test_fixed_channels_share_no_weight():
    network = network_of("fixed_channels")
    network.embed(torch.randn(4, 4, 32, 32), SETS[1]).sum().backward()
    learned = {name.split(".")[1] for name, w in network.backbone.named_parameters() if w.grad is not None}
    assert learned == {"1"}


def test_pretrained_kernels_are_adapted_as_the_paper_s_code_does():
    colours = nn.Conv2d(3, 2, 4, stride=4)
    weight = colours.weight.detach()
    five, four = (for_channels(colours, count, pretrained=True) for count in (5, 4))
    torch.testing.assert_close(five.weight[:, :3], weight)
    torch.testing.assert_close(five.weight[:, 3:], torch.stack([weight[:, :2].mean(1), weight[:, 1:].mean(1)], 1))
    torch.testing.assert_close(four.weight[:, 3], weight.mean(1))
    torch.testing.assert_close(five.bias, colours.bias)
    recipe = Recipe(**SHARED, stem="slice_param", weights="given")
    from debatch.model.stems.slice_param import SliceParam

    bank = SliceParam(recipe, Vocabulary([("a", "b", "c", "d", "e")]), colours).bank
    for channel in range(5):
        torch.testing.assert_close(bank[channel], weight[:, channel % 3])


def test_pretrained_weights_of_a_file_reach_the_stem_and_what_follows(tmp_path):
    from debatch.model.timm_import import import_timm

    trained = import_timm().create_model("resnet10t", num_classes=0)
    torch.save(trained.state_dict(), tmp_path / "weights.pth")
    keys = {"backbone": "resnet10t", "weights": str(tmp_path / "weights.pth")}
    networks = {kind: network_of(kind, **keys).backbone for kind in ("slice_param", "target_param", "fixed_channels")}
    colours = trained.conv1[0].weight
    bank = networks["slice_param"].backbone.conv1[0].bank
    torch.testing.assert_close(bank[:3], colours.transpose(0, 1))
    torch.testing.assert_close(bank[3:], colours.transpose(0, 1))
    of_four = networks["target_param"].backbone.conv1[0].of_set[1].weight
    torch.testing.assert_close(of_four, torch.cat([colours, colours.mean(1, keepdim=True)], 1))
    torch.testing.assert_close(networks["fixed_channels"].of_set[1].conv1[0].weight, of_four)
    for backbone in (networks["target_param"].backbone, networks["fixed_channels"].of_set[2]):
        torch.testing.assert_close(backbone.layer4[0].conv1.weight, trained.layer4[0].conv1.weight)


@pytest.mark.parametrize("name", ["convnext_tiny", "resnet50d", "tf_efficientnet_b0", "deit_small_patch16_224"])
def test_the_first_convolution_of_timms_networks_is_found(name):
    """Of standardised kernels, of padding on one side, of patches."""
    recipe = Recipe(**{**SHARED, "backbone": name, "pixels": 224, "stem": "slice_param"})
    with torch.device("meta"):
        network = Network(recipe, 3, 4, 2, SETS)
        assert network.embed(torch.empty(2, 4, 224, 224), SETS[1]).shape == (2, 16)


def test_a_backbone_without_one_first_convolution_is_refused():
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3))
    with pytest.raises(ConfigError, match=r"'two' has 2 convolutions that see the image"):
        first_convolution(backbone, "two")
    with pytest.raises(ConfigError, match=r"'none' has no convolutions that see the image"):
        first_convolution(nn.Sequential(nn.Conv2d(48, 4, 3)), "none")


def test_depthwise_norm_stands_for_convnexts():
    with torch.device("meta"):
        stem = network_of("depthwise", backbone="convnext_atto").backbone.backbone.stem
    assert isinstance(stem[1], nn.Identity)


def test_weights_come_back_with_their_vocabulary(tmp_path):
    for kind in BY_NAME:
        recipe = Recipe(**SHARED, stem=kind)
        network, images = network_of(kind), torch.randn(8, 4, 32, 32)
        set_population_statistics(network, [(images, SETS[1]), (images[:, :3], SETS[0])])
        names = Vocabulary(SETS).names
        facts = model_facts(recipe, names, 4, ["x", "y"], channel_sets=SETS)
        save_weights(network, tmp_path / f"{kind}.safetensors", facts)
        again, _ = load_network(tmp_path / f"{kind}.safetensors", recipe, torch.device("cpu"))
        with torch.no_grad():
            torch.testing.assert_close(again.embed(images, SETS[1]), network.embed(images, SETS[1]))


def test_channel_tokens_are_patches_of_each_channel(tiny_vit):
    network = network_of("channel_tokens", backbone=tiny_vit).eval()
    stem, images = network.backbone, torch.randn(2, 4, 32, 32)
    seen = []
    stem.backbone.blocks.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        embedding = network.embed(images, SETS[1])
        order = [3, 1, 0, 2]
        again = network.embed(images[:, order], [SETS[1][place] for place in order])
        grey = stem.backbone.patch_embed(images[:, [2]]).flatten(1, 2)
        network.embed(images[:, :, :16, :16], SETS[1])
    torch.testing.assert_close(again, embedding, atol=1e-5, rtol=1e-4)
    assert [tokens.shape[1] for tokens in seen] == [1 + 4 * 4, 1 + 4 * 4, 1 + 4]
    nucleus = stem.embeddings[Vocabulary(SETS).names.index("nucleus")]
    torch.testing.assert_close(seen[0][:, 1 + 2 * 4 : 1 + 3 * 4], grey + stem.backbone.pos_embed[:, 1:] + nucleus)
    with pytest.raises(ConfigError, match=r"a plain vision transformer that learns where patches are"):
        network_of("channel_tokens", backbone="vit_relpos_small_patch16_224")


def test_channel_tokens_sample_channels_in_training_alone(tiny_vit):
    network, images = network_of("channel_tokens", backbone=tiny_vit).train(), torch.randn(4, 4, 32, 32)
    seen = []
    network.backbone.backbone.blocks.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    for _ in range(40):
        network.embed(images, SETS[1])
    assert set(seen) == {1 + 4 * kept for kept in (1, 2, 3, 4)}
    seen.clear()
    set_population_statistics(network, [(images, SETS[1])] * 5)
    assert set(seen) == {17}
    network.train()
    unsampled = network_of({"kind": "channel_tokens", "sample": False}, backbone=tiny_vit).train()
    unsampled.embed(images, SETS[1]).sum().backward()
    assert all(weight.grad is not None for weight in unsampled.backbone.parameters())


def test_a_stem_s_code_counts_for_its_own_runs():
    package = Path(identity.debatch.__file__).parent
    files_of = {kind: identity._files_of(package, identity.STEMS, kind) for kind in ("slice_param", "fixed_channels")}
    assert {path.name for path in files_of["slice_param"]} == {"slice_param.py", "first_layer.py", "base.py"}
    assert len({code_digest("proxy", kind) for kind in ("plain", *files_of)}) == 3


def test_batch_norm_of_every_backbone_is_found():
    assert len(batch_norms(network_of("fixed_channels").backbone)) == 3 * len(batch_norms(network_of("plain").backbone))


def test_parameters_and_arithmetic_of_convnext_tiny_behind_each_stem():
    """27.8 million and 2 x 4.46 GMAC with three channels (Liu et al. 2022: 4.5); a kernel has 96 x 4 x 4 numbers."""
    sets = [SETS[0], SETS[1]]
    plain, sliced, fixed, replicated = (
        stem_cost(Recipe(backbone="convnext_tiny", pixels=224, embedding_width=None, stem=kind), own)
        for kind, own in (
            ("plain", sets[:1]), ("slice_param", sets), ("fixed_channels", sets), ("channel_replication", sets),
        )
    )  # fmt: skip
    assert plain.parameters == plain.learned == 27_820_128
    assert plain.gflop == [pytest.approx(8.91, rel=1e-3)]
    assert sliced.parameters == plain.parameters + (5 - 3) * 96 * 16 - 96  # kernels without a bias
    assert sliced.gflop == [plain.gflop[0], pytest.approx(plain.gflop[0] + 2 * 96 * 16 * 56**2 / 1e9)]
    assert fixed.parameters == 2 * plain.parameters + 96 * 16
    assert (replicated.parameters, replicated.learned) == (plain.parameters, 0)
    assert replicated.gflop == pytest.approx([3 * plain.gflop[0], 4 * plain.gflop[0]])
