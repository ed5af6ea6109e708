"""The picture before any training: the same perturbations in several batches, so that a person sees the effect."""

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from debatch.report.style import look, new_figure
from debatch.screen.metadata import natural_key
from debatch.screen.nouns import Noun, noun_of_rows

MOST_ROWS, MOST_COLUMNS = 5, 5
SHOWN_PIXELS = 256
RANGE_NOTE = "One display range per channel for the whole grid (1st to 99.7th percentile of the images shown)"
# of a cell of the grid, height by width
FLATTEST_AND_TALLEST = (0.4, 2.5)
# as in the RxRx1 paper's Figure 2
SIX_COLOURS = ("#4060ff", "#00c000", "#ff3030", "#00c8c8", "#e040e0", "#d8d800")


def draw_qc(
    index: pd.DataFrame, read_image: Callable[[pd.Series], np.ndarray], channels: dict[str, list[str]], title: str
) -> tuple[Figure, pd.DataFrame]:
    """A false-colour grid, perturbation by batch, as in the RxRx1 paper's Figure 3; wells where nothing has a label.

    Of a screen in parts, a grid each. Every channel has one display range for a whole grid: a range per image would
    hide the batch effect. A channel has one colour in all of them.

    Args:
        index: the screen's images.
        read_image: gives the stored image (C, H, W) of an index row.
        channels: part -> C names.
        title: of the screen.

    Returns:
        The figure, and a row a shown image: image_id, perturbation, batch, and mean and sd of each channel; the part
        before them, where there are several.
    """
    grids = {part: _choose(index[index["part"] == part], read_image) for part in channels}
    names = list(dict.fromkeys(name for own in channels.values() for name in own))
    colours = dict(zip(names, channel_colours(len(names)), strict=True))
    sizes = [grid.inches for grid in grids.values()]
    with look():
        heading = 0.0 if len(grids) == 1 else 0.3
        figure = new_figure(max(width for width, _ in sizes), sum(height for _, height in sizes) + heading)
        if len(grids) == 1:
            ((part, grid),) = grids.items()
            _draw_grid(figure, grid, {name: colours[name] for name in channels[part]}, f"{title}\n{grid.heading}")
        else:
            figure.suptitle(title, fontsize=11)
            frames = figure.subfigures(len(grids), 1, squeeze=False, height_ratios=[height for _, height in sizes])
            for frame, (part, grid) in zip(frames[:, 0], grids.items(), strict=True):
                _draw_grid(frame, grid, {name: colours[name] for name in channels[part]}, f"{part}: {grid.heading}")
    numbers = {part: _numbers(grid, channels[part]) for part, grid in grids.items()}
    if len(numbers) == 1:
        return figure, next(iter(numbers.values()))
    return figure, pd.concat(numbers, names=["part"]).reset_index("part").reset_index(drop=True)


@dataclass(frozen=True)
class _Grid:
    """The images of one part that are shown.

    Attributes:
        rows: each row's perturbation (or well), and its batches.
        chosen: by perturbation and batch, the index row; None where there is none.
        shown: their pixels (C, H, W).
        heading: what the rows and columns are.
        noun: what the shown images are.
    """

    rows: list[tuple[str, list[str]]]
    chosen: dict[tuple[str, str], pd.Series | None]
    shown: dict[tuple[str, str], np.ndarray]
    heading: str
    noun: Noun

    @property
    def columns(self) -> int:
        """Of the widest row."""
        return max(len(batches) for _, batches in self.rows)

    @property
    def inches(self) -> tuple[float, float]:
        """Width and height of the drawing."""
        height, width = next(iter(self.shown.values())).shape[1:]
        tall = float(np.clip(height / width, *FLATTEST_AND_TALLEST))
        return max(1.55 * self.columns + 0.9, 5.5), 1.5 * tall * len(self.rows) + 1.3


def _choose(index: pd.DataFrame, read_image: Callable[[pd.Series], np.ndarray]) -> _Grid:
    labelled = bool(index["label"].notna().any())
    rows, kind = _layout(index) if labelled else _layout_of_wells(index)
    by = "perturbation" if labelled else "well"
    chosen = {(name, batch): _first_image(index, by, name, batch) for name, batches in rows for batch in batches}
    shown = {place: read_image(row) for place, row in chosen.items() if row is not None}
    return _Grid(rows, chosen, shown, f"{by}s (rows) in batches (columns){kind}", noun_of_rows(index))


def _draw_grid(figure: Figure | SubFigure, grid: _Grid, colours: dict[str, str], title: str) -> None:
    """Draw one part's images.

    Args:
        figure: to draw into.
        grid: the images.
        colours: of each channel, in stored order.
        title: above it.
    """
    limits = display_limits(list(grid.shown.values()))
    same_batches = all(batches == grid.rows[0][1] for _, batches in grid.rows)
    axes = figure.subplots(len(grid.rows), grid.columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for number, (perturbation, batches) in enumerate(grid.rows):
        axes[number, 0].set_ylabel(perturbation, fontsize=9)
        for axis, batch in zip(axes[number], batches, strict=False):
            image = grid.shown.get((perturbation, batch))
            if image is not None:
                axis.imshow(false_colour(image, limits, list(colours.values())), interpolation="nearest")
            else:
                axis.text(
                    0.5, 0.5, f"no {grid.noun.one}", ha="center", va="center", transform=axis.transAxes, color="0.4"
                )
            if number == 0 or not same_batches:
                axis.set_title(batch, fontsize=8)
    figure.suptitle(title, fontsize=10)
    # the note is the legend's title, so that the layout keeps room for it
    figure.legend(
        handles=[Patch(facecolor=colour, edgecolor="0.4", label=name) for name, colour in colours.items()],
        loc="outside lower center",
        ncols=min(len(colours), 6),
        fontsize=8,
        title=grid.noun.said(RANGE_NOTE),
        title_fontsize=7,
    )


def channel_colours(channels: int) -> list[str]:
    """A display colour for each channel."""
    if channels == 1:
        return ["#ffffff"]
    if channels <= len(SIX_COLOURS):
        return list(SIX_COLOURS[:channels])
    hues = np.linspace(0, 1, channels, endpoint=False)
    return [mpl.colors.to_hex(tuple(mpl.colors.hsv_to_rgb((hue, 0.8, 1.0)))) for hue in hues]


def false_colour(image: np.ndarray, limits: np.ndarray, colours: list[str]) -> np.ndarray:
    """An additive false-colour picture.

    Args:
        image: (C, H, W) stored values.
        limits: (C, 2) values that are drawn black and full.
        colours: C colours.

    Returns:
        (h, w, 3) in [0, 1], at most 256 pixels a side.
    """
    step = max(1, -(-max(image.shape[1:]) // SHOWN_PIXELS))
    values = image[:, ::step, ::step].astype(np.float64)
    span = np.maximum(limits[:, 1] - limits[:, 0], 1)
    share = np.clip((values - limits[:, 0, None, None]) / span[:, None, None], 0, 1)
    weights = np.array([mpl.colors.to_rgb(colour) for colour in colours])
    # a pixel that is full in several channels still has a colour: they are averaged a little, not only summed
    return np.clip(np.einsum("chw,ck->hwk", share, weights) / max(1.0, len(colours) / 3), 0, 1)


def _layout(index: pd.DataFrame) -> tuple[list[tuple[str, list[str]]], str]:
    """Each row's perturbation and batches, and what the title says of the cell type.

    One cell type, the one with most batches, and the same batches for all rows; where each batch holds one class only,
    there are no such batches, and each class gets its own.
    """
    known = index[index["label"].notna()]
    if known.groupby("batch")["label"].nunique().max() == 1:
        own = known.groupby("perturbation")["batch"].unique()
        names = sorted(own.index, key=natural_key)[:MOST_ROWS]
        return [(name, sorted(own[name], key=natural_key)[:MOST_COLUMNS]) for name in names], ": each holds one class"
    counts = known.groupby("cell_type")["batch"].nunique()
    cell_type = min(counts.index, key=lambda name: (-counts[name], natural_key(str(name))))
    images = known[known["cell_type"] == cell_type]
    batches = sorted(images["batch"].unique(), key=natural_key)[:MOST_COLUMNS]
    perturbations = _perturbations(images[images["batch"].isin(batches)])
    return [(name, batches) for name in perturbations], f" of cell type {cell_type}" if len(counts) > 1 else ""


def _layout_of_wells(index: pd.DataFrame) -> tuple[list[tuple[str, list[str]]], str]:
    """Wells in place of perturbations: those that most batches have."""
    batches = sorted(index["batch"].unique(), key=natural_key)[:MOST_COLUMNS]
    present = index[index["batch"].isin(batches)].groupby("well")["batch"].nunique()
    wells = sorted(present.index, key=lambda name: (-present[name], natural_key(str(name))))[:MOST_ROWS]
    return [(well, batches) for well in wells], f"; no {noun_of_rows(index).one} has a label"


def _perturbations(images: pd.DataFrame) -> list[str]:
    """Those that most of the shown batches have: treatments first, one untreated control last."""
    present = images.groupby("perturbation")["batch"].nunique()
    order = sorted(present.index, key=lambda name: (-present[name], natural_key(str(name))))
    untreated = set(images.loc[images["well_type"] == "negative_control", "perturbation"])
    treatments = set(images.loc[images["well_type"] == "treatment", "perturbation"])
    last = [name for name in order if name in untreated and name not in treatments][:1]
    first = [name for name in order if name in treatments] or [name for name in order if name not in last]
    return first[: MOST_ROWS - len(last)] + last


def _first_image(images: pd.DataFrame, by: str, name: str, batch: str) -> pd.Series | None:
    found = images[(images[by] == name) & (images["batch"] == batch)]
    if found.empty:
        return None
    return found.loc[min(found.index, key=lambda at: natural_key(str(found.at[at, "image_id"])))]


def display_limits(images: list[np.ndarray]) -> np.ndarray:
    """(C, 2) 1st and 99.7th percentile of images (C, H, W): one display range for all of them."""
    values = np.concatenate([image.reshape(len(image), -1) for image in images], axis=1)
    return np.quantile(values, [0.01, 0.997], axis=1).T


def _numbers(grid: _Grid, channels: list[str]) -> pd.DataFrame:
    rows = []
    for (perturbation, batch), image in grid.shown.items():
        row = grid.chosen[perturbation, batch]
        assert row is not None
        record = {"image_id": row["image_id"], "perturbation": perturbation, "batch": batch}
        for name, plane in zip(channels, image, strict=True):
            record |= {f"mean_{name}": float(plane.mean()), f"sd_{name}": float(plane.std())}
        rows.append(record)
    return pd.DataFrame(rows)
