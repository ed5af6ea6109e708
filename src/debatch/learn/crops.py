"""Crops of a whole group on the device, each averaged over exactly the pixels that it shows."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from debatch.config.parts import keeps_shape
from debatch.errors import DataError

# of tables that are made at once: on a CPU small ones stay in its cache, and in memory that is used again, which halves
# the time; a GPU is to do much at a time
TABLE_BYTES = {"cpu": 28 << 20, "cuda": 2 << 30}


class Window(NamedTuple):
    """Where each image of a group is cut for a view.

    Attributes:
        theta: (N, 2, 3) float64, from the view to the image, as `affine_grid` takes it.
        size: h and w of the view.
    """

    theta: Tensor
    size: tuple[int, int]


def random_window(
    images: Tensor,
    size: tuple[int, int],
    scale: Sequence[float],
    generator: torch.Generator,
    dihedral: bool = True,
    ratio: Sequence[float] | None = None,
) -> Window:
    """A random part of each image (N, C, H, W), flipped and turned.

    It has the image's shape where no `ratio` is given; its area is a share of the image's, uniform in `scale`, which
    ends at 1; where it stands is uniform over where it fits; on whole pixels, where it has as many as the view.

    Args:
        images: that are cut.
        size: h and w of the view.
        scale: least and largest share of the area.
        generator: of all draws, on the CPU.
        dihedral: whether to flip and turn by quarters; an image that is not square is only flipped.
        ratio: least and largest width of the part over its height, as shares of the image's; None: both alike.

    Raises:
        DataError: the images are smaller than the view, or would be stretched to it.
    """
    count, (height, width) = len(images), (images.shape[-2], images.shape[-1])
    _require_fitting((height, width), size)
    share = scale[0] + (scale[1] - scale[0]) * torch.rand(count, generator=generator)
    side = share.clamp(max=1.0).sqrt().double()
    sides = side[:, None].expand(-1, 2)
    if ratio is not None:
        low, high = (math.log(end) / 2 for end in ratio)
        stretch = (low + (high - low) * torch.rand(count, generator=generator)).exp()
        sides = torch.stack([side * stretch, side / stretch], 1).clamp(max=1.0)
    centre = (2 * torch.rand(count, 2, generator=generator).double() - 1) * (1 - sides)
    # a window of as many pixels as its view stands on whole ones: between them each pixel would be a mean of four, and
    # images would look sharper at inference than they ever did in training
    as_stored = (sides * height - size[0]).abs().amax(1) < 1e-3
    centre[as_stored] = _on_whole_pixels(centre[as_stored], (height, width), size)
    theta = torch.zeros(count, 2, 3, dtype=torch.float64)
    theta[:, 0, 0], theta[:, 1, 1] = sides.unbind(1)
    if dihedral:
        flips = 1 - 2 * (torch.rand(count, 2, generator=generator) < 0.5).double()
        theta[:, 0, 0] *= flips[:, 0]
        theta[:, 1, 1] *= flips[:, 1]
        turned = torch.rand(count, generator=generator) < 0.5
        if height == width and size[0] == size[1]:
            theta[turned] = theta[turned].flip(1)
    theta[:, :, 2] = centre
    return Window(theta, size)


def _on_whole_pixels(centre: Tensor, stored: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(n, 2) centres (x, y) of windows, from -1 to 1, moved by less than a pixel."""
    room = torch.tensor([(stored[1] - size[1]) / 2, (stored[0] - size[0]) / 2])
    half = torch.tensor([stored[1] / 2, stored[0] / 2])
    return ((centre * half + room).round() - room) / half


def cut(images: Tensor, means: Tensor, sds: Tensor, windows: Sequence[Window]) -> list[Tensor]:
    """The views of some windows, each (N, C, h, w) float32, standardised.

    Each pixel of a view is the mean of what it covers, as `standardize` averages whole images: what is too fine for it
    does not show as something coarse. A window with fewer pixels than its view repeats them.

    Args:
        images: (N, C, H, W) integers, as stored.
        means: (N, C) in stored pixel values.
        sds: (N, C) in stored pixel values.
        windows: one a view.
    """
    at_once = max(1, TABLE_BYTES.get(images.device.type, TABLE_BYTES["cpu"]) // (images[0].numel() * 8))
    thetas = [window.theta.to(images.device) for window in windows]
    parts: list[list[Tensor]] = [[] for _ in windows]
    for first in range(0, len(images), at_once):
        own = slice(first, first + at_once)
        table = _summed_areas(images[own])
        for views, window, theta in zip(parts, windows, thetas, strict=True):
            averages = _averages(table, theta[own], window.size)
            standard = averages.sub_(means[own, :, None, None]).div_(sds[own, :, None, None])
            views.append(standard.to(torch.float32, memory_format=torch.channels_last))
    return [torch.cat(views).contiguous(memory_format=torch.channels_last) for views in parts]


def _summed_areas(images: Tensor) -> Tensor:
    """(N, C, H + 1, W + 1) at each corner of pixels the sum of all that are above and to the left (Crow 1984).

    float64 holds sums of integers exactly: a float32 table would be off by a thousandth of a standard deviation.
    """
    padded = functional.pad(images, (1, 0, 1, 0))
    return padded.cumsum(-1, dtype=torch.float64).cumsum_(-2)


def _averages(table: Tensor, theta: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, h, w) means over the pixels of a view, each by the sums at its four corners.

    Within a pixel sums are bilinear, so that parts of pixels count by their area.
    """
    corners = functional.affine_grid(theta, [len(theta), 1, size[0] + 1, size[1] + 1], align_corners=True)
    sums = functional.grid_sample(table, corners, mode="bilinear", align_corners=True, padding_mode="border")
    height, width = table.shape[-2] - 1, table.shape[-1] - 1
    # negative where one axis is flipped, and so are the sums between corners
    pixels = theta[:, :, :2].sum(2).prod(1) * height * width / (size[0] * size[1])
    return sums.diff(dim=-1).diff(dim=-2).div_(pixels[:, None, None, None])


def _require_fitting(stored: tuple[int, int], size: tuple[int, int]) -> None:
    """Refuse views that no image has the pixels for, or of another shape."""
    what = (
        f"views of {size[0]} x {size[1]} pixels (height x width) are cut from stored images of "
        f"{stored[0]} x {stored[1]}"
    )
    if size[0] > stored[0] or size[1] > stored[1]:
        raise DataError(
            f"{what}, which are smaller: lower `pixels` (or the objective's `local_pixels`), lower `image.downsample` "
            "or raise `image.crop`"
        )
    if not keeps_shape(stored, size):
        width = max(1, round(stored[1] * size[0] / stored[0]))
        raise DataError(
            f"{what}, which would stretch them: let `pixels` (and the objective's `local_pixels`) have the images' "
            f"shape, as in [{size[0]}, {width}], or crop the images by `image.crop`"
        )
