"""Stems that stand in place of a backbone's first convolution."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from debatch.config.recipe import Recipe
from debatch.errors import ConfigError
from debatch.model.backbones import build_backbone
from debatch.model.stems.base import RGB, Stem, Vocabulary


class FirstLayer(nn.Module, ABC):
    """In place of a first convolution: what it gave of images of three channels, of images of any that it knows.

    Args:
        recipe: of the run.
        channels: that it knows.
        convolution: that it stands for, of three channels.

    Attributes:
        told: the names of the channels of the images that come next. A backbone hands on images alone.
    """

    replaces_norm: ClassVar[bool] = False
    told: Sequence[str] = ()

    def __init__(self, recipe: Recipe, channels: Vocabulary, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.channels = channels

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """(n, C, H, W) to (n, outputs, h, w)."""


class WithFirstLayer(Stem):
    """A backbone whose first convolution is another layer."""

    def __init__(self, recipe: Recipe, channels: Vocabulary, layer: type[FirstLayer]) -> None:
        super().__init__(recipe, channels)
        self.backbone, self.features = build_backbone(recipe.backbone, RGB, recipe.pixels, recipe.weights)
        self.at = first_convolution(self.backbone, recipe.backbone)
        if layer.replaces_norm:
            _drop_norm_behind(self.backbone, self.at)
        self.backbone.set_submodule(self.at, layer(recipe, channels, self.backbone.get_submodule(self.at)))  # type: ignore[arg-type]

    def forward(self, images: Tensor, channels: Sequence[str]) -> Tensor:
        """As `Stem.forward`."""
        layer = self.backbone.get_submodule(self.at)
        assert isinstance(layer, FirstLayer)
        layer.told = channels
        features: Tensor = self.backbone(images)
        return features

    def backbones(self) -> list[nn.Module]:
        """The one."""
        return [self.backbone]


class Kernels(FirstLayer):
    """A convolution whose kernel is put together from one for each channel; without a bias, which is of no channel."""

    def __init__(self, recipe: Recipe, channels: Vocabulary, convolution: nn.Conv2d) -> None:
        super().__init__(recipe, channels, convolution)
        # all but what it learned: its stride and padding, and whether it standardises kernels
        self.convolution = copy.deepcopy(convolution)
        del self.convolution.weight
        self.convolution.bias = None

    @abstractmethod
    def kernels(self, positions: list[int]) -> Tensor:
        """(C, outputs, height, width) of channels at some positions (C,) of the vocabulary."""

    def forward(self, images: Tensor) -> Tensor:
        """As `FirstLayer.forward`; kernels are made once for all n images."""
        kernel = self.kernels(self.channels.positions(self.told)).transpose(0, 1).contiguous()
        maps: Tensor = functional_call(self.convolution, {"weight": kernel}, (images,))
        return maps


def first_convolution(backbone: nn.Module, name: str) -> str:
    """Where in a backbone of three channels the one convolution is that sees images.

    Raises:
        ConfigError: there is none, or more than one.
    """
    found = [at for at, layer in backbone.named_modules() if _sees_images(layer)]
    if len(found) != 1:
        raise ConfigError(
            f"stem: the backbone {name!r} has {len(found) or 'no'} convolutions that see the image, and a stem stands "
            "in place of one; choose another backbone (convnext_tiny, resnet50, densenet121, deit_small_patch16_224, "
            "small_resnet, …), or leave `stem` out"
        )
    return found[0]


def fresh_kernel(convolution: nn.Conv2d, count: int) -> Tensor:
    """(outputs, count, height, width) drawn as widely as the backbone draws its own."""
    weight = convolution.weight.detach()
    return torch.randn_like(weight[:, :1].expand(-1, count, -1, -1).contiguous()) * weight.std()


def for_channels(convolution: nn.Conv2d, count: int, pretrained: bool) -> nn.Conv2d:
    """A copy of a convolution of three channels that takes `count`: fresh, or from what was learned of colours.

    A channel beyond the third gets the mean of all three kernels where there are four, and of two neighbours where
    there are more, as the released code of CHAMMI does with up to five.
    """
    own, colours = copy.deepcopy(convolution), convolution.weight.detach()
    if pretrained:
        several = RGB if count == RGB + 1 else 2
        more = [colours.roll(-i, 1)[:, :several].mean(1, keepdim=True) for i in range(count - RGB)]
        kernel = torch.cat([colours[:, :count], *more], 1)
    else:
        kernel = fresh_kernel(convolution, count)
    own.weight, own.in_channels = nn.Parameter(kernel), count
    return own


def _sees_images(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.in_channels == RGB and layer.groups == 1


def _drop_norm_behind(backbone: nn.Module, at: str) -> None:
    """Take out a layer norm that comes right behind a layer, as in ConvNeXt; a batch norm stays."""
    above = backbone.get_submodule(at.rpartition(".")[0])
    if not isinstance(above, nn.Sequential):
        return
    children = list(above)
    behind = children.index(backbone.get_submodule(at)) + 1
    if behind < len(children) and isinstance(children[behind], nn.LayerNorm):
        above[behind] = nn.Identity()
