"""A drawn figure at another width and in another font, as a journal asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from debatch.config.figures import FigureStyle
from debatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.artist import Artist
    from matplotlib.figure import Figure, SubFigure

# comes with matplotlib, for letters that a font lacks
FALLBACK_FONT = "DejaVu Sans"
# in points; journals print nothing smaller
SMALLEST_TEXT = 5.0
_THINNEST_LINE = 0.25
_MM_PER_INCH = 25.4
# as matplotlib draws it, in points
_TICK_LENGTH = 3.5


def apply_style(figure: Figure, style: FigureStyle, *, simulated: bool) -> None:
    """Give a figure its width, font and title before it is laid out.

    Args:
        figure: as it was drawn.
        style: what the screen asks for.
        simulated: whether it is of a simulated screen, whose figures say so with or without a title.

    Raises:
        ConfigError: the font is not installed.
    """
    _check_font(style.font)
    if not style.titles:
        _take_title(figure, simulated)
    if style.width_mm is not None:
        _resize(figure, style.width_mm / _MM_PER_INCH)
    for text in _texts(figure):
        text.set_fontfamily(list(dict.fromkeys([style.font, FALLBACK_FONT])))


def _check_font(font: str) -> None:
    from matplotlib import font_manager

    try:
        font_manager.findfont(font, fallback_to_default=False)
    except ValueError:
        some = ", ".join(sorted({entry.name for entry in font_manager.fontManager.ttflist})[:8])
        raise ConfigError(
            f"`figures.font`: no font {font!r} is installed here; install it, or name one that is, as {some}"
        ) from None


def _take_title(figure: Figure | SubFigure, simulated: bool) -> None:
    if figure.get_suptitle():
        figure.suptitle("simulated" if simulated else "")
    for part in figure.subfigs:
        _take_title(part, simulated=False)


def _resize(figure: Figure, width: float) -> None:
    """Scale a figure to a width in inches. Where it shrinks so do lines, markers and text; text ends at 5 points."""
    own_width, height = figure.get_size_inches()
    scale = width / own_width
    figure.set_size_inches(width, height * scale)
    ink = min(1.0, scale)
    for artist in _drawn(figure):
        _scale(artist, ink)


def _scale(artist: Any, ink: float) -> None:
    from matplotlib.axis import Axis
    from matplotlib.collections import Collection, PathCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.table import Table
    from matplotlib.text import Annotation, Text

    if isinstance(artist, Text):
        artist.set_fontsize(max(SMALLEST_TEXT, float(artist.get_fontsize()) * ink))
        if isinstance(artist, Annotation) and artist.anncoords == "offset points":
            x, y = artist.xyann
            artist.xyann = (x * ink, y * ink)
    elif isinstance(artist, Line2D):
        artist.set_linewidth(max(_THINNEST_LINE, artist.get_linewidth() * ink) if artist.get_linewidth() else 0)
        artist.set_markersize(artist.get_markersize() * ink)
        artist.set_markeredgewidth(artist.get_markeredgewidth() * ink)
    elif isinstance(artist, Axis):
        for which in ("major", "minor"):
            length = float(artist.get_tick_params(which=which).get("length", _TICK_LENGTH)) * ink
            artist.set_tick_params(which=which, labelsize=_label_size(artist, ink), length=length)
    elif isinstance(artist, PathCollection):
        artist.set_sizes(artist.get_sizes() * ink**2)
        artist.set_linewidth([value * ink for value in np.atleast_1d(artist.get_linewidth())])
    elif isinstance(artist, Collection):
        artist.set_linewidth([value * ink for value in np.atleast_1d(artist.get_linewidth())])
    elif isinstance(artist, Table):
        for cell in artist.get_celld().values():
            cell.set_fontsize(max(SMALLEST_TEXT, cell.get_fontsize() * ink))
    elif isinstance(artist, Patch):
        artist.set_linewidth(artist.get_linewidth() * ink)


def _label_size(axis: Any, ink: float) -> float:
    """Of tick labels that matplotlib may still make: as those that there are."""
    ticks = axis.get_major_ticks()
    own = ticks[0].label1.get_fontsize() if ticks else 9.0
    return max(SMALLEST_TEXT, own * ink)


def _drawn(figure: Figure) -> list[Artist]:
    """Everything that ink is in, but for the ticks, which belong to their axis."""
    from matplotlib.axis import Axis, Tick

    found: list[Artist] = []

    def walk(artist: Artist) -> None:
        for child in artist.get_children():
            if isinstance(child, Tick):
                continue
            found.append(child)
            walk(child)

    walk(figure)
    # an axis first: a label of it may be scaled after its ticks, and each only once
    return sorted(dict.fromkeys(found), key=lambda artist: not isinstance(artist, Axis))


def _texts(figure: Figure) -> Iterator[Any]:
    """All text; that of the cells of a table is not among its children."""
    from matplotlib.table import Table
    from matplotlib.text import Text

    yield from figure.findobj(Text)
    for table in figure.findobj(Table):
        yield from (cell.get_text() for cell in table.get_celld().values())
