"""Channel tokens: a token for each patch of each channel (ChannelViT, Bao et al. 2024)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from debatch.config.recipe import Recipe
from debatch.config.stems import ChannelTokens as Settings
from debatch.errors import ConfigError
from debatch.model.backbones import build_backbone
from debatch.model.proxies import proxy_loss
from debatch.model.stems.base import Stem, Vocabulary
from debatch.model.timm_import import import_timm


class ChannelTokens(Stem):
    """All channels share the kernel of patches and the embedding of places; each adds an embedding of its own.

    Pretrained, the kernel is the sum of those of colours, as timm makes it for grey images.
    """

    def __init__(self, recipe: Recipe, channels: Vocabulary) -> None:
        super().__init__(recipe, channels)
        assert isinstance(recipe.stem, Settings)
        self.settings = recipe.stem
        self._penalties: list[Tensor] = []
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
        if self.settings.channel_diversity:
            self.proxies = nn.Parameter(torch.randn_like(self.embeddings) / math.sqrt(self.features))

    def forward(self, images: Tensor, channels: Sequence[str]) -> Tensor:
        """As `Stem.forward`."""
        at = self.channels.positions(channels)
        if self.training and self.settings.sample:
            kept = torch.randperm(len(at))[: int(torch.randint(1, len(at) + 1, ()))].tolist()
            images, at = images[:, kept], [at[place] for place in kept]
        vit = self.backbone
        patches: Tensor = vit.patch_embed.proj(images.reshape(-1, 1, *images.shape[2:]))
        at_start, at_patches = self._places((patches.shape[-2], patches.shape[-1]))
        tokens = vit.patch_embed.norm(patches.flatten(2).transpose(1, 2))
        tokens = tokens.view(len(images), len(at), -1, tokens.shape[-1])
        if self.training and torch.is_grad_enabled():
            self._penalties.append(self._penalty(tokens.float(), at))
        tokens = tokens + at_patches
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

    def take_penalty(self) -> Tensor | None:
        """The mean over the passes since it was last asked, of the terms that the settings weigh."""
        settings, penalties = self.settings, self._penalties
        self._penalties = []
        if not penalties or not (settings.channel_diversity or any(settings.token_diversity)):
            return None
        return torch.stack(penalties).mean()

    def _penalty(self, tokens: Tensor, at: list[int]) -> Tensor:
        settings, total = self.settings, tokens.new_zeros(())
        if settings.channel_diversity:
            own = torch.arange(len(at), device=tokens.device)
            loss = proxy_loss(self.embeddings[at], self.proxies[at], own, settings.channel_temperature)
            total = total + settings.channel_diversity * loss
        if any(settings.token_diversity):
            for weight, cosine in zip(settings.token_diversity, mean_cosines(tokens), strict=True):
                total = total + weight * cosine
        return total

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


def mean_cosines(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """() mean cosine of two patches of one channel, and () of patches of two channels, of one image; 0 of none.

    Args:
        tokens: (N, C, P, D) of P patches of each channel.

    Source: Pham and Plummer 2024, equations 2 and 3.
    """
    count, channels, patches, _ = tokens.shape
    # cosines of all pairs sum to the squared length of a sum of unit vectors
    sums = functional.normalize(tokens, dim=-1).sum(2)
    within = sums.square().sum() - count * channels * patches
    across = sums.sum(1).square().sum() - sums.square().sum()
    pairs = count * channels * patches * (patches - 1), count * channels * (channels - 1) * patches**2
    return within / max(1, pairs[0]), across / max(1, pairs[1])


STEM = ChannelTokens
