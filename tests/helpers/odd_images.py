"""Small image files of every kind that a microscope, or a person, may leave in a folder."""

import io

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

RAMP = np.linspace(0, 65535, 256).astype(np.uint16)
# of TIFF: options of its writer
TIFFS = {
    "plain": {},
    "zlib": {"compression": "zlib", "rowsperstrip": 3},
    "lzw": {"compression": "lzw", "rowsperstrip": 3},
    "packbits": {"compression": "packbits", "rowsperstrip": 3},
    "predictor": {"compression": "zlib", "predictor": True},
    "jpeg": {"compression": "jpeg"},
    "jpeg2000": {"compression": "jpeg2000"},
    "tiled": {"tile": (16, 16)},
    "tiled_zlib": {"tile": (16, 16), "compression": "zlib"},
    "white_is_zero": {"photometric": "miniswhite"},
}


def pixels(shape=(20, 20), dtype="uint8", seed=0):
    top = {"uint8": 255, "uint16": 4095, "int16": 300, "float32": 2, "uint32": 70000, "bool": 2}[dtype]
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def png(values, kind="grey"):
    """Bytes of a PNG."""
    if kind == "grey":
        return imagecodecs.png_encode(values)
    if kind == "colour":
        return imagecodecs.png_encode(np.stack([values] * 3, axis=-1))
    if kind == "alpha":
        return imagecodecs.png_encode(np.stack([values] * 2, axis=-1))
    image = Image.fromarray(values.astype(np.uint8))
    out = io.BytesIO()
    image.convert({"palette": "P", "one_bit": "1"}[kind]).save(out, "png")
    return out.getvalue()


def tiff(values, **options):
    """Bytes of a TIFF; `pages` is how many it holds."""
    out = io.BytesIO()
    pages = options.pop("pages", 1)
    big = options.pop("bigtiff", False)
    with tifffile.TiffWriter(out, bigtiff=big) as writer:
        for _ in range(pages):
            writer.write(values, metadata=None, **{"photometric": "minisblack", **options})
    return out.getvalue()


def palette(values, ramp=True):
    """Bytes of a TIFF whose palette shows greys, or colours."""
    colours = np.stack([RAMP, RAMP, RAMP if ramp else RAMP[::-1]])
    return tiff(values, photometric="palette", colormap=colours)


def ome(values, names=None, axes="CYX"):
    """Bytes of an OME-TIFF (C, H, W)."""
    out = io.BytesIO()
    metadata = {"axes": axes, **({"Channel": {"Name": names}} if names else {})}
    with tifffile.TiffWriter(out, ome=True) as writer:
        writer.write(values, photometric="minisblack", metadata=metadata)
    return out.getvalue()
