"""Stored images to the network's input, on the device, whole mini-batches at a time."""

import torch
from torch import Tensor
from torch.nn import functional


def standardize(images: Tensor, means: Tensor, sds: Tensor, pixels: int) -> Tensor:
    """Standardise stored images, and area-average them to the network's input.

    Args:
        images: (N, C, H, W) integers, as stored.
        means: (N, C) in stored pixel values.
        sds: (N, C) in stored pixel values.
        pixels: side of the result.

    Returns:
        (N, C, pixels, pixels) float32, channels last.
    """
    # in place and channels first: to subtract a number from a plane takes a third of the time on a CPU
    values = images.to(torch.float32, copy=True).sub_(means[:, :, None, None]).div_(sds[:, :, None, None])
    if values.shape[-2:] != (pixels, pixels):
        values = functional.interpolate(values, size=(pixels, pixels), mode="area")
    return values.contiguous(memory_format=torch.channels_last)
