"""The microscope of a simulated experiment: from ideal fields of cells to what its camera counts."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from debatch.screen.simulate.effects import BatchEffect

HAZE_PX = 5.0
# Camera counts that are 12 bits deep, in a 16-bit file. RANGE is the `image.range` that maps a whole
# simulated screen to 8 bits; less than 1 % of the pixels lie above it at the default settings.
RANGE = (0, 4080)
COUNTS = 3200.0
SIGNAL_SCALE = np.float32(0.55)


def _blur_matrix(sigma: float, side: int, pixels: int) -> np.ndarray:
    """(pixels, side) matrix that blurs a line of the padded field and keeps the part in view."""
    lines = np.eye(side, dtype=np.float32)
    blurred = gaussian_filter1d(lines, sigma, axis=0, mode="nearest") if sigma > 0 else lines
    start = (side - pixels) // 2
    return blurred[start : start + pixels]


def _illumination(coefficients: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(C, H, W) factor of two tilts and a vignette (C, 3); never dark."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in size), indexing="ij")
    shapes = np.stack([y, x, 2 / 3 - (y * y + x * x)])
    return np.maximum(1 + np.tensordot(coefficients, shapes, axes=1), 0.1).astype(np.float32)


def photograph(fields: np.ndarray, batch: BatchEffect, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """What the experiment's microscope makes of fields (N, C, H + margins, W + margins), noise included.

    Returns:
        (N, C, H, W) float32, before gain and offset.
    """
    n, channels, *padded = fields.shape
    mixing = (np.eye(channels) + batch.bleed).astype(np.float32)
    images = np.empty((n, channels, *size), dtype=np.float32)
    lamp = _illumination(batch.illumination, size)
    defocus = [_blur_matrix(HAZE_PX, *sides) for sides in zip(padded, size, strict=True)]
    for c in range(channels):
        light = np.tensordot(fields, mixing[c], axes=(1, 0))
        focus = [_blur_matrix(float(batch.blur[c]), *sides) for sides in zip(padded, size, strict=True)]
        seen = focus[0] @ light @ focus[1].T
        if batch.haze[c] > 0:
            seen += np.float32(batch.haze[c]) * (defocus[0] @ light @ defocus[1].T)
        seen = SIGNAL_SCALE * np.maximum(seen * lamp[c], 0) ** np.float32(batch.gamma[c])
        noise = rng.standard_normal(seen.shape, dtype=np.float32)
        images[:, c] = seen + np.float32(batch.noise[c]) * (0.5 + np.sqrt(seen)) * noise
    return images


def expose(images: np.ndarray, gain: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Camera counts (N, C, H, W) uint16 of images (N, C, H, W), each with its gain and offset (N, C)."""
    signal = gain[..., None, None] * images + offset[..., None, None]
    return np.clip(np.rint(COUNTS * signal), 0, np.iinfo(np.uint16).max).astype(np.uint16)
