"""Weights of others, of colour images, as the start of a backbone for any number of channels."""

import copy
import pickle

import pytest
import torch
from safetensors.torch import save_file

from debatch.config import Recipe
from debatch.errors import ConfigError
from debatch.model.backbones import build_backbone
from debatch.model.network import Network
from debatch.model.timm_import import import_timm
from debatch.model.weights import model_facts, save_weights

NAME = "deit_tiny_patch16_224"


@pytest.fixture(scope="module")
def original():
    """As it is published: three channels and a classifier."""
    torch.manual_seed(0)
    return import_timm().create_model(NAME, depth=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def path(original, folder):
    save_file(original.state_dict(), folder / "published.safetensors")
    return folder / "published.safetensors"


@pytest.fixture(autouse=True)
def of_two_blocks(monkeypatch):
    """Twelve take their time."""
    create = import_timm().create_model

    def created(name, **options):
        return create(name, **options, **({"depth": 2} if name.startswith("deit") else {}))

    monkeypatch.setattr(import_timm(), "create_model", created)


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
@pytest.mark.parametrize("channels", [6, 5, 4, 3, 2, 1])
def test_kernels_of_three_channels_are_repeated_over_others_and_rescaled(original, path, channels, kind):
    if kind == "pth":
        path = path.with_suffix(".pth")
        torch.save({"model": original.state_dict()}, path)  # as the authors of DeiT wrapped theirs
    backbone, features = build_backbone(NAME, channels, 224, str(path))
    three = original.patch_embed.proj.weight
    tiled = torch.stack([three[:, channel % 3] for channel in range(channels)], 1) * 3 / channels
    expected = three.sum(1, keepdim=True) if channels == 1 else tiled
    torch.testing.assert_close(backbone.patch_embed.proj.weight, expected)
    assert features == 192
    for name, weight in backbone.named_parameters():
        if name != "patch_embed.proj.weight":
            assert torch.equal(weight, original.get_parameter(name)), name


@pytest.mark.parametrize("channels", [1, 3, 6, 9])
def test_a_grey_image_is_to_the_network_what_it_was(original, path, channels):
    """Alike in all channels. Of other numbers than these the first channels weigh more."""
    grey = torch.randn(2, 1, 224, 224, generator=torch.Generator().manual_seed(1))
    backbone, _ = build_backbone(NAME, channels, 224, str(path))
    with torch.no_grad():
        expected = original.eval().forward_head(original.forward_features(grey.expand(-1, 3, -1, -1)), pre_logits=True)
        found = backbone.eval()(grey.expand(-1, channels, -1, -1))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_positions_are_resampled_to_another_input_and_for_small_views(original, path):
    from timm.layers import resample_abs_pos_embed

    backbone, _ = build_backbone(NAME, 6, 112, str(path))
    expected = resample_abs_pos_embed(original.pos_embed, [7, 7], num_prefix_tokens=1)
    torch.testing.assert_close(backbone.pos_embed, expected)
    assert backbone.pos_embed.shape == (1, 1 + 7 * 7, 192)
    assert torch.equal(backbone.pos_embed[:, 0], original.pos_embed[:, 0])
    with torch.no_grad():
        assert backbone(torch.zeros(1, 6, 64, 64)).shape == (1, 192)


def test_a_copy_of_the_network_holds_no_second_copy_of_the_file(path):
    backbone, _ = build_backbone(NAME, 6, 224, str(path))
    assert "state_dict" not in copy.deepcopy(backbone).pretrained_cfg


def test_weights_of_another_network_are_refused_and_both_are_named(original, folder, path):
    resnet = folder / "resnet.safetensors"
    save_file(import_timm().create_model("resnet10t").state_dict(), resnet)
    with pytest.raises(ConfigError, match=rf"resnet.safetensors holds .* another network than '{NAME}': it has no cls"):
        build_backbone(NAME, 6, 224, str(resnet))
    with pytest.raises(ConfigError, match=r"has no conv1.* and has blocks.0.*name the `backbone` that they are of"):
        build_backbone("resnet10t", 6, 224, str(path))
    with pytest.raises(ConfigError, match=r"another network than 'deit_small_patch16_224': size mismatch"):
        build_backbone("deit_small_patch16_224", 6, 224, str(path))


def test_weights_without_one_of_the_networks_are_refused(original, folder):
    kept = {name: tensor for name, tensor in original.state_dict().items() if name != "blocks.1.attn.qkv.weight"}
    save_file(kept, folder / "partial.safetensors")
    with pytest.raises(ConfigError, match=r"it has no blocks.1.attn.qkv.weight, and has"):
        build_backbone(NAME, 6, 224, str(folder / "partial.safetensors"))
    load = torch.nn.Module.load_state_dict
    assert load.__name__ == "load_state_dict", "it is as it was after an error"


class Code:
    def __init__(self, touched):
        self.touched = touched

    def __reduce__(self):
        return open, (str(self.touched), "w")


@pytest.mark.parametrize("how", [torch.save, lambda what, path: path.write_bytes(pickle.dumps(what, protocol=2))])
def test_a_file_with_code_is_refused_and_the_code_never_runs(tmp_path, how):
    how({"cls_token": Code(tmp_path / "ran")}, tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match=r"weights.pth cannot be read .* could run code, and is refused; save"):
        build_backbone(NAME, 6, 224, str(tmp_path / "weights.pth"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"neither", b"PK\x03\x04 cut off"])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_broken_file_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=rf"{name} cannot be read as weights: it is broken"):
        build_backbone(NAME, 6, 224, str(tmp_path / name))


def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match=r"weights.pth holds no weights by their names"):
        build_backbone(NAME, 6, 224, str(tmp_path / "weights.pth"))


def test_a_backbone_starts_with_a_finished_runs_own(tmp_path):
    recipe = Recipe(backbone="small_vit", pixels=32, embedding_width=16)
    torch.manual_seed(1)
    trained = Network(recipe, 3, 5, 2)
    save_weights(trained, tmp_path / "model.safetensors", model_facts(recipe, ["a", "b", "c"], 5, ["x", "y"]))
    torch.manual_seed(2)
    start = recipe.model_copy(update={"weights": str(tmp_path / "model.safetensors")})
    network = Network(start, 3, 2, 7)
    for name, weight in network.backbone.state_dict().items():
        assert torch.equal(weight, trained.backbone.state_dict()[name]), name
    assert not torch.equal(network.neck[0].weight, trained.neck[0].weight), "what follows the backbone begins anew"
    for other in ({"backbone": "small_resnet"}, {"backbone": "deit_tiny_patch16_224"}):
        with pytest.raises(ConfigError, match=r"model.safetensors holds weights of another network than"):
            Network(start.model_copy(update=other), 3, 2, 7)
    with pytest.raises(ConfigError, match=r"another network than 'small_vit'.* size mismatch"):
        Network(start, 6, 2, 7)
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:-40])
    with pytest.raises(ConfigError, match="has no pretrained weights but those of a run"):
        Network(start.model_copy(update={"weights": str(tmp_path / "cut.safetensors")}), 3, 2, 7)
