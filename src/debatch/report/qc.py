"""The picture before any training: the same perturbations in several batches, so that a person sees the effect."""

from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from debatch.report.style import look, new_figure
from debatch.screen.metadata import natural_key

MOST_ROWS, MOST_COLUMNS = 5, 5
SHOWN_PIXELS = 256
RANGE_NOTE = "One display range per channel for the whole grid (1st to 99.7th percentile of the images shown)"
# as in the RxRx1 paper's Figure 2
SIX_COLOURS = ("#4060ff", "#00c000", "#ff3030", "#00c8c8", "#e040e0", "#d8d800")


def draw_qc(
    index: pd.DataFrame, read_image: Callable[[pd.Series], np.ndarray], channels: list[str], title: str
) -> tuple[Figure, pd.DataFrame]:
    """A false-colour grid, perturbation by batch, as in the RxRx1 paper's Figure 3; wells where nothing has a label.

    Every channel has one display range for the whole grid: a range per image would hide the batch effect.

    Args:
        index: the screen's images.
        read_image: gives the stored image (C, H, W) of an index row.
        channels: C names.
        title: of the screen.

    Returns:
        The figure, and a row a shown image: image_id, perturbation, batch, and mean and sd of each channel.
    """
    labelled = bool(index["label"].notna().any())
    rows, kind = _layout(index) if labelled else _layout_of_wells(index)
    by = "perturbation" if labelled else "well"
    chosen = {
        (perturbation, batch): _first_image(index, by, perturbation, batch)
        for perturbation, batches in rows
        for batch in batches
    }
    shown = {place: read_image(row) for place, row in chosen.items() if row is not None}
    colours = channel_colours(len(channels))
    limits = _display_limits(list(shown.values()))
    width = max(len(batches) for _, batches in rows)
    same_batches = all(batches == rows[0][1] for _, batches in rows)
    with look():
        figure = new_figure(max(1.55 * width + 0.9, 5.5), 1.5 * len(rows) + 1.3)
        axes = figure.subplots(len(rows), width, squeeze=False)
        for axis in axes.flat:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        for number, (perturbation, batches) in enumerate(rows):
            axes[number, 0].set_ylabel(perturbation, fontsize=9)
            for axis, batch in zip(axes[number], batches, strict=False):
                if (perturbation, batch) in shown:
                    axis.imshow(false_colour(shown[perturbation, batch], limits, colours), interpolation="nearest")
                else:
                    axis.text(0.5, 0.5, "no image", ha="center", va="center", transform=axis.transAxes, color="0.4")
                if number == 0 or not same_batches:
                    axis.set_title(batch, fontsize=8)
        figure.suptitle(f"{title}\n{by}s (rows) in batches (columns){kind}", fontsize=10)
        handles = [
            Patch(facecolor=colour, edgecolor="0.4", label=name) for name, colour in zip(channels, colours, strict=True)
        ]
        # the note is the legend's title, so that the layout keeps room for it
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(len(channels), 6),
            fontsize=8,
            title=RANGE_NOTE,
            title_fontsize=7,
        )
    return figure, _numbers(chosen, shown, channels)


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
    step = max(1, -(-image.shape[-1] // SHOWN_PIXELS))
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
    return [(well, batches) for well in wells], "; no image has a label"


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


def _display_limits(images: list[np.ndarray]) -> np.ndarray:
    values = np.concatenate([image.reshape(len(image), -1) for image in images], axis=1)
    return np.quantile(values, [0.01, 0.997], axis=1).T


def _numbers(
    chosen: dict[tuple[str, str], pd.Series | None], shown: dict[tuple[str, str], np.ndarray], channels: list[str]
) -> pd.DataFrame:
    rows = []
    for (perturbation, batch), image in shown.items():
        row = chosen[perturbation, batch]
        assert row is not None
        record = {"image_id": row["image_id"], "perturbation": perturbation, "batch": batch}
        for name, plane in zip(channels, image, strict=True):
            record |= {f"mean_{name}": float(plane.mean()), f"sd_{name}": float(plane.std())}
        rows.append(record)
    return pd.DataFrame(rows)
