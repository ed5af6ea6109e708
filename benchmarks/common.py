"""What the benchmarks of images share: RxRx1-like fields as PNGs, and what a record says of itself."""

import os
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from debatch.runtime.processor import this_processor
from debatch.screen.names.wells import row_letters

CHANNELS, SIDE = 6, 512
PATTERN = "{experiment}/Plate{plate:d}/{well}_s{site:d}_w{channel}.png"
cv2.setNumThreads(1)  # the benchmarks bring their own threads


def about(benchmark: str, threads: int) -> dict[str, str | int]:
    """The first keys of a record."""
    return {
        "benchmark": benchmark,
        "date": date.today().isoformat(),
        "machine": f"{this_processor().words}, {os.cpu_count()} cores",
        "threads": threads,
    }


def fields(count: int) -> tuple[list[np.ndarray], str]:
    """Distinct (6, 512, 512) uint8 fields, and what they are."""
    generator = np.random.default_rng(0)
    base, origin = _real_fields(), "real RxRx1 fields, shifted, turned and flipped"
    if not base:
        base, origin = [_made_up(generator) for _ in range(8)], "made-up fields with pixel noise"
    found = []
    for number in range(count):
        field = np.roll(base[number % len(base)], tuple(generator.integers(0, SIDE, 2)), (1, 2))
        if generator.random() < 0.5:
            field = field[:, ::-1]
        if generator.random() < 0.5:
            field = field.transpose(0, 2, 1)
        found.append(np.ascontiguousarray(field))
    return found, origin


def write_pngs(root: Path, count: int) -> tuple[list[Path], str]:
    """Write fields as PNGs of one experiment, one plate, 384 wells at most with as many sites as it takes.

    Returns:
        The files, channel after channel within a field, and what the fields are.
    """
    import imagecodecs  # here alone: what trains on a rented machine with a GPU does without it

    images, origin = fields(count)
    files = []
    for number, image in enumerate(images):
        site, well = divmod(number, 384)
        name = f"{row_letters(1 + well // 24)}{well % 24 + 1:02d}_s{site + 1}"
        for channel in range(CHANNELS):
            path = root / "E-1" / "Plate1" / f"{name}_w{channel + 1}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(imagecodecs.png_encode(image[channel]))
            files.append(path)
    return files, origin


def decode_png(path: Path) -> np.ndarray:
    """What a user would do otherwise: OpenCV, as fast as any decoder here."""
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def _real_fields() -> list[np.ndarray]:
    root = Path(os.environ.get("DEBATCH_REAL_DATA", "../shared/data")) / "rxrx1_images"
    found = []
    for plate in sorted(root.glob("*/Plate*")):
        files = [plate / f"B02_s1_w{channel}.png" for channel in range(1, CHANNELS + 1)]
        if all(path.exists() for path in files):
            found.append(np.stack([decode_png(path) for path in files]))
    return found


def _made_up(generator: np.random.Generator) -> np.ndarray:
    """Dark and smooth with some noise, as fluorescence is."""
    smooth = gaussian_filter(generator.random((CHANNELS, SIDE, SIDE)), (0, 6, 6))
    scaled = (smooth - smooth.min()) / np.ptp(smooth) * 60 + generator.normal(0, 2, smooth.shape)
    return scaled.clip(0, 255).astype(np.uint8)
