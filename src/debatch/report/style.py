"""The look of every figure, and how one is written."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debatch.config.figures import NUMBERS, FigureStyle
from debatch.files import Files
from debatch.registry import Registry
from debatch.report.sizing import apply_style
from debatch.tabular import write_atomically, write_frame

# matplotlib is imported by what draws: the workflow reads which kinds of figures there are at every start
if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any common colour blindness can tell apart; black is left for text
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
# Tol's muted colours, and a dark grey, for more names than those: people with any common colour blindness tell them too
MANY_COLOURS = (
    "#332288", "#88CCEE", "#117733", "#CC6677", "#DDCC77", "#882255", "#44AA99", "#AA4499", "#999933", "#555555",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FAINT = "#c8ccd0"
# what would differ from day to day
_UNDATED: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}

_LOOK: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 100,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "debatch",
    # text that journals' programs can edit
    "pdf.fonttype": 42,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def look() -> AbstractContextManager[None]:
    """Within it matplotlib draws in this look."""
    import matplotlib as mpl

    return mpl.rc_context(_LOOK)


def new_figure(width: float, height: float, **options: Any) -> Figure:
    """A figure of a size in inches, drawn without a display."""
    from matplotlib.figure import Figure

    with look():
        return Figure(figsize=(width, height), layout="constrained", **options)


def figure_title(name: str, registry: Registry) -> str:
    """A figure's heading; of a simulated screen it says so, and a screen's own label."""
    words = ["simulated screen"] if registry.screen.simulated else []
    words += [registry.screen.label] if registry.screen.label else []
    return registry.figures[name].title + (f" ({'; '.join(words)})" if words else "")


def category_styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each name; beyond ten, colours come again with another marker."""
    styles, colours = {}, COLOURS if len(names) <= len(COLOURS) else MANY_COLOURS
    for at, name in enumerate(names):
        turn, colour = divmod(at, len(colours))
        styles[name] = (colours[colour], MARKERS[turn % len(MARKERS)])
    return styles


def save_figure(
    figure: Figure,
    files: Files,
    name: str,
    numbers: pd.DataFrame,
    style: FigureStyle | None = None,
    *,
    simulated: bool = False,
) -> None:
    """Write a figure, and the numbers behind it as CSV; the same input gives the same bytes.

    Args:
        figure: as it was drawn.
        files: of the screen.
        name: of the figure.
        numbers: behind it.
        style: formats, width, font; None: as it was drawn.
        simulated: whether the screen is simulated, which its figures say also without their titles.
    """
    style = style or FigureStyle()
    with look():
        apply_style(figure, style, simulated=simulated)
        # one format after the other, PNG first: each must find the layout that the page shows
        for suffix in sorted(style.formats, key=["png", "svg", "pdf"].index):
            save = partial(figure.savefig, format=suffix, dpi=style.dpi, metadata=_UNDATED[suffix])
            write_atomically(Path(files.figure(name, suffix)), save)
            # laid out once, which of many panels takes longer than to draw them
            figure.set_layout_engine("none")
    write_frame(numbers, files.figure(name, NUMBERS))


def as_svg(figure: Figure) -> bytes:
    """A figure as the bytes of an SVG."""
    buffer = io.BytesIO()
    with look():
        figure.savefig(buffer, format="svg", metadata=_UNDATED["svg"])
    return buffer.getvalue()
