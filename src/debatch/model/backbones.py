"""Backbones: an image of any number of channels to pooled features."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from debatch.config.read import expand
from debatch.errors import ConfigError
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


class SmallResNet(nn.Module):
    """0.3 million parameters for images of about 64 pixels: strides of timm's networks are too long for those."""

    num_features = 128

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential(ResidualBlock(16, 32), ResidualBlock(32, 64), ResidualBlock(64, 128))

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, channels, H, W) to features (N, 128)."""
        return self.blocks(self.stem(x)).mean((2, 3))


def build_backbone(name: str, channels: int, pixels: int, weights: str | None) -> tuple[nn.Module, int]:
    """A backbone that gives pooled features, and how many.

    Args:
        name: `small_resnet` or a timm model.
        channels: input channels.
        pixels: side of the input.
        weights: local file of pretrained weights; timm fits its first layer to `channels`.

    Raises:
        ConfigError: no such model, or its weights cannot be read.
    """
    if name == "small_resnet":
        if weights is not None:
            raise ConfigError("weights: there are none for `small_resnet`; leave the key out")
        return SmallResNet(channels), SmallResNet.num_features
    timm = import_timm()
    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('.')[0][:6]}*")[:8]
        raise ConfigError(f"backbone: timm has no model {name!r}; near it: {', '.join(near) or 'nothing'}")
    options: dict[str, Any] = {"in_chans": channels, "num_classes": 0}
    if name.startswith(("vit", "deit")):
        options["img_size"] = pixels
    if weights is not None:
        path = Path(expand(weights))
        if not path.is_file():
            raise ConfigError(f"weights: no file {path}; null trains from scratch")
        options |= {"pretrained": True, "pretrained_cfg_overlay": {"file": str(path)}}
    backbone = timm.create_model(name, **options)
    return backbone, backbone.num_features
