"""Crops of a whole group on the device, each averaged over exactly the pixels that it shows."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from debatch.config.parts import keeps_shape
from debatch.errors import DataError


class SummedAreas(NamedTuple):
    """Images as sums over rectangles, made once for all views: the mean of any rectangle comes from its four corners.

    Within a pixel the table is bilinear, so that parts of pixels count by their area. It is of stored integers, whose
    sums float64 holds exactly; what is standardised are the averages, which are fewer.

    Attributes:
        table: (N, C, H + 1, W + 1) float64, at each corner of pixels the sum of all that are above and to the left.
        means: (N, C) in stored pixel values.
        sds: (N, C) in stored pixel values.

    Source: Crow 1984.
    """

    table: Tensor
    means: Tensor
    sds: Tensor

    @classmethod
    def of(cls, images: Tensor, means: Tensor, sds: Tensor) -> "SummedAreas":
        """Of images (N, C, H, W) as they are stored, and what standardises them."""
        padded = functional.pad(images, (1, 0, 1, 0))
        return cls(padded.cumsum(-1, dtype=torch.float64).cumsum_(-2), means, sds)

    def random_crops(
        self, size: tuple[int, int], scale: Sequence[float], generator: torch.Generator, dihedral: bool = True
    ) -> Tensor:
        """A random part of each image, flipped and turned, area-averaged to (N, C, h, w) and standardised.

        The part has the image's shape; its area is a share of the image's, uniform in `scale`, which ends at 1; where
        it stands is uniform over where it fits. Each pixel of the result is the mean of what it covers, as
        `standardize` averages whole images: what is too fine for it does not show as something coarse. A part with
        fewer pixels than the result repeats them.

        Args:
            size: h and w.
            scale: least and largest share of the area.
            generator: of all draws, on the CPU.
            dihedral: whether to flip and turn by quarters; an image that is not square is only flipped.

        Raises:
            DataError: the images are smaller than a view, or would be stretched to it.
        """
        count, (height, width) = len(self.table), (self.table.shape[-2] - 1, self.table.shape[-1] - 1)
        _require_fitting((height, width), size)
        share = scale[0] + (scale[1] - scale[0]) * torch.rand(count, generator=generator)
        side = share.clamp(max=1.0).sqrt().double()
        centre = (2 * torch.rand(count, 2, generator=generator) - 1) * (1 - side[:, None])
        theta = torch.zeros(count, 2, 3, dtype=torch.float64)
        theta[:, 0, 0] = theta[:, 1, 1] = side
        if dihedral:
            flips = 1 - 2 * (torch.rand(count, 2, generator=generator) < 0.5).double()
            theta[:, 0, 0] *= flips[:, 0]
            theta[:, 1, 1] *= flips[:, 1]
            turned = torch.rand(count, generator=generator) < 0.5
            if height == width and size[0] == size[1]:
                theta[turned] = theta[turned].flip(1)
        theta[:, :, 2] = centre
        # negative where one axis is flipped: so are the sums between its corners
        pixels = (theta[:, :, :2].sum(2).prod(1) * height * width / (size[0] * size[1])).to(self.table)
        corners = functional.affine_grid(
            theta.to(self.table.device), [count, 1, size[0] + 1, size[1] + 1], align_corners=True
        )
        sums = functional.grid_sample(self.table, corners, mode="bilinear", align_corners=True, padding_mode="border")
        averages = sums.diff(dim=-1).diff(dim=-2).div_(pixels[:, None, None, None])
        crops = averages.sub_(self.means[:, :, None, None]).div_(self.sds[:, :, None, None])
        return crops.to(torch.float32, memory_format=torch.channels_last)


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
