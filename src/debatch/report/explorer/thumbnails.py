"""Small pictures of a screen's images: of each plate a sheet or more, of each image all channels side by side.

A browser cannot look into the pixels of a picture that it loads from a disk. It can colour and add whole ones, so that
channels are grey pictures of their own.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from debatch.report.explorer.packed import pack_codes, write_script
from debatch.report.qc import display_limits
from debatch.screen.metadata import natural_key
from debatch.screen.store import ImageReader
from debatch.tabular import write_atomically

# browsers take pictures of 16 megapixels everywhere, also on a phone
SHEET_PIXELS = 4096
SAMPLED_IMAGES, SAMPLED_PIXELS = 32, 256
QUALITY = 40
IMAGES_AT_ONCE = 32


@dataclass(frozen=True)
class Layout:
    """How an image's channels, and the images of a sheet, are laid out.

    Attributes:
        width: of one channel of one image, in pixels.
        height: likewise.
        across: channels beside each other.
        down: rows of channels.
    """

    width: int
    height: int
    across: int
    down: int

    @classmethod
    def of(cls, shape: tuple[int, ...], size: int) -> "Layout":
        """Of images (C, H, W) whose longer side becomes `size`; a smaller image stays as it is."""
        channels, height, width = shape
        scale = min(1.0, size / max(height, width))
        wide, high = max(1, round(width * scale)), max(1, round(height * scale))
        across = min(channels, max(1, SHEET_PIXELS // wide))
        return cls(wide, high, across, -(-channels // across))

    @property
    def columns(self) -> int:
        """Images beside each other on a sheet."""
        return max(1, SHEET_PIXELS // (self.across * self.width))

    @property
    def images(self) -> int:
        """Images on a sheet."""
        return self.columns * max(1, SHEET_PIXELS // (self.down * self.height))


def write_thumbnails(index: pd.DataFrame, experiment: str, reader: ImageReader, size: int, path: Path) -> int:
    """Write an experiment's sheets, and the script that says what is where.

    All images of the experiment's part have one display range a channel: a range per plate would hide the batch effect.

    Args:
        index: of the whole screen.
        experiment: whose images are drawn.
        reader: of the part's stores.
        size: longer side, in pixels.
        path: of the script; sheets lie in the folder beside it.

    Returns:
        How many images were drawn.
    """
    part = index.loc[index["experiment"] == experiment, "part"].iloc[0]
    of_part = index[index["part"] == part]
    limits = _part_limits(of_part, reader)
    folder = path.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    rows = of_part[of_part["experiment"] == experiment]
    layout = Layout.of(reader.layout(rows["experiment"].to_numpy())[0], size)
    sheets = []
    for number, own in enumerate(_sheets(rows, layout)):
        columns = min(layout.columns, len(own))
        sheet = _draw(own, reader, limits, layout, columns)
        file = folder / f"{number + 1}.webp"
        write_atomically(file, partial(sheet.save, format="WEBP", quality=QUALITY, method=4))
        where = f"images/{folder.name}/{file.name}"
        sheets.append({"file": where, "columns": columns, "rows": pack_codes(own.index.to_numpy())})
    value = {
        "channels": reader.channels(rows["experiment"].to_numpy()),
        "width": layout.width,
        "height": layout.height,
        "across": layout.across,
        "down": layout.down,
        "sheets": sheets,
    }
    write_script(f"images/{path.name}", value, path)
    return len(rows)


def _part_limits(images: pd.DataFrame, reader: ImageReader) -> np.ndarray:
    """(C, 2) values that are drawn black and white, from some images of all experiments."""
    some = images.iloc[np.unique(np.linspace(0, len(images) - 1, SAMPLED_IMAGES).astype(int))]
    sampled = reader.read(some)
    step = max(1, max(sampled.shape[2:]) // SAMPLED_PIXELS)
    return display_limits(list(sampled[:, :, ::step, ::step]))


def _sheets(rows: pd.DataFrame, layout: Layout) -> Iterator[pd.DataFrame]:
    """The images of each sheet, no plate beside another one."""
    for _, plate in sorted(rows.groupby("plate", sort=False), key=lambda named: natural_key(str(named[0]))):
        for start in range(0, len(plate), layout.images):
            yield plate.iloc[start : start + layout.images]


def _draw(rows: pd.DataFrame, reader: ImageReader, limits: np.ndarray, layout: Layout, columns: int) -> Image.Image:
    down = -(-len(rows) // columns)
    cell_height, cell_width = layout.down * layout.height, layout.across * layout.width
    sheet = np.zeros((down * cell_height, columns * cell_width), np.uint8)
    low, span = limits[:, 0], np.maximum(limits[:, 1] - limits[:, 0], 1)
    for start in range(0, len(rows), IMAGES_AT_ONCE):
        for at, image in enumerate(reader.read(rows.iloc[start : start + IMAGES_AT_ONCE]), start):
            row, column = divmod(at, columns)
            for channel, pixels in enumerate(image):
                small = cv2.resize(pixels, (layout.width, layout.height), interpolation=cv2.INTER_AREA)
                shares = (small.astype(np.float32) - low[channel]) / span[channel]
                top = row * cell_height + channel // layout.across * layout.height
                left = column * cell_width + channel % layout.across * layout.width
                sheet[top : top + layout.height, left : left + layout.width] = np.rint(255 * shares.clip(0, 1))
    return Image.fromarray(sheet)
