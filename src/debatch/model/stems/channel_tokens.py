"""Channel tokens: a token for each patch of each channel (ChannelViT, Bao et al. 2024)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from debatch.config.recipe import Recipe
from debatch.config.stems import ChannelTokens as Settings
from debatch.errors import ConfigError
from debatch.model.backbones import build_backbone
from debatch.model.stems.base import Stem, Vocabulary
from debatch.model.timm_import import import_timm


class ChannelTokens(Stem):
    """All channels share the kernel of patches and the embedding of places; each adds an embedding of its own.

    Pretrained, the kernel is the sum of those of colours, as timm makes it for grey images.
    """

    def __init__(self, recipe: Recipe, channels: Vocabulary) -> None:
        super().__init__(recipe, channels)
        assert isinstance(recipe.stem, Settings)
        self.sample = recipe.stem.sample
        backbone, self.features = build_backbone(recipe.backbone, 1, recipe.pixels, recipe.weights)
        self.backbone: Any = backbone
        kind = import_timm().models.vision_transformer.VisionTransformer
        if type(backbone) is not kind or backbone.pos_embed is None:
            raise ConfigError(
                f"stem: `channel_tokens` needs a plain vision transformer that learns where patches are, which "
                f"{recipe.backbone!r} is not; choose one like deit_small_patch16_224"
            )
        self.embeddings = nn.Parameter(torch.empty(len(channels.names), self.features))
        nn.init.trunc_normal_(self.embeddings, std=0.02)

    def forward(self, images: Tensor, channels: Sequence[str]) -> Tensor:
        """As `Stem.forward`."""
        at = self.channels.positions(channels)
        if self.training and self.sample:
            kept = torch.randperm(len(at))[: int(torch.randint(1, len(at) + 1, ()))].tolist()
            images, at = images[:, kept], [at[place] for place in kept]
        vit = self.backbone
        patches: Tensor = vit.patch_embed.proj(images.reshape(-1, 1, *images.shape[2:]))
        at_start, at_patches = self._places((patches.shape[-2], patches.shape[-1]))
        tokens = vit.patch_embed.norm(patches.flatten(2).transpose(1, 2))
        tokens = tokens.view(len(images), len(at), -1, tokens.shape[-1]) + at_patches
        tokens = (tokens + self.embeddings[at][:, None]).flatten(1, 2)
        first = [token.expand(len(images), -1, -1) for token in (vit.cls_token, vit.reg_token) if token is not None]
        if first:
            start = torch.cat(first, 1)
            tokens = torch.cat([start if at_start is None else start + at_start, tokens], 1)
        tokens = vit.norm_pre(vit.pos_drop(tokens))
        if vit.grad_checkpointing and torch.is_grad_enabled():
            tokens = import_timm().models.checkpoint_seq(vit.blocks, tokens)
        else:
            tokens = vit.blocks(tokens)
        features: Tensor = vit.forward_head(vit.norm(tokens))
        return features

    def backbones(self) -> list[nn.Module]:
        """The one."""
        return [self.backbone]

    def _places(self, grid: tuple[int, int]) -> tuple[Tensor | None, Tensor]:
        """Embeddings of places: of the tokens before the patches, where they have one, and of a grid of patches."""
        vit = self.backbone
        before = 0 if vit.no_embed_class else vit.num_prefix_tokens
        places: Tensor = vit.pos_embed
        if grid != tuple(vit.patch_embed.grid_size):
            resample = import_timm().layers.resample_abs_pos_embed
            places = resample(places, grid, vit.patch_embed.grid_size, num_prefix_tokens=before)
        return (places[:, :before] if before else None), places[:, before:]


STEM = ChannelTokens
