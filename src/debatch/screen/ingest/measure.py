"""What one pass over an image's pixels tells: exact moments, and the quality of each channel."""

from dataclasses import dataclass

import cv2
import numpy as np
from skimage.filters import threshold_otsu

cv2.setNumThreads(1)  # ingestion brings its own threads
# Of a plane's height. Registration, stitching and corrections leave rows of zeros at an edge, a tenth of it at most; a
# copy that broke off anywhere leaves more than this three times out of four.
LEAST_CUT_OFF = 0.25
# Of the values above. Where fewer are not zero, a background was set to zero, and rows without a cell are nothing odd.
# A camera's offset, and the noise that a subtracted background leaves, are not zero in far more.
LEAST_FILLED = 0.1


@dataclass(frozen=True)
class Measures:
    """Of N images and C channels.

    Attributes:
        moments: (N, C, 3) uint64: pixel count, sum, sum of squares, exact.
        saturation: (N, C) share of pixels at the largest value of the dtype.
        focus: (N, C) variance of the Laplacian in squared stored values; 0 in a constant image.
        foreground: (N, C) share of pixels above Otsu's threshold; 0 in a constant image.
    """

    moments: np.ndarray
    saturation: np.ndarray
    focus: np.ndarray
    foreground: np.ndarray


def measure(images: np.ndarray) -> Measures:
    """Measure images.

    Args:
        images: (N, C, H, W) uint8 or uint16.
    """
    shape = images.shape[:2]
    moments = np.empty((*shape, 3), np.uint64)
    saturation, focus, foreground = (np.empty(shape, np.float32) for _ in range(3))
    for at in np.ndindex(shape):
        plane = images[at]
        histogram, values = _histogram(plane)
        counts = histogram.astype(np.uint64)
        moments[at] = counts.sum(), (counts * values).sum(), (counts * values * values).sum()
        saturation[at] = histogram[-1] / plane.size if len(values) == np.iinfo(plane.dtype).max + 1 else 0
        focus[at] = _laplacian_variance(plane)
        occupied = np.flatnonzero(histogram)
        if len(occupied) < 2:
            foreground[at] = 0
        else:
            span = slice(occupied[0], occupied[-1] + 1)
            threshold = threshold_otsu(hist=(histogram[span].astype(np.float64), np.arange(span.start, span.stop)))
            foreground[at] = histogram[int(threshold) + 1 :].sum() / plane.size
    return Measures(moments, saturation, focus, foreground)


def cut_off(plane: np.ndarray) -> float:
    """The share of a raw plane's rows, from the last one up, that are zeros and no image.

    A copy that was cut off may have the whole size of its file, allocated and never written. 0 where too few rows are
    zeros to tell, and in a plane that is zero all over: that is constant.

    Args:
        plane: (H, W), before anything is cropped.
    """
    if plane[-1].any():
        return 0.0
    filled = np.flatnonzero(plane.any(axis=1))
    if not len(filled):
        return 0.0
    above = plane[: filled[-1] + 1]
    share = 1 - len(above) / len(plane)
    return share if share >= LEAST_CUT_OFF and np.count_nonzero(above) >= LEAST_FILLED * above.size else 0.0


def _histogram(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of the values 0, 1, …, and those values; of 16-bit images only up to the largest that is there."""
    if plane.dtype == np.uint8:
        # exact: float32 counts integers to 2**24, and larger images are counted in strips
        strips = np.array_split(plane, -(-plane.size // 2**24))
        counts = np.zeros(256, np.int64)
        for strip in strips:
            counts += cv2.calcHist([strip], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    else:
        counts = np.bincount(plane.ravel())
    return counts, np.arange(len(counts), dtype=np.uint64)


def _laplacian_variance(plane: np.ndarray) -> float:
    # 8-bit differences fit 16 bits; of 16-bit images they need floats
    laplacian = cv2.Laplacian(plane, cv2.CV_16S if plane.dtype == np.uint8 else cv2.CV_32F)
    # sums of squares, not meanStdDev: 20 times faster
    return max(0.0, cv2.norm(laplacian, cv2.NORM_L2SQR) / plane.size - cv2.mean(laplacian)[0] ** 2)
