"""One raw image to stored ones: decode, area-average, rescale to 8 bits, crop the centre, cut tiles.

Source: RxRx1 paper, section 2.2.
"""

from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from skimage.transform import downscale_local_mean

from debatch.config.screen import ImageProcessing
from debatch.errors import ConfigError


class ImageProblem(Exception):  # noqa: N818 (a finding, not a failure)
    """A raw image that cannot be used: which file, and why."""

    def __init__(self, problem: str, path: Path | None = None, channel: str = "") -> None:
        super().__init__(problem)
        self.problem, self.path, self.channel = problem, path, channel


@dataclass(frozen=True)
class Processed:
    """A field's stored images.

    Attributes:
        tiles: (T, C, H, W) uint8, row by row over the field.
        clipped: (C,) number of values above the stated range, that became 255.
    """

    tiles: np.ndarray
    clipped: np.ndarray


def decode(path: Path) -> np.ndarray:
    """One grey image.

    Returns:
        (H, W) uint8 or uint16.

    Raises:
        ImageProblem: not a PNG or TIFF, broken, in colour, or of another bit depth.
    """
    try:
        if path.suffix.lower() == ".png":
            pixels = imagecodecs.png_decode(path.read_bytes())
        elif path.suffix.lower() in {".tif", ".tiff"}:
            pixels = tifffile.imread(path)
        else:
            raise ImageProblem("neither a PNG nor a TIFF by its name", path)
    except ImageProblem:
        raise
    except FileNotFoundError:
        raise ImageProblem("the file is gone", path) from None
    except Exception as error:  # decoders raise types of their own
        raise ImageProblem(f"cannot be decoded ({type(error).__name__}: {error})"[:200], path) from None
    pixels = np.squeeze(pixels)
    if pixels.ndim != 2:
        raise ImageProblem(f"not a single grey plane but of shape {pixels.shape}", path)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageProblem(f"{pixels.dtype} pixels; 8 or 16 bits, unsigned, are read", path)
    return pixels


def stored_ranges(config: ImageProcessing, channels: list[str]) -> np.ndarray | None:
    """The raw values that become 0 and 255 for each channel.

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


def process(planes: list[np.ndarray], config: ImageProcessing, ranges: np.ndarray | None) -> Processed:
    """Raw planes of one field to its stored images.

    Args:
        planes: C arrays (H, W) of one shape and dtype.
        config: what to do.
        ranges: (C, 2), as `stored_ranges` gives them.

    Raises:
        ConfigError: 16-bit planes without a stated range.
        ImageProblem: the image is smaller than the crop.
    """
    if ranges is None and planes[0].dtype == np.uint16:
        raise ConfigError(
            "image.range: the images have 16 bits; state `image: {range: [low, high]}`, the raw values that become 0 "
            "and 255, one range for the whole screen"
        )
    clipped = np.zeros(len(planes), dtype=np.int64)
    stored = []
    for channel, plane in enumerate(planes):
        averaged = _area_average(plane, config.downsample)
        if ranges is not None:
            low, high = ranges[channel]
            clipped[channel] = np.count_nonzero(averaged > high)
            averaged = (averaged.astype(np.float32) - low) * (255.0 / (high - low))
        if averaged.dtype != np.uint8:
            averaged = np.clip(np.rint(averaged), 0, 255).astype(np.uint8)
        stored.append(_crop(averaged, config.crop))
    return Processed(_cut(np.stack(stored), config.tiles), clipped)


def moments(images: np.ndarray) -> np.ndarray:
    """Exact moments of each image and channel.

    Args:
        images: (N, C, H, W) uint8 or uint16.

    Returns:
        (N, C, 3) uint64: pixel count, sum, sum of squares.
    """
    flat = images.reshape(*images.shape[:2], -1)
    total = flat.sum(axis=2, dtype=np.uint64)
    # a channel at a time: the widened copy stays small
    squares = np.stack(
        [np.square(flat[:, c], dtype=np.uint32).sum(axis=1, dtype=np.uint64) for c in range(flat.shape[1])],
        axis=1,
    )
    return np.stack([np.full_like(total, flat.shape[2]), total, squares], axis=2)


def _area_average(plane: np.ndarray, factor: int) -> np.ndarray:
    if factor == 1:
        return plane
    # pixels beyond a whole number of blocks are left out: padded with zeros they would darken the edge
    height, width = (size - size % factor for size in plane.shape)
    return downscale_local_mean(plane[:height, :width], (factor, factor))


def _crop(plane: np.ndarray, side: int | None) -> np.ndarray:
    if side is None:
        return plane
    height, width = plane.shape
    if height < side or width < side:
        raise ImageProblem(f"{height} x {width} pixels after downsampling, smaller than the crop of {side}")
    top, left = (height - side) // 2, (width - side) // 2
    return plane[top : top + side, left : left + side]


def _cut(image: np.ndarray, tiles: int) -> np.ndarray:
    """(C, H, W) into (tiles * tiles, C, H / tiles, W / tiles), row by row."""
    channels, height, width = image.shape
    h, w = height // tiles, width // tiles
    top, left = (height - h * tiles) // 2, (width - w * tiles) // 2
    whole = image[:, top : top + h * tiles, left : left + w * tiles]
    return whole.reshape(channels, tiles, h, tiles, w).transpose(1, 3, 0, 2, 4).reshape(-1, channels, h, w)
