import pytest
import torch
import yaml

from debatch.cli import main
from debatch.config import Screen
from debatch.config.backbones import SMALL_BACKBONES, TIMM_MODELS, timm_models
from debatch.config.read import validate
from debatch.config.throughput import Throughput
from debatch.errors import ConfigError
from debatch.model.backbones import SMALL, build_backbone
from debatch.model.timm_import import import_timm
from debatch.model.timm_models import timm_models_text
from debatch.registry import build_registry


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        validate(Screen, yaml.safe_load(f"simulate: {{}}\n{text}"), "mine.yaml")
    return str(error.value)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("desnet161", "has no model 'desnet161'; did you mean 'densenet161'?"),
        ("ResNet-50", "has no model 'ResNet-50'; did you mean 'resnet50'?"),
        ("convnext-tiny", "has no model 'convnext-tiny'; did you mean 'convnext_tiny'?"),
        ("hf-hub:timm/resnet18.a1_in1k", "did you mean 'resnet18.a1_in1k'?"),
        ("small_resnet_4", "did you mean 'small_resnet_3'?"),
        ("resnet50.a1_in1", "has no weights 'resnet50.a1_in1'; did you mean 'resnet50.a1_in1k'?"),
        ("davit_large.a1_in1k", "has the model 'davit_large', without tags; leave out '.a1_in1k'"),
        ("qqqqqqqqqq", f"has no model 'qqqqqqqqqq'; {TIMM_MODELS} lists its models"),
    ],
)
def test_backbone_that_does_not_exist_is_refused_with_its_nearest(asked, said):
    message = refused(f"training: {{backbone: '{asked}'}}")
    assert message.startswith(f"mine.yaml: `training.backbone`: timm {timm_models().version} ")
    assert message.endswith(said)
    assert "\n" not in message


def test_every_place_that_names_a_backbone_is_looked_at(root, tmp_path):
    assert "`substitutes.resnet50`" in refused("substitutes: {resnet50: small_resnt}")
    assert "`substitutes.resnt50`" in refused("substitutes: {resnt50: small_resnet}")
    entry = "{what: embed, backbone: resnt50, pixels: 9, channels: 3, device: x, images_per_second: 1, script: s}"
    with pytest.raises(ConfigError, match=r"`measured.0.backbone`: timm .* 'resnt50'; did you mean 'resnet50'"):
        validate(Throughput, yaml.safe_load(f"{{processors: {{}}, measured: [{entry}]}}"), "throughput.yaml")
    for name, old, new, where in (
        ("tables", "backbone: densenet121", "backbone: desnet121", r"variations\.\w+\.backbone`: timm .* 'desnet121'"),
        ("methods", "adabn:\n", "odd: {backbone: desnet121}\nadabn:\n", r"odd: `backbone`: timm .* 'desnet121'"),
    ):
        text = (root / f"config/{name}.yaml").read_text()
        assert old in text
        (tmp_path / f"{name}.yaml").write_text(text.replace(old, new, 1))
        with pytest.raises(ConfigError, match=where):
            build_registry({"screen": "tiny", name: str(tmp_path / f"{name}.yaml")}, root)


def test_check_stops_before_it_looks_at_a_file(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("extends: rxrx1\ntraining: {backbone: desnet161}\n")
    assert main(["check", str(tmp_path / "mine.yaml")]) == 1
    said = f"`training.backbone`: timm {timm_models().version} has no model 'desnet161'; did you mean 'densenet161'?"
    assert said in capsys.readouterr().err


def test_the_list_is_the_installed_timms():
    assert TIMM_MODELS.read_text() == timm_models_text(), "run `make timm-models`"


def test_small_backbones_are_those_that_are_built():
    assert tuple(SMALL) == SMALL_BACKBONES


def test_the_small_transformer_takes_views_of_any_size_and_sees_where_things_are():
    torch.manual_seed(0)
    network, width = build_backbone("small_vit", 3, 48, None)
    assert sum(weight.numel() for weight in network.parameters()) < 600_000
    network.eval()
    images = torch.randn(2, 3, 48, 48)
    with torch.no_grad():
        features = [network(images), network(images[:, :, :24, :24]), network(images.roll(24, dims=3))]
    assert [tuple(own.shape) for own in features] == [(2, width)] * 3
    assert (features[0] - features[2]).abs().max() > 1e-3
    network.set_grad_checkpointing()
    network.train()
    network(images).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


# with a tag; by an older name, which stands for a model and a tag; one without tags
@pytest.mark.parametrize("name", ["resnet10t.c3_in1k", "tf_efficientnet_b0_ns", "test_mambaout"])
@pytest.mark.filterwarnings("ignore:Mapping deprecated model name")
def test_what_is_taken_is_what_timm_builds(name):
    assert validate(Screen, {"simulate": {}, "training": {"backbone": name}}, "mine.yaml").training.backbone == name
    assert build_backbone(name, 3, 64, None)[1] > 0


def test_a_tag_that_timm_refuses_is_refused():
    with pytest.raises(RuntimeError, match="Invalid pretrained tag"):
        import_timm().create_model("resnet10t.nonsense")
    assert "has no weights 'resnet10t.nonsense'" in refused("training: {backbone: resnet10t.nonsense}")
