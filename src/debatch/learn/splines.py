"""Thin-plate splines: images bent at random, on the device."""

import math

import torch
from torch import Tensor
from torch.nn import functional

# of the image's height; released code of CHAMMI
FARTHEST = 0.1
# of the grid's nine points
CORNERS = [0, 2, 6, 8]
# pixels from one place to the next at which the spline is computed: in between it is all but straight
STEP = 8


def random_warps(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Images (N, C, H, W), each with some probability bent; what is beyond its border is its mirror image.

    Of the nine points of a grid over the image the corners stay; the others each move by up to a tenth of its height
    along both axes.

    Args:
        images: standardised.
        probability: that an image is bent.
        generator: of all draws, on the CPU.

    Source: CHAMMI, appendix B.3, which gives no points. Those of its released code, but for the corners, which it both
    moves and keeps: what lies between was smeared there.
    """
    count, (height, width) = len(images), images.shape[-2:]
    at = (torch.rand(count, generator=generator) < probability).nonzero().ravel()
    moves = FARTHEST * (2 * torch.rand(count, 9, 2, generator=generator, dtype=torch.float64) - 1)
    moves[:, CORNERS] = 0.0
    if not len(at):
        return images
    # in units of the height
    reach = torch.tensor([width / height, 1.0], dtype=torch.float64)
    halves = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    ends = (torch.cartesian_prod(halves, halves) * reach).expand(len(at), -1, -1)
    # centres of the first and the last pixel, and of some between
    rows, columns = (
        torch.linspace(0.5 / side, 1 - 0.5 / side, math.ceil((side - 1) / STEP) + 1, dtype=torch.float64)
        for side in (height, width)
    )
    places = torch.stack(torch.meshgrid(columns * reach[0], rows, indexing="xy"), -1)
    seen = spline(ends + moves[at], ends, places.flatten(0, 1)) / reach * 2 - 1
    coarse = seen.view(len(at), len(rows), len(columns), 2).permute(0, 3, 1, 2).to(images.device, images.dtype)
    grid = functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True).permute(0, 2, 3, 1)
    chosen = at.to(images.device)
    bent = functional.grid_sample(images[chosen], grid, padding_mode="reflection", align_corners=False)
    return images.index_copy(0, chosen, bent)


def spline(starts: Tensor, ends: Tensor, places: Tensor) -> Tensor:
    """(N, M, 2) where the smoothest maps that bring some points to others bring places (M, 2).

    Args:
        starts: (N, P, 2) float64.
        ends: (N, P, 2) float64.
        places: (M, 2) float64.

    Source: Bookstein 1989.
    """
    count, points, _ = starts.shape
    left = starts.new_zeros(count, points + 3, points + 3)
    left[:, :points, :points] = _bending(torch.cdist(starts, starts))
    left[:, :points, points:] = functional.pad(starts, (1, 0), value=1.0)
    left[:, points:, :points] = left[:, :points, points:].mT
    weights = torch.linalg.solve(left, functional.pad(ends, (0, 0, 0, 3)))
    terms = torch.cat(
        [
            _bending(torch.cdist(places.expand(count, -1, -1), starts)),
            functional.pad(places, (1, 0), value=1.0).expand(count, -1, -1),
        ],
        2,
    )
    return terms @ weights


def _bending(distance: Tensor) -> Tensor:
    """r² ln r, 0 at 0."""
    return torch.special.xlogy(distance.square(), distance)
