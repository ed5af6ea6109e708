"""Raw image files to grey planes."""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from xml.etree import ElementTree

import imagecodecs
import numpy as np
import tifffile

from debatch.pointers import pointer_problem

Result = TypeVar("Result")
# what a plain TIFF page may be; JPEG in TIFF says YCBCR of grey too, and its pixels are looked at
_PLAIN = (
    tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.PALETTE,
    tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR,
)  # fmt: skip
_AS_GREY = "where grey is expected; save each stain as a grey image of its own"
# of TIFF: tags without which pixels would be taken for others
_MEANING = {256, 257, 258, 259, 262, 266, 270, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339}
GREY = (np.dtype(np.uint8), np.dtype(np.uint16))


class ImageProblem(Exception):  # noqa: N818 (a finding, not a failure)
    """A raw image that cannot be used: which file, and why."""

    def __init__(self, problem: str, path: Path | None = None, channel: str = "") -> None:
        super().__init__(problem)
        self.problem, self.path, self.channel = problem, path, channel


def decode(path: Path) -> np.ndarray:
    """One grey image.

    Returns:
        (H, W) uint8 or uint16.

    Raises:
        ImageProblem: not a PNG or TIFF, broken, in colour, of several planes, or of another bit depth.
    """
    return _checked(_decoded(path, _one_plane), path)


class Planes(NamedTuple):
    """The planes of a file.

    Attributes:
        number: how many.
        names: of each, in order; none where the file does not tell them.
    """

    number: int
    names: tuple[str, ...] = ()


def decode_channels(
    path: Path, channels: Sequence[str], expected: Planes | None = None
) -> tuple[list[np.ndarray], Planes]:
    """The channels of a TIFF that holds them all (OME-TIFF, ImageJ or plain pages).

    Args:
        path: the file.
        channels: which planes: their numbers from 1, as `1` or `#1`, or their names in the OME metadata.
        expected: what the file must hold, used or not, where planes are counted; None: anything.

    Returns:
        (H, W) uint8 or uint16 for each of `channels`, and the planes of the file.

    Raises:
        ImageProblem: as `decode`; another number of planes, or another name of one that is counted, a channel that is
            not there or could be two of them, or a stack over z or time.
    """
    planes, names, told_by_ome = _decoded(path, _all_planes)
    by_number = not names or any(channel.removeprefix("#").isdecimal() for channel in channels)
    if expected is not None and by_number and len(planes) != expected.number:
        hold = "1 plane" if len(planes) == 1 else f"{len(planes)} planes"
        raise ImageProblem(
            f"{hold}; most files hold {expected.number}, and nothing says which one is missing or added", path
        )
    at = [_plane(channel, names, len(planes), path) for channel in channels]
    for channel, position in zip(channels, at, strict=True):
        if expected is not None and channel.isdecimal() and names and told_by_ome and expected.names:
            own, usual = names[position], expected.names[position]
            if own != usual:
                raise ImageProblem(
                    f"plane {channel} is called {own!r}, and {usual!r} in most files: mean planes by their names, or "
                    f"write '#{channel}' if their order is right",
                    path,
                    channel,
                )
    return [_checked(planes[position], path) for position in at], Planes(
        len(planes), tuple(names) if told_by_ome else ()
    )


def decode_side_by_side(
    path: Path, channels: Sequence[str], width: int, expected: Planes | None = None
) -> tuple[list[np.ndarray], Planes]:
    """The channels of a grey image that holds them side by side, from left to right.

    Args:
        path: the file, (H, C * width).
        channels: which of them: their places from 1.
        width: of each, in pixels.
        expected: how many the file must hold, used or not; None: any number.

    Returns:
        (H, width) uint8 or uint16 for each of `channels`, and how many the file holds.

    Raises:
        ImageProblem: as `decode`; a width that is no multiple of a channel's, or another number of channels.
    """
    image = decode(path)
    count, rest = divmod(image.shape[1], width)
    if rest or not count:
        raise ImageProblem(
            f"{image.shape[1]} pixels wide, which is no multiple of the channel width {width}; see "
            "`source.channel_width`",
            path,
        )
    if expected is not None and count != expected.number:
        raise ImageProblem(
            f"{count} channels of {width} pixels side by side; most files hold {expected.number}, and nothing says "
            "which one is missing or added",
            path,
        )
    for channel in channels:
        if int(channel) > count:
            raise ImageProblem(
                f"no channel {channel!r}: the file holds {count} of {width} pixels side by side", path, channel
            )
    places = [(int(channel) - 1) * width for channel in channels]
    return [image[:, left : left + width] for left in places], Planes(count)


def _plane(channel: str, names: list[str], count: int, path: Path) -> int:
    """The position of the plane that a channel means."""
    numbered = channel.removeprefix("#").isdecimal()
    by_number = {int(channel.removeprefix("#")) - 1} & set(range(count)) if numbered else set()
    by_name = {at for at, name in enumerate(names) if name == channel}
    meant = by_number if channel.startswith("#") and numbered else by_number | by_name
    if len(meant) > 1:
        which = " and ".join(str(at + 1) for at in sorted(meant))
        called = ", ".join(map(repr, names))
        raise ImageProblem(
            f"{channel!r} could be planes {which}, which are called {called}: a number counts planes from 1, and a "
            f"name must stand once; write '#{min(meant) + 1}' for a plane by its number",
            path,
            channel,
        )
    if not meant:
        known = f", named {', '.join(names)}" if names else ""
        raise ImageProblem(f"no plane {channel!r}: the file holds {count}{known}", path, channel)
    return meant.pop()


def truncation(path: Path) -> str:
    """Why a file cannot be whole, by its ends alone and without decoding; empty where nothing speaks against it."""
    try:
        size = path.stat().st_size
        if size == 0:
            return "an empty file"
        if pointer := pointer_problem(path):
            return pointer
        if path.suffix.lower() == ".png":
            with path.open("rb") as file:
                file.seek(max(0, size - 12))
                if b"IEND" in file.read():
                    return ""
            try:  # something may stand behind the end
                imagecodecs.png_decode(path.read_bytes())
            except imagecodecs.PngError:
                return "cut off: a PNG without its end"
        if path.suffix.lower() in {".tif", ".tiff"}:
            with tifffile.TiffFile(path, is_ome=False) as file:
                _require_pages(file, path)
                for page in file.pages:
                    _require_whole(page, path)
    except ImageProblem as problem:
        return problem.problem
    except Exception as error:  # decoders raise types of their own
        return f"cannot be opened ({type(error).__name__}: {error})"[:200]
    return ""


def plane_names(path: Path) -> list[str]:
    """What a file with all channels calls them: OME names, else numbers from 1."""
    planes, names, _ = _decoded(path, _all_planes)
    return names if names and len(set(names)) == len(names) else [str(number) for number in range(1, len(planes) + 1)]


def _decoded(path: Path, read: Callable[[Path], Result]) -> Result:
    try:
        return read(path)
    except ImageProblem:
        raise
    except FileNotFoundError:
        raise ImageProblem("the file is gone", path) from None
    except Exception as error:  # decoders raise types of their own
        if pointer := pointer_problem(path):
            raise ImageProblem(pointer, path) from None
        raise ImageProblem(f"cannot be decoded ({type(error).__name__}: {error})"[:200], path) from None


def _one_plane(path: Path) -> np.ndarray:
    suffix = path.suffix.lower()
    if suffix == ".png":
        return imagecodecs.png_decode(path.read_bytes())
    if suffix not in {".tif", ".tiff"}:
        raise ImageProblem("neither a PNG nor a TIFF by its name", path)
    # not as OME: the metadata of one file of a set names the others, and tifffile would read them all
    with tifffile.TiffFile(path, is_ome=False) as file:
        _require_pages(file, path)
        if len(file.pages) > 1:
            raise ImageProblem(
                f"{len(file.pages)} planes in one file where one channel is expected; leave {{channel}} out of "
                "source.pattern to read them as channels",
                path,
            )
        _require_whole(file.pages[0], path)
        return _grey(file.pages[0].asarray(), file.pages[0], path)


class _Read(NamedTuple):
    """All planes of a file.

    Attributes:
        pixels: (C, H, W).
        names: of each; none where the file does not tell them.
        told_by_ome: whether a plane of another file has the same name, as not where ImageJ labels a slice.
    """

    pixels: np.ndarray
    names: list[str]
    told_by_ome: bool


def _all_planes(path: Path) -> _Read:
    if path.suffix.lower() not in {".tif", ".tiff"}:
        raise ImageProblem("not a TIFF by its name; only a TIFF holds several channels (see {channel})", path)
    with tifffile.TiffFile(path, _multifile=False) as file:
        _require_pages(file, path)
        if len(file.series) != 1:
            raise ImageProblem(f"{len(file.series)} images in one file; one site a file is read", path)
        series = file.series[0]
        axes = series.axes
        kept = "".join(axis for axis, size in zip(axes, series.shape, strict=True) if size > 1 or axis in "YX")
        stacked = sorted(set(kept) & set("ZT"))
        if stacked:
            size = series.shape[axes.index(stacked[0])]
            what = "z planes" if stacked[0] == "Z" else "time points"
            raise ImageProblem(f"a stack of {size} {what}; project or choose one before ingestion", path)
        if "S" in kept:
            raise ImageProblem(f"colour samples (RGB) {_AS_GREY}", path)
        if len(kept) not in {2, 3} or kept[-2:] != "YX":
            raise ImageProblem(f"axes {axes} of sizes {series.shape}; (channel, y, x) is read", path)
        for page in series.pages:
            _require_whole(page, path)
        pixels = _grey(series.asarray(), series.keyframe, path)
        told_by_ome = bool(file.is_ome)
        names = _ome_names(file.ome_metadata) if told_by_ome else _imagej_names(file)
    planes = pixels.reshape(-1, *pixels.shape[axes.index("Y") :])
    return _Read(planes, names if len(names) == len(planes) else [], told_by_ome)


def _require_pages(file: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file that lacks a page, or a tag that says what its pixels mean: tifffile goes on without them."""
    tiff, handle = file.tiff, file.filehandle
    first, last = file.pages.first, file.pages[len(file.pages) - 1]
    handle.seek(last.offset)
    count = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))[0]
    handle.seek(last.offset + tiff.tagnosize + count * tiff.tagsize)
    if any(handle.read(tiff.offsetsize)):
        raise ImageProblem("cut off or broken: it names a page that is not there", path)
    handle.seek(first.offset)
    count = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))[0]
    tags = handle.read(count * tiff.tagsize)
    codes = {struct.unpack_from(f"{tiff.byteorder}H", tags, at)[0] for at in range(0, len(tags), tiff.tagsize)}
    if lost := sorted(codes & _MEANING - set(first.tags.keys())):
        name = tifffile.TIFF.TAGS.get(lost[0], lost[0])
        raise ImageProblem(f"cut off or broken: its {name} cannot be read", path)


def _require_whole(page: Any, path: Path) -> None:
    """Refuse a page that lacks strips or tiles: tifffile, or a decoder, would fill them in silence."""
    if page is None or 0 in page.databytecounts:
        raise ImageProblem("a part of the image is missing from the file", path)
    if not len(page.dataoffsets) == len(page.databytecounts) > 0:
        raise ImageProblem("cut off or broken: where its pixels are is not said", path)
    ends = map(int.__add__, page.dataoffsets, page.databytecounts)
    if max(ends) > path.stat().st_size:
        raise ImageProblem("cut off: its pixels end beyond the file", path)


def _grey(pixels: np.ndarray, page: Any, path: Path) -> np.ndarray:
    """Pixels of which 0 is black, whatever the file means by them."""
    photometric = page.photometric
    if photometric == tifffile.PHOTOMETRIC.MINISWHITE and pixels.dtype in GREY:
        return ((1 << page.bitspersample) - 1 - pixels.astype(np.int64)).astype(pixels.dtype)
    if photometric == tifffile.PHOTOMETRIC.PALETTE and not _is_grey_ramp(page.colormap):
        raise ImageProblem(f"numbers of colours of a palette {_AS_GREY}", path)
    if photometric not in _PLAIN:
        raise ImageProblem(f"pixels of the kind {getattr(photometric, 'name', photometric)} {_AS_GREY}", path)
    return pixels


def _is_grey_ramp(colours: np.ndarray) -> bool:
    """Whether a palette (3, K) shows its k-th number as the k-th of K greys."""
    ramp = np.linspace(0, np.iinfo(np.uint16).max, colours.shape[1])
    # some programs write 255 x 256 for white
    return bool(np.all(np.abs(colours - ramp) <= 256))


def _imagej_names(file: tifffile.TiffFile) -> list[str]:
    labels = (file.imagej_metadata or {}).get("Labels", []) if file.is_imagej else []
    return [str(label) for label in labels] if all(labels) else []


def _ome_names(ome: str | None) -> list[str]:
    if not ome:
        return []
    channels = [node for node in ElementTree.fromstring(ome).iter() if node.tag.endswith("}Channel")]  # noqa: S314
    names = [channel.get("Name") for channel in channels]
    return [name for name in names if name] if all(names) else []


def _as_unsigned(pixels: np.ndarray) -> str:
    """What to do with pixels of another kind."""
    if pixels.dtype.kind == "f":
        return "scale all images of the screen in one way, never each by its own range, and save them as uint16"
    if pixels.size and pixels.min() >= 0 and pixels.max() <= np.iinfo(np.uint16).max:
        return "its values fit 16 bits; save it as uint16"
    return "its values do not fit 16 bits; scale or shift all images of the screen in one way, and save them as uint16"


def _checked(pixels: np.ndarray, path: Path) -> np.ndarray:
    pixels = np.squeeze(pixels) if pixels.ndim > 2 else pixels
    if pixels.ndim == 3 and pixels.shape[-1] in {3, 4}:
        raise ImageProblem(f"in colour ({pixels.shape[-1]} values a pixel) {_AS_GREY}", path)
    if pixels.ndim == 3 and pixels.shape[-1] == 2:
        raise ImageProblem("grey beside an alpha channel, where grey alone is expected; save it without alpha", path)
    if pixels.ndim != 2:
        raise ImageProblem(f"not a single grey plane but of shape {pixels.shape}", path)
    if pixels.dtype not in GREY:
        raise ImageProblem(f"{pixels.dtype} pixels; 8 or 16 bits, unsigned, are read: {_as_unsigned(pixels)}", path)
    return pixels
