"""Plates as OME-Zarr, which napari, OMERO and others open."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from matplotlib.colors import to_hex
from ome_zarr.writer import write_image, write_plate_metadata, write_well_metadata

from debatch.errors import DataError
from debatch.report.qc import channel_colours
from debatch.screen.access import OpenScreen
from debatch.screen.metadata import natural_key
from debatch.screen.names.wells import row_and_column, row_letters

SMALLEST_SIDE = 64


def part_of_plate(index: pd.DataFrame, chosen: str) -> str:
    """The part of the screen that an experiment, or a plate of it, is in.

    Args:
        index: the screen's images.
        chosen: `experiment`, or `experiment_plate`.
    """
    firsts = index.drop_duplicates("experiment").set_index("experiment")["part"]
    named = [name for name in firsts.index if chosen == name or chosen.startswith(f"{name}_")]
    return str(firsts[max(named, key=len)] if named else firsts.iloc[0])


def write_plates(screen: OpenScreen, chosen: str, folder: Path, shape: tuple[int, int]) -> pd.DataFrame:
    """Write one plate, or all plates of an experiment, as OME-Zarr 0.5 (zarr v3).

    Args:
        screen: index and images of the part that it is in.
        chosen: `experiment`, or `experiment_plate`.
        folder: where `<plate>.ome.zarr` are made; what was in it goes.
        shape: rows and columns of the physical plate, all of which OME-NGFF lists: viewers place wells by them.

    Returns:
        A row a plate: plate, wells, images, path.

    Raises:
        DataError: there is no such plate.
    """
    index = screen.index
    names = index["experiment"] + "_" + index["plate"]
    rows = index[(index["experiment"] == chosen) | (names == chosen)]
    if rows.empty:
        known = sorted(names.unique(), key=natural_key)
        raise DataError(f"no plate {chosen!r} to write as OME-Zarr; there is {', '.join(known[:8])}, …")
    shutil.rmtree(folder, ignore_errors=True)
    limits = _display_limits(screen, rows.index.to_numpy())
    written = []
    for plate, images in rows.groupby("plate", sort=False):
        path = folder / f"{plate}.ome.zarr"
        _write_plate(screen, images, str(plate), path, shape, limits)
        wells = images["well"].nunique()
        written.append({"plate": plate, "wells": wells, "images": len(images), "path": path.name})
    return pd.DataFrame(written)


def _write_plate(
    screen: OpenScreen, images: pd.DataFrame, plate: str, path: Path, shape: tuple[int, int], limits: np.ndarray
) -> None:
    places = {well: row_and_column(well) for well in images["well"].unique()}
    rows = [row_letters(row) for row in range(1, shape[0] + 1)]
    columns = [str(column) for column in range(1, shape[1] + 1)]
    group = zarr.open_group(path, mode="w", zarr_format=3)
    paths = {well: f"{row_letters(row)}/{column}" for well, (row, column) in places.items()}
    most = int(images.groupby("well")["site"].count().max())
    write_plate_metadata(group, rows, columns, list(paths.values()), name=plate, field_count=most)
    side = max(screen.images.shape[2:])
    factors = [2**level for level in range(1, 6) if side / 2**level >= SMALLEST_SIDE]
    for well, fields in images.groupby("well", sort=False):
        of_well = group.require_group(paths[str(well)])
        write_well_metadata(of_well, [str(site) for site in fields["site"]])
        for position, site in zip(fields.index, fields["site"], strict=True):
            write_image(
                screen.images[position].compute(scheduler="sync"),
                of_well.require_group(str(site)),
                scale_factors=factors,
                axes=["c", "y", "x"],
                name=f"{well} site {site}",
                omero=_omero(screen, limits),
            )


def _display_limits(screen: OpenScreen, positions: np.ndarray) -> np.ndarray:
    """(C, 2) 1st and 99.7th percentile of up to 16 of the images: one display range for all of them."""
    some = positions[np.unique(np.linspace(0, len(positions) - 1, 16).astype(int))]
    sampled = screen.images[some].compute(scheduler="sync")
    return np.quantile(sampled.swapaxes(0, 1).reshape(len(screen.channels), -1), [0.01, 0.997], axis=1).T


def _omero(screen: OpenScreen, limits: np.ndarray) -> dict[str, Any]:
    """Names, colours and display ranges, as viewers read them."""
    largest = int(np.iinfo(screen.images.dtype).max)
    return {
        "channels": [
            {
                "label": name,
                "color": to_hex(colour)[1:].upper(),
                "active": True,
                "window": {"min": 0, "max": largest, "start": float(low), "end": float(max(high, low + 1))},
            }
            for name, colour, (low, high) in zip(
                screen.channels, channel_colours(len(screen.channels)), limits, strict=True
            )
        ]
    }
