"""The look of every figure, and how one is written."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debatch.files import Files
from debatch.registry import Registry
from debatch.tabular import write_atomically, write_frame

# matplotlib is imported by what draws: the workflow reads which kinds of figures there are at every start
if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any common colour blindness can tell apart; black is left for text
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FAINT = "#c8ccd0"

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
    words = ["simulated screen"] if registry.screen.simulate else []
    words += [registry.screen.label] if registry.screen.label else []
    return registry.figures[name].title + (f" ({'; '.join(words)})" if words else "")


def category_styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each name; beyond seven, colours come again with another marker."""
    styles = {}
    for at, name in enumerate(names):
        turn, colour = divmod(at, len(COLOURS))
        styles[name] = (COLOURS[colour], MARKERS[turn % len(MARKERS)])
    return styles


def save_figure(figure: Figure, files: Files, name: str, numbers: pd.DataFrame) -> None:
    """Write a figure as SVG and PNG, and the numbers behind it as CSV; the same input gives the same bytes."""
    with look():
        for suffix, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
            save = partial(figure.savefig, format=suffix, dpi=160, metadata=metadata)
            write_atomically(Path(files.figure(name, suffix)), save)
            # laid out once, which of many panels takes longer than to draw them
            figure.set_layout_engine("none")
    write_frame(numbers, files.figure(name, "csv"))


def as_png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    with look():
        figure.savefig(buffer, format="png", dpi=160, metadata={"Software": None})
    return buffer.getvalue()
