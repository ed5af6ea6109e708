"""The picture before any training: the same perturbations in several batches, so that a person sees the effect."""

from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from debatch.report.style import LOOK, new_figure
from debatch.screen.metadata import natural_key

MOST_ROWS, MOST_COLUMNS = 5, 5
SHOWN_PIXELS = 256
# as in the RxRx1 paper's Figure 2
SIX_COLOURS = ("#4060ff", "#00c000", "#ff3030", "#00c8c8", "#e040e0", "#d8d800")


def draw_qc(
    index: pd.DataFrame, read_image: Callable[[pd.Series], np.ndarray], channels: list[str], title: str
) -> tuple[Figure, pd.DataFrame]:
    """A false-colour grid, perturbation by batch, as in the RxRx1 paper's Figure 3.

    Every channel has one display range for the whole grid: a range per image would hide the batch effect.

    Args:
        index: the screen's images.
        read_image: gives the stored image (C, H, W) of an index row.
        channels: C names.
        title: of the screen.

    Returns:
        The figure, and a row a shown image: image_id, perturbation, batch, and mean and sd of each channel.
    """
    images, kind = _one_cell_type(index)
    batches = sorted(images["batch"].unique(), key=natural_key)[:MOST_COLUMNS]
    perturbations = _perturbations(images[images["batch"].isin(batches)], len(batches))
    chosen = {(p, b): _first_image(images, p, b) for p in perturbations for b in batches}
    shown = {place: read_image(row) for place, row in chosen.items() if row is not None}
    colours = channel_colours(len(channels))
    limits = _display_limits(list(shown.values()))
    with mpl.rc_context(LOOK):
        figure = new_figure(1.55 * len(batches) + 0.9, 1.5 * len(perturbations) + 1.3)
        axes = figure.subplots(len(perturbations), len(batches), squeeze=False)
        for row, perturbation in enumerate(perturbations):
            for column, batch in enumerate(batches):
                axis = axes[row, column]
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
                if (perturbation, batch) in shown:
                    axis.imshow(false_colour(shown[perturbation, batch], limits, colours), interpolation="nearest")
                else:
                    axis.text(0.5, 0.5, "no image", ha="center", va="center", transform=axis.transAxes, color="0.5")
                if row == 0:
                    axis.set_title(batch, fontsize=8)
                if column == 0:
                    axis.set_ylabel(perturbation, fontsize=9)
        figure.suptitle(
            f"{title}\nthe same perturbations (rows) in {len(batches)} batches (columns){kind}", fontsize=10
        )
        handles = [
            Patch(facecolor=colour, edgecolor="0.4", label=name) for name, colour in zip(channels, colours, strict=True)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(channels), 6), fontsize=8)
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


def _one_cell_type(index: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The images of the cell type with most batches; all of them where each batch holds one class only."""
    known = index[index["label"].notna()]
    if known.groupby("batch")["label"].nunique().max() == 1:
        by_class = known.groupby("label")["batch"].unique()
        turns = [batch for group in zip(*by_class, strict=False) for batch in group]
        return known[known["batch"].isin(turns[: MOST_COLUMNS - MOST_COLUMNS % len(by_class) or MOST_COLUMNS])], ""
    batches = known.groupby("cell_type")["batch"].nunique()
    cell_type = min(batches.index, key=lambda name: (-batches[name], natural_key(str(name))))
    kind = f" of cell type {cell_type}" if len(batches) > 1 else ""
    return known[known["cell_type"] == cell_type], kind


def _perturbations(images: pd.DataFrame, batches: int) -> list[str]:
    """Treatments that all shown batches have, with the untreated control last."""
    present = images.groupby("perturbation")["batch"].nunique()
    order = sorted(present.index, key=lambda name: (-present[name], natural_key(str(name))))
    untreated = set(images.loc[images["well_type"] == "negative_control", "perturbation"])
    treatments = set(images.loc[images["well_type"] == "treatment", "perturbation"])
    first = [name for name in order if name in treatments] or [name for name in order if name not in untreated]
    last = [name for name in order if name in untreated and present[name] == min(batches, present.max())][:1]
    rows = first[: MOST_ROWS - len(last)] + [name for name in last if name not in first]
    return rows or order[:MOST_ROWS]


def _first_image(images: pd.DataFrame, perturbation: str, batch: str) -> pd.Series | None:
    found = images[(images["perturbation"] == perturbation) & (images["batch"] == batch)]
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
