"""Plate heat maps: what each well's images measure, so that edges, gradients and failed wells are seen."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from debatch.config.screen import PlateFormat
from debatch.report.plate_format import plate_shape
from debatch.report.style import FAINT, look, new_figure
from debatch.screen.flags import flagged, measured_channels
from debatch.screen.names.wells import row_and_column, row_letters

# of each measure: heading, colour bar, whether its scale is logarithmic
MEASURES = {
    "intensity": ("Mean intensity", "stored values", False),
    "saturation": ("Saturation", "share of pixels at the largest value", False),
    "focus": ("Focus", "variance of the Laplacian, log scale", True),
    "foreground": ("Foreground", "share of pixels above Otsu's threshold", False),
}
MOST_PLATES = 12


def plate_table(index: pd.DataFrame) -> pd.DataFrame:
    """Each well's mean over its images.

    Returns:
        experiment, plate, well, channel, images, flagged (images with a flag of that channel), then the measures; no
        row where a well's part lacks the channel.
    """
    keys = ["experiment", "plate", "well"]
    rows = []
    for channel in measured_channels(index):
        columns = {f"{measure}_{channel}": measure for measure in MEASURES}
        named = index[[*keys, *columns]].rename(columns=columns).assign(flagged=flagged(index, channel))
        wells = named[index[f"focus_{channel}"].notna()].groupby(keys, sort=False)
        table = wells.agg({**dict.fromkeys(MEASURES, "mean"), "flagged": "sum"})
        table.insert(0, "images", wells.size())
        rows.append(table.reset_index().assign(channel=channel))
    return pd.concat(rows)[[*keys, "channel", "images", "flagged", *MEASURES]]


def draw_plates(table: pd.DataFrame, measure: str, title: str, stated: PlateFormat) -> Figure:
    """One measure of every well, a row a plate and a column a channel.

    Each channel has one colour scale for all plates. Of many plates twelve are shown, evenly chosen; the table has all.

    Args:
        table: as `plate_table` gives it.
        measure: one of `MEASURES`.
        title: of the screen.
        stated: format of its plates; what it leaves out is that of the smallest usual one that holds all wells.
    """
    heading, unit, logarithmic = MEASURES[measure]
    channels = list(table["channel"].unique())
    plates = list(table[["experiment", "plate"]].drop_duplicates().itertuples(index=False, name=None))
    imaged = set(table[["experiment", "plate", "channel"]].itertuples(index=False, name=None))
    shown = [plates[at] for at in np.unique(np.linspace(0, len(plates) - 1, MOST_PLATES).astype(int))]
    rows, columns = shape = plate_shape(table["well"], stated)
    # all of a channel's plates in one picture: matplotlib takes seconds to lay out an axes for each
    gap = max(1, rows // 8)
    tops = np.arange(len(shown)) * (rows + gap)
    grids = np.full((len(channels), tops[-1] + rows, columns), np.nan)
    opaque = np.zeros(grids.shape)
    for top, plate in zip(tops, shown, strict=True):
        grids[:, top : top + rows] = _grid(table, plate, measure, channels, shape)
        opaque[:, top : top + rows] = np.array([(*plate, channel) in imaged for channel in channels])[:, None, None]
    colours = mpl.colormaps["viridis"].with_extremes(bad=FAINT)
    cell_width, cell_height = 1.75, 1.75 * rows / columns + 0.12
    with look():
        figure = new_figure(max(cell_width * len(channels) + 1.1, 4.5), cell_height * len(shown) + 1.5)
        axes = figure.subplots(1, len(channels), squeeze=False)[0]
        for channel, own, drawn, axis in zip(channels, grids, opaque, axes, strict=True):
            norm = _norm(table.loc[table["channel"] == channel, measure], logarithmic)
            # a heat map has blank cells where there is no well
            picture = axis.imshow(np.ma.masked_invalid(own), cmap=colours, norm=norm, alpha=drawn)
            axis.set_title(channel, fontsize=9)
            axis.spines[:].set_visible(False)
            axis.set_xticks([0, columns - 1], ["1", str(columns)], fontsize=6)
            axis.set_yticks([])
            axis.tick_params(length=0, pad=2)
            bar = figure.colorbar(picture, ax=axis, location="bottom", shrink=0.9, aspect=14, pad=0.02)
            if logarithmic:
                low, high = float(norm.vmin or 1), float(norm.vmax or 1)
                ticks = [low, (low * high) ** 0.5, high]
                bar.set_ticks(ticks, labels=[f"{tick:.2g}" if tick < 100 else f"{tick:,.0f}" for tick in ticks])
            bar.ax.tick_params(labelsize=6)
            bar.ax.minorticks_off()
            bar.outline.set_visible(False)
        letters = ["A", row_letters(rows)] * len(shown)
        axes[0].set_yticks(np.stack([tops, tops + rows - 1], 1).ravel(), letters, fontsize=6)
        for (experiment, plate), top in zip(shown, tops, strict=True):
            axes[0].annotate(
                f"{experiment}\nplate {plate}",
                (0, top + (rows - 1) / 2),
                (-14, 0),
                xycoords=axes[0].get_yaxis_transform(),
                textcoords="offset points",
                rotation=90,
                ha="right",
                va="center",
                multialignment="center",
                fontsize=7,
            )
        some = f"{len(shown)} of {len(plates)} plates" if len(shown) < len(plates) else "all plates"
        blank = "" if len(imaged) == len(plates) * len(channels) else "; blank: not imaged"
        figure.suptitle(f"{title}: {heading.lower()} by well\n{unit}; {some}{blank}", fontsize=10)
    return figure


def _grid(
    table: pd.DataFrame, plate: tuple[str, str], measure: str, channels: list[str], shape: tuple[int, int]
) -> np.ndarray:
    """(C, rows, columns), NaN where there is no well."""
    own = table[(table["experiment"] == plate[0]) & (table["plate"] == plate[1])]
    grids = np.full((len(channels), *shape), np.nan)
    for channel, well, value in zip(own["channel"], own["well"], own[measure], strict=True):
        row, column = row_and_column(well)
        grids[channels.index(channel), row - 1, column - 1] = value
    return grids


def _norm(values: pd.Series, logarithmic: bool) -> Normalize:
    """One scale for a channel's wells on all plates."""
    if logarithmic:
        positive = values[values > 0]
        low, high = (positive.min(), positive.max()) if len(positive) else (1.0, 2.0)
        return LogNorm(low, max(high, low * 1.01))
    low, high = float(values.min()), float(values.max())
    return Normalize(low, high if high > low else low + 1)
