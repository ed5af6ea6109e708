"""Backbones: an image of any number of channels to pooled features."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from debatch.config.base import height_and_width
from debatch.errors import ConfigError
from debatch.model.pretrained import build_pretrained
from debatch.model.timm_import import import_timm


class ResidualBlock(nn.Module):
    """3x3 convolutions with batch norm, halving the image, beside an average-pooled shortcut (ResNet-D)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, outputs, H / 2, W / 2)."""
        return torch.relu(self.body(x) + self.shortcut(x))


class PlainResidualBlock(nn.Module):
    """3x3 convolutions with batch norm beside an identity, at the same size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same."""
        return torch.relu(self.body(x) + x)


class SmallBackbone(nn.Module):
    """What the small networks share: in training a block's inner outputs can be computed twice instead of kept."""

    grad_checkpointing = False

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """As timm's networks have it."""
        self.grad_checkpointing = enable

    def run(self, layers: nn.Sequential, x: Tensor) -> Tensor:
        """One layer after the other."""
        for layer in layers:
            twice = self.grad_checkpointing and torch.is_grad_enabled() and isinstance(layer, BLOCKS)
            x = checkpoint(layer, x, use_reentrant=False) if twice else layer(x)
        return x


class SmallResNet(SmallBackbone):
    """A ResNet for images of about 64 pixels: strides of timm's networks are too long for those.

    With one block a stage it has 0.3 million parameters.
    """

    num_features = 128

    def __init__(self, channels: int, blocks: int = 1) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
        )
        stages: list[nn.Module] = []
        for inputs, outputs in ((16, 32), (32, 64), (64, 128)):
            stages.append(ResidualBlock(inputs, outputs))
            stages += [PlainResidualBlock(outputs) for _ in range(blocks - 1)]
        self.blocks = nn.Sequential(*stages)
        # as timm's networks have it: the last module of each stage
        widths = enumerate((32, 64, 128), 1)
        self.feature_info = [{"module": f"blocks.{at * blocks - 1}", "num_chs": width} for at, width in widths]

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, channels, H, W) to features (N, 128)."""
        return self.run(self.blocks, self.stem(x)).mean((2, 3))


class DenseLayer(nn.Module):
    """Batch norm, ReLU and a 3x3 convolution whose maps join those that came in (Huang et al. 2017)."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), nn.Conv2d(inputs, growth, 3, padding=1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, inputs + growth, H, W)."""
        return torch.cat([x, self.body(x)], 1)


class SmallDenseNet(SmallBackbone):
    """A DenseNet for images of about 64 pixels: three blocks of three layers, halved in between."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        width = 2 * growth
        self.feature_info = [{"module": "layers.0", "num_chs": width}]
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False)]
        for _ in range(3):
            # halved before each block: at full size the demo would take minutes a run
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.Conv2d(width, width // 2, 1, bias=False)]
            layers.append(nn.AvgPool2d(2, ceil_mode=True))
            width //= 2
            for _ in range(3):
                layers.append(DenseLayer(width, growth))
                width += growth
            self.feature_info.append({"module": f"layers.{len(layers) - 1}", "num_chs": width})
        self.layers = nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.num_features = width

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, channels, H, W) to features (N, num_features)."""
        return self.run(self.layers, x).mean((2, 3))


class SmallViT(SmallBackbone):
    """A vision transformer for images of about 64 pixels, of any size: 0.5 million parameters.

    Four layers of width 96 over patches of 8 pixels; positions are sines of where a patch stands in its view.
    """

    num_features = 96
    patch = 8

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = self.num_features
        self.patches = nn.Conv2d(channels, width, self.patch, stride=self.patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.trunc_normal_(self.token, std=0.02)
        options: dict[str, Any] = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
        self.layers = nn.Sequential(*(nn.TransformerEncoderLayer(width, 4, 4 * width, **options) for _ in range(4)))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, channels, H, W) to the class token's features (N, 96)."""
        patches = self.patches(x)
        height, width = patches.shape[2:]
        tokens = patches.flatten(2).transpose(1, 2) + _positions(height, width, self.num_features).to(x.device)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], dim=1)
        return self.norm(self.run(self.layers, tokens))[:, 0]


def _positions(height: int, width: int, size: int) -> Tensor:
    """(height * width, size) sines and cosines of rows and of columns, both from 0 to 1 whatever their number."""
    down, across = ((torch.arange(count) + 0.5) / count for count in (height, width))
    where = torch.stack(torch.meshgrid(down, across, indexing="ij"), -1).reshape(-1, 2, 1)
    angles = where * (2 * torch.pi * 2.0 ** torch.linspace(-1, 3, size // 4))
    return torch.cat([angles.sin(), angles.cos()], dim=2).flatten(1)


BLOCKS = (ResidualBlock, PlainResidualBlock, DenseLayer, nn.TransformerEncoderLayer)
# by name: a family's paper-size members have these in their place where images are small
SMALL: dict[str, Callable[[int], SmallResNet | SmallDenseNet | SmallViT]] = {
    "small_resnet": SmallResNet,
    "small_resnet_2": partial(SmallResNet, blocks=2),
    "small_resnet_3": partial(SmallResNet, blocks=3),
    "small_densenet": partial(SmallDenseNet, growth=16),
    "small_densenet_wide": partial(SmallDenseNet, growth=24),
    "small_vit": SmallViT,
}


def build_backbone(name: str, channels: int, pixels: int | list[int], weights: str | None) -> tuple[nn.Module, int]:
    """A backbone that gives pooled features, and how many.

    Args:
        name: one of `SMALL` or a timm model.
        channels: input channels.
        pixels: side of the input, or its [height, width].
        weights: local file of pretrained weights, as `build_pretrained` takes it; None: from scratch.

    Raises:
        ConfigError: no such model, or its weights cannot be read.
    """
    if name in SMALL:
        if weights is not None:
            raise ConfigError(
                f"weights: `{name}` has no pretrained weights but those of a run's model.safetensors; leave the key out"
            )
        small = SMALL[name](channels)
        return small, small.num_features
    timm = import_timm()
    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('.')[0][:6]}*")[:8]
        raise ConfigError(f"backbone: timm has no model {name!r}; near it: {', '.join(near) or 'nothing'}")
    options: dict[str, Any] = {"in_chans": channels, "num_classes": 0}
    if name.startswith(("vit", "deit")):
        options["img_size"] = height_and_width(pixels)
        if "relpos" not in name:  # whose positions are of one size
            options["dynamic_img_size"] = True
    backbone: Any = timm.create_model(name, **options) if weights is None else build_pretrained(name, weights, options)
    return backbone, backbone.num_features


def compute_twice(backbone: nn.Module, name: str) -> None:
    """Keep fewer of a backbone's outputs in training, and compute them again in the backward pass.

    Batch norm then sees a group twice: switch running averages off, as `population.without_running_averages` does.

    Args:
        backbone: as `build_backbone` gives it.
        name: of the backbone, for the error.

    Raises:
        ConfigError: the network has no such form.
    """
    try:
        backbone.set_grad_checkpointing(True)  # type: ignore[operator]
    except (AttributeError, AssertionError):  # timm's way to say that it has none
        raise ConfigError(
            f"checkpointing: the backbone {name!r} cannot compute outputs again; leave the key out, and lower `group` "
            "where memory is short"
        ) from None
