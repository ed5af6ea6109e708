"""The network of every recipe: backbone, neck, class head and batch head."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from debatch.config.recipe import Recipe
from debatch.errors import ConfigError
from debatch.model.backbones import build_backbone, compute_twice
from debatch.model.pretrained import backbone_of_run, take_backbone
from debatch.model.stems import ChannelSets, Stem, build_stem


class Outputs(NamedTuple):
    """What the network gives N images.

    Attributes:
        embedding: (N, width), non-negative where it comes from a neck.
        class_logits: (N, classes).
        batch_logits: (N, training batches).
    """

    embedding: Tensor
    class_logits: Tensor
    batch_logits: Tensor


class Network(nn.Module):
    """Features, then (Linear, BN, ReLU) x 2 to the embedding, on which both heads hang (RxRx1 paper, Figure 5).

    The last ReLU makes embeddings non-negative, and so their cosines. Where the recipe gives the embedding no width,
    the heads hang on the features. The batch head has no batch norm: under groups
    of one batch a norm would erase what it predicts. Where the recipe reverses its gradient it is the adversary of
    Ganin et al. 2016; else it reads a detached embedding, and never trains the trunk.

    Args:
        recipe: of the run.
        channels: how many it takes, where it knows them by their place.
        classes: of the class head.
        batches: of the batch head.
        channel_sets: where its stem knows channels by name, those of each part that it is trained on.

    Attributes:
        width: length of the embedding.

    Raises:
        ConfigError: the recipe adapts batch norm and the backbone has none, or asks for `checkpointing` likewise.
    """

    def __init__(
        self, recipe: Recipe, channels: int, classes: int, batches: int, channel_sets: ChannelSets = ()
    ) -> None:
        super().__init__()
        trained = None if recipe.weights is None else backbone_of_run(recipe.weights)
        scratch = recipe if trained is None else recipe.model_copy(update={"weights": None})
        self.backbone, features = _backbone(scratch, channels, channel_sets)
        if trained is not None:
            take_backbone(self.backbone, trained, recipe)
        if recipe.adapts and not batch_norms(self.backbone):
            raise ConfigError(
                f"adaptive batch normalization is asked for, but the backbone {recipe.backbone!r} has no batch "
                "normalization layer; choose one that has, or leave out `batch_norm: adaptive` and "
                "`test_statistics: batch`"
            )
        if recipe.checkpointing:
            compute_twice(self.backbone, recipe.backbone)
        self.width = recipe.embedding_width or features
        self.neck = _neck(features, self.width) if recipe.embedding_width else nn.Identity()
        self.class_head = nn.Linear(self.width, classes)
        self.batch_head = nn.Linear(self.width, batches)

    def embed(self, images: Tensor, channels: Sequence[str] = ()) -> Tensor:
        """Standardised images (N, C, H, W) to embeddings (N, width).

        Args:
            images: of one part.
            channels: the names of their C channels, for a stem that knows them by name.
        """
        return self.neck(encoded(self.backbone, images, channels))

    def heads(self, embedding: Tensor, reversal: float = 0.0) -> Outputs:
        """Both heads' logits of embeddings (N, width), in float32.

        Args:
            embedding: as `embed` gives it.
            reversal: strength at which the batch head's gradient is reversed for what lies below; 0: it ends there.
        """
        embedding = embedding.float()
        read = ReverseGradient.apply(embedding, reversal) if reversal else embedding.detach()
        return Outputs(embedding, self.class_head(embedding), self.batch_head(read))


def _neck(features: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(features, width, bias=False),
        nn.BatchNorm1d(width),
        nn.ReLU(inplace=True),
        nn.Linear(width, width, bias=False),
        nn.BatchNorm1d(width),
        nn.ReLU(),
    )


def encoded(backbone: nn.Module, images: Tensor, channels: Sequence[str]) -> Tensor:
    """Features (N, F) that a network's backbone gives images (N, C, H, W) of the channels of these names."""
    features: Tensor = backbone(images, channels) if isinstance(backbone, Stem) else backbone(images)
    return features


def _backbone(recipe: Recipe, channels: int, channel_sets: ChannelSets) -> tuple[nn.Module, int]:
    """What gives features, and how many."""
    if not recipe.names_channels:
        return build_backbone(recipe.backbone, channels, recipe.pixels, recipe.weights)
    stem = build_stem(recipe, channel_sets)
    return stem, stem.features


class ReverseGradient(torch.autograd.Function):
    """Gives what it gets, and multiplies the gradient by minus a strength (Ganin et al. 2016, section 4.2)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        """The identity."""
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The reversed gradient."""
        return -ctx.strength * gradients[0], None


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    """Every batch normalization layer, in the order of the module tree."""
    return [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
