"""Augmentation of a whole group on the device: flips and quarter turns, crops, splines; CutMix or MixUp."""

from typing import NamedTuple

import torch
from torch import Tensor

from debatch.config.recipe import Recipe
from debatch.learn.crops import cut, random_window
from debatch.learn.splines import random_warps
from debatch.model.inputs import Group
from debatch.model.standardize import averaged

# of a crop's area, and of its width to its height; released code of CHAMMI
CROP_SHARE, CROP_RATIO = (0.8, 1.0), (0.9, 1.1)


class Mixed(NamedTuple):
    """A mixed group.

    Attributes:
        images: (N, C, H, W).
        partner: (N,) the image that was mixed in.
        weight: share of its own that each image kept: of its pixels under CutMix, of their values under MixUp.
    """

    images: Tensor
    partner: Tensor
    weight: float


def augmented(group: Group, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """A view of each image: standardised (N, C, H, W), and changed at random as the recipe asks for it."""
    if recipe.augmentation == "dihedral":
        group = group._replace(images=random_dihedral(group.images, generator))
    if recipe.augmentation != "crop" and not recipe.thin_plate_spline:
        return group.standardized(recipe.pixels)
    images, means, sds = group.images, group.means, group.sds
    smaller = any(own < wanted for own, wanted in zip(images.shape[-2:], recipe.size, strict=True))
    if recipe.thin_plate_spline or smaller:
        images = group.standardized(list(images.shape[-2:]))
        means, sds = torch.zeros_like(means), torch.ones_like(sds)
    if recipe.thin_plate_spline:
        images = random_warps(images, recipe.thin_plate_spline, generator)
    if recipe.augmentation != "crop":
        return averaged(images, recipe.pixels)
    if smaller:
        images = averaged(images, recipe.pixels)
    turned = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    images = torch.where(turned[:, None, None, None], images.flip(-1), images)
    window = random_window(images, recipe.size, CROP_SHARE, generator, dihedral=False, ratio=CROP_RATIO)
    return cut(images, means, sds, [window])[0]


def random_dihedral(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image (N, C, H, W) in one of its eight flips and quarter turns; four where it is not square."""
    draws = (torch.rand(3, len(images), generator=generator) < 0.5).int()
    # those of one form are turned at once: to choose between pixels takes a CPU several times as long
    forms = draws[0] + 2 * draws[1] + 4 * draws[2]
    order = forms.argsort(stable=True)
    sorted_images = images.index_select(0, order.to(images.device))
    turned = [
        _in_form(part, form) for form, part in enumerate(sorted_images.split(forms.bincount(minlength=8).tolist()))
    ]
    return torch.cat(turned).index_select(0, order.argsort().to(images.device))


def _in_form(images: Tensor, form: int) -> Tensor:
    """Images flipped left to right (1), up and down (2), and along the diagonal (4, where they are square)."""
    images = images.flip([axis for bit, axis in ((1, -1), (2, -2)) if form & bit])
    return images.transpose(-1, -2) if form & 4 and images.shape[-1] == images.shape[-2] else images


def cutmix(images: Tensor, generator: torch.Generator) -> Mixed:
    """Paste one random box of a random partner into each image of a group (Yun et al. 2019, alpha 1).

    Partners are of the same group, so under AdaBN of the same batch. The weight is the box's true area, after clipping
    at the border.
    """
    height, width = images.shape[-2:]
    kept, y, x = torch.rand(3, generator=generator).tolist()  # Beta(1, 1) is uniform
    half_height, half_width = (round(side * (1 - kept) ** 0.5 / 2) for side in (height, width))
    centre_y, centre_x = int(y * height), int(x * width)
    top, bottom = max(0, centre_y - half_height), min(height, centre_y + half_height)
    left, right = max(0, centre_x - half_width), min(width, centre_x + half_width)
    partner = torch.randperm(len(images), generator=generator).to(images.device)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images[partner][..., top:bottom, left:right]
    return Mixed(mixed, partner, 1 - (bottom - top) * (right - left) / (height * width))


def mixup(images: Tensor, generator: torch.Generator) -> Mixed:
    """Blend each image of a group with a random partner of the group (Zhang et al. 2018, alpha 1 as in CutMix).

    One weight for the group, drawn from Beta(1, 1).
    """
    kept = float(torch.rand(1, generator=generator))  # Beta(1, 1) is uniform
    partner = torch.randperm(len(images), generator=generator).to(images.device)
    return Mixed(torch.lerp(images[partner], images, kept), partner, kept)


def unmixed(images: Tensor, generator: torch.Generator | None = None) -> Mixed:
    """A group as it is; nothing is drawn."""
    return Mixed(images, torch.arange(len(images), device=images.device), 1.0)


MIXERS = {"cutmix": cutmix, "mixup": mixup, "none": unmixed}
