"""Crops of a whole group on the device: one sampling grid a view, whatever the number of channels."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def random_crops(
    images: Tensor, size: tuple[int, int], scale: Sequence[float], generator: torch.Generator, dihedral: bool = True
) -> Tensor:
    """A random square of each image (N, C, H, W), flipped and turned, resampled to (N, C, h, w).

    The square's area is a share of the image's, uniform in `scale`, which ends at 1; where it stands is uniform over
    where it fits. Larger squares are averaged, not only sampled, so that what is small in them does not flicker.

    Args:
        images: standardised.
        size: h and w.
        scale: least and largest share of the area.
        generator: of all draws, on the CPU.
        dihedral: whether to flip and turn by quarters; an image that is not square is only flipped.
    """
    count, (height, width) = len(images), images.shape[-2:]
    share = scale[0] + (scale[1] - scale[0]) * torch.rand(count, generator=generator)
    side = share.clamp(max=1.0).sqrt()
    centre = (2 * torch.rand(count, 2, generator=generator) - 1) * (1 - side[:, None])
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = side
    if dihedral:
        flips = 1 - 2 * (torch.rand(count, 2, generator=generator) < 0.5).float()
        theta[:, 0, 0] *= flips[:, 0]
        theta[:, 1, 1] *= flips[:, 1]
        turned = torch.rand(count, generator=generator) < 0.5
        if height == width and size[0] == size[1]:
            theta[turned] = theta[turned].flip(1)
    theta[:, :, 2] = centre
    grid = functional.affine_grid(theta.to(images.device), [count, images.shape[1], *size], align_corners=False)
    shrink = min(height * float(side.mean()) / size[0], width * float(side.mean()) / size[1])
    if shrink >= 2:  # bilinear sampling would step over pixels
        factor = int(shrink)
        images = functional.avg_pool2d(images, factor, ceil_mode=False)
    crops = functional.grid_sample(
        images, grid.to(images.dtype), mode="bilinear", align_corners=False, padding_mode="reflection"
    )
    return crops.contiguous(memory_format=torch.channels_last)
