"""One raw image to stored ones: area-average, rescale, crop the centre, cut tiles, measure.

Source: RxRx1 paper, section 2.2.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from skimage.transform import downscale_local_mean

from debatch.config.base import height_and_width
from debatch.config.images import ImageProcessing
from debatch.errors import ConfigError
from debatch.screen.ingest.decode import ImageProblem
from debatch.screen.ingest.measure import Measures, cut_off, measure


@dataclass(frozen=True)
class Processed:
    """A field's stored images.

    Attributes:
        tiles: (T, C, H, W) uint8 or uint16, row by row over the field.
        measures: of each tile and channel.
        clipped: (C,) share of the field's values that lay outside of the stated range.
        cut_off: (C,) share of the field's height, from below, that is zeros as of a copy that was cut off.
    """

    tiles: np.ndarray
    measures: Measures
    clipped: np.ndarray
    cut_off: np.ndarray


def stored_ranges(config: ImageProcessing, channels: list[str]) -> np.ndarray | None:
    """The raw values that become 0 and the largest stored value for each channel.

    Returns:
        (C, 2), or None where no range is stated.

    Raises:
        ConfigError: a range is missing for a channel, or stated for one that is not there.
    """
    if config.range is None:
        return None
    if isinstance(config.range, list):
        return np.array([config.range] * len(channels), dtype=np.float64)
    if set(config.range) != set(channels):
        odd = sorted(set(config.range) ^ set(channels))
        raise ConfigError(f"image.range: needs a [low, high] for each of {', '.join(channels)}; see {odd[0]!r}")
    return np.array([config.range[channel] for channel in channels], dtype=np.float64)


def process(
    planes: list[np.ndarray], config: ImageProcessing, ranges: np.ndarray | None, dtype: Literal["uint8", "uint16"]
) -> Processed:
    """Raw planes of one field to its stored images.

    Args:
        planes: C arrays (H, W) of one shape, each of its own depth.
        config: what to do.
        ranges: (C, 2), as `stored_ranges` gives them.
        dtype: of the stored images.

    Raises:
        ConfigError: 16-bit planes to be stored in 8 bits without a stated range, or 8-bit planes under a range that
            goes beyond 8 bits.
        ImageProblem: the image is smaller than the crop, or than what is averaged or cut from it.
    """
    if ranges is None and dtype == "uint8" and any(plane.dtype == np.uint16 for plane in planes):
        raise ConfigError(
            "image.range: the images have 16 bits; state `image: {range: [low, high]}`, the raw values that become 0 "
            "and 255, one range for the whole screen (`debatch check` proposes one), or keep 16 bits by "
            "`store: {dtype: uint16}`"
        )
    for at, plane in enumerate(planes if ranges is not None else []):
        if plane.dtype == np.uint8 and ranges is not None and ranges[at, 1] > np.iinfo(np.uint8).max:
            raise ConfigError(
                f"image.range: the images of channel {at + 1} have 8 bits, and {ranges[at, 1]:g} lies beyond; state a "
                "range for each stain, as {DNA: [100, 4000], Brightfield: [0, 255]}"
            )
    largest = float(np.iinfo(dtype).max)
    clipped = np.zeros(len(planes))
    stored = []
    for channel, plane in enumerate(planes):
        averaged = _area_average(plane, config.downsample)
        if ranges is not None:
            low, high = ranges[channel]
            clipped[channel] = np.mean((averaged > high) | (averaged < low))
        else:
            low, high = 0.0, largest
        stored.append(_crop(_scaled(averaged, low, high, dtype), config.crop))
    tiles = np.ascontiguousarray(_cut(np.stack(stored), config.tiles))
    return Processed(tiles, measure(tiles), clipped, np.array([cut_off(plane) for plane in planes]))


def _scaled(plane: np.ndarray, low: float, high: float, dtype: str) -> np.ndarray:
    """Values in [low, high] to all of the dtype's, rounded; those outside are clipped."""
    largest = float(np.iinfo(dtype).max)
    if plane.dtype == np.dtype(dtype) and (low, high) == (0.0, largest):
        return plane
    if plane.dtype.kind == "u":  # a table of every raw value is exact, and faster than arithmetic on every pixel
        return _scaled(np.arange(np.iinfo(plane.dtype).max + 1, dtype=np.float64), low, high, dtype)[plane]
    return np.clip(np.rint((plane - low) * largest / (high - low)), 0, largest).astype(dtype)


def _area_average(plane: np.ndarray, factor: int) -> np.ndarray:
    if factor == 1:
        return plane
    # pixels beyond a whole number of blocks are left out: padded with zeros they would darken the edge
    height, width = (size - size % factor for size in plane.shape)
    if not height or not width:
        raise ImageProblem(
            f"{plane.shape[0]} x {plane.shape[1]} pixels, fewer than `image.downsample: {factor}` averages to one"
        )
    return downscale_local_mean(plane[:height, :width], (factor, factor))


def _crop(plane: np.ndarray, size: int | list[int] | None) -> np.ndarray:
    if size is None:
        return plane
    high, wide = height_and_width(size)
    height, width = plane.shape
    if height < high or width < wide:
        raise ImageProblem(
            f"{height} x {width} pixels after downsampling, smaller than the crop of {high} x {wide}; see `image.crop`"
        )
    top, left = (height - high) // 2, (width - wide) // 2
    return plane[top : top + high, left : left + wide]


def _cut(image: np.ndarray, tiles: int) -> np.ndarray:
    """(C, H, W) into (tiles * tiles, C, H / tiles, W / tiles), row by row."""
    channels, height, width = image.shape
    h, w = height // tiles, width // tiles
    if not h or not w:
        raise ImageProblem(f"{height} x {width} pixels, too few for {tiles} x {tiles} tiles; see `image.tiles`")
    top, left = (height - h * tiles) // 2, (width - w * tiles) // 2
    whole = image[:, top : top + h * tiles, left : left + w * tiles]
    return whole.reshape(channels, tiles, h, tiles, w).transpose(1, 3, 0, 2, 4).reshape(-1, channels, h, w)
