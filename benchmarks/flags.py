"""How often an image is flagged for focus by luck alone, by how many images its experiment has.

Logs of normal values, flagged as `debatch.screen.flags` does: 5 robust sds below the median. It says from how many
images on that is rare; below `FEWEST_IMAGES` none is flagged.

Usage: python benchmarks/flags.py     (some seconds)
"""

import json

import numpy as np
from common import about

from debatch.config.screen import QcLimits
from debatch.screen.flags import FEWEST_IMAGES, MAD_TO_SD

SIZES, IMAGES = (4, 10, FEWEST_IMAGES, 100), 8_000_000


def main() -> None:
    """Print one image in how many is flagged, by size."""
    generator = np.random.default_rng(0)
    one_in = {}
    for size in SIZES:
        values = generator.standard_normal((IMAGES // size, size))
        below = np.median(values, axis=1, keepdims=True) - values
        spread = MAD_TO_SD * np.median(np.abs(below), axis=1, keepdims=True)
        one_in[size] = round(values.size / int((below > QcLimits().outlier_sds * spread).sum()))
    print(json.dumps({**about("flags", 1), "one_image_in": one_in}, indent=2))


if __name__ == "__main__":
    main()
