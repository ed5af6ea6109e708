"""Raw image files that the metadata lists, a row an image."""

from pathlib import Path, PurePosixPath

import pandas as pd

from debatch.config.images import Source
from debatch.config.read import nearest
from debatch.errors import ConfigError, DataError
from debatch.screen.index import ONE_SITE
from debatch.screen.ingest.source import FoundFiles, RawFile
from debatch.screen.names.wells import plain_number


def listed_files(source: Source, catalogue: pd.DataFrame) -> FoundFiles:
    """The files of some images.

    What is listed and not there, lies outside of the root, is listed twice or has no channel width is `absent`.

    Args:
        source: where the files are, and which columns list them.
        catalogue: the images, as `read_catalogue` gives them; those that the screen does not select are passed over.

    Raises:
        ConfigError: the root is not there.
        DataError: the metadata has no such column.
    """
    root = Path(source.root)
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder; see `source.root` in the screen")
    rows = catalogue[catalogue["selected"]]
    paths = _column(rows, source.files or "", "source.files")
    width = source.channel_width
    widths = [width] * len(rows) if not isinstance(width, str) else _column(rows, width, "source.channel_width")
    sites = rows["site"] if "site" in rows else pd.Series(ONE_SITE, rows.index)
    found, seen = FoundFiles(), set[Path]()
    places = zip(rows["plate"], rows["well"], sites, strict=True)
    for place, told, wide in zip(places, paths, widths, strict=True):
        text = "" if pd.isna(told) else told.strip()
        path, pixels = root / text, _pixels(wide)
        if not text:
            why = f"the metadata's column {source.files!r} is empty"
        elif PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
            why = f"the metadata's column {source.files!r} says {text!r}, which is no path below the root"
        elif path in seen:
            why = "the metadata lists its file for another image too"
        elif pixels == 0:
            why = f"the metadata's column {width!r} says {wide!r}, which is no number of pixels"
        elif not path.is_file():
            why = "the metadata lists it, and no file is there"
        else:
            why = ""
        file = RawFile(path, *place, channel="", channel_width=pixels)
        if why:
            found.absent.append((file, why))
        else:
            seen.add(path)
            found.files.append(file)
    return found


def _pixels(wide: int | str | float | None) -> int | None:
    """A channel's width; 0 where a cell is none."""
    if wide is None or isinstance(wide, int):
        return wide
    text = "" if pd.isna(wide) else plain_number(str(wide).strip())
    return int(text) if text.isdecimal() else 0


def _column(rows: pd.DataFrame, name: str, key: str) -> pd.Series:
    own = next((column for column in (f"source_{name}", name) if column in rows), None)
    if own is None:
        raise DataError(f"{key}: the metadata has no column {name!r}{nearest(name, [str(c) for c in rows])}")
    return rows[own]
