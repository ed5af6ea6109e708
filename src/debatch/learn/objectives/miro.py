"""MIRO (Cha et al. 2022): a network that learns stays near what it began with, by its features on the way."""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from debatch.config.recipe import Arithmetic, Recipe
from debatch.errors import ConfigError
from debatch.model.network import encoded
from debatch.model.stems import ChannelSets, Stem

# the stem and three stages: CHAMMI, appendix B.4
POINTS = 4
# of the variance of each feature, in the released code
FIRST_VARIANCE, LEAST_VARIANCE = 0.1, 1e-5


class FrozenTwin(nn.Module):
    """A copy of a backbone that stays as it is, and how far from its features those of the backbone may be.

    Args:
        recipe: of the run.
        backbone: with the weights that it begins with; of a network, so perhaps behind a stem.
        channel_sets: of each part, the names of its channels.
        precision: the arithmetic of the twin's passes.

    Raises:
        ConfigError: nothing is known of the backbone's stages.
    """

    def __init__(self, recipe: Recipe, backbone: nn.Module, channel_sets: ChannelSets, precision: Arithmetic) -> None:
        super().__init__()
        self.name, self.precision = recipe.backbone, precision
        self.twin = copy.deepcopy(backbone).requires_grad_(False).eval()
        shapes = copy.deepcopy(backbone).to("meta")
        images = torch.empty(2, len(channel_sets[0]), *recipe.size, device="meta")
        with features_of(shapes, recipe.backbone) as found, torch.no_grad():
            encoded(shapes, images, channel_sets[0])
        first = math.log(math.expm1(FIRST_VARIANCE - LEAST_VARIANCE))
        # along the features, whether they come before or behind the places
        self.variances = nn.ParameterList(
            torch.full((width, *[1] * (each.ndim - 2)) if each.shape[1] == width else (width,), first)
            for each, width in found
        )

    def train(self, mode: bool = True) -> "FrozenTwin":
        """The twin is never in training: its batch norm and dropout stay as they are too."""
        super().train(mode)
        self.twin.eval()
        return self

    def distance(self, features: Sequence[tuple[Tensor, int]], images: Tensor, channels: Sequence[str]) -> Tensor:
        """() the negative log likelihood of the twin's features of images under the backbone's.

        Args:
            features: of the backbone, as `features_of` finds them.
            images: standardised (n, C, H, W), of which they are.
            channels: the names of the C channels.

        Source: Cha et al. 2022, equation 4, of means in place of sums.
        """
        arithmetic = torch.autocast(images.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")
        with torch.no_grad(), arithmetic, features_of(self.twin, self.name) as kept:
            encoded(self.twin, images, channels)
        terms = []
        for (own, _), (before, _), raw in zip(features, kept, self.variances, strict=True):
            variance = functional.softplus(raw) + LEAST_VARIANCE
            terms.append((((own.float() - before.float()).square() / variance) + variance.log()).mean() / 2)
        return torch.stack(terms).sum()


@contextmanager
def features_of(backbone: nn.Module, name: str) -> Iterator[list[tuple[Tensor, int]]]:
    """Within it a list fills with what stem and stages of a backbone give, and how many features each has.

    Raises:
        ConfigError: nothing is known of its stages.
    """
    found: list[tuple[Tensor, int]] = []
    hooks = []
    for inner in backbone.backbones() if isinstance(backbone, Stem) else [backbone]:
        for layer, width in _stages(inner, name):

            def note(_: nn.Module, inputs: Any, output: Tensor, width: int | None = width) -> None:
                found.append((output, width or output.shape[1]))

            hooks.append(layer.register_forward_hook(note))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _stages(backbone: Any, name: str) -> list[tuple[nn.Module, int | None]]:
    """Modules that give the features of stem and first stages, and how many; None: as many as the second dimension."""
    known = getattr(backbone, "feature_info", None)
    if not known:
        raise ConfigError(
            f"objective.miro: nothing is known of the stages of the backbone {name!r}; choose another (convnext_tiny, "
            "resnet50, small_resnet, …), or leave `miro` out"
        )
    # of some families the stem is among the stages
    stem: list[tuple[nn.Module, int | None]] = [(backbone.stem, None)] if hasattr(backbone, "stem") else []
    stages = [(backbone.get_submodule(each["module"]), int(each["num_chs"])) for each in known]
    return [*stem, *stages][:POINTS]
