"""The figure of illumination profiles."""

import matplotlib as mpl
import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from debatch.report.style import FAINT, look, new_figure

MOST_PLATES = 12
LEAST_SPAN = 0.1


def draw_illumination(profiles: dict[tuple[str, str], np.ndarray], channels: list[str], title: str) -> Figure:
    """Each plate's mean image relative to its mean: a row a plate, a column a channel, one scale for all of them.

    Of many plates twelve are shown, evenly chosen.

    Args:
        profiles: (experiment, plate) -> (C, b, b'), as `illumination_profiles` gives them.
        channels: C names.
        title: of the screen.
    """
    plates = list(profiles)
    shown = [plates[at] for at in np.unique(np.linspace(0, len(plates) - 1, MOST_PLATES).astype(int))]
    values = np.stack([profiles[plate] for plate in shown])
    # the widest deviation but for single blocks, the same below and above 1
    usual = np.nanquantile(np.abs(values - 1), 0.99) if np.isfinite(values).any() else 0.0
    span = max(LEAST_SPAN, float(usual))
    colours = mpl.colormaps["RdBu_r"].with_extremes(bad=FAINT)
    with look():
        # square panels in a frame of their own shape: in a wider one their labels would leave the page
        figure = new_figure(max(1.25 * len(channels) + 1.9, 3.6), max(1.25 * len(shown) + 1.0, 3.0))
        axes = figure.subplots(len(shown), len(channels), squeeze=False)
        for row, plate in enumerate(shown):
            for column, channel in enumerate(channels):
                axis = axes[row, column]
                picture = axis.imshow(
                    np.ma.masked_invalid(profiles[plate][column]),
                    cmap=colours,
                    norm=TwoSlopeNorm(1, max(0.0, 1 - span), 1 + span),
                )
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
                if row == 0:
                    axis.set_title(channel, fontsize=9)
                if column == 0:
                    axis.set_ylabel(f"{plate[0]}\nplate {plate[1]}", fontsize=7)
        bar = figure.colorbar(picture, ax=axes, location="right", shrink=0.5, aspect=25, extend="both")
        bar.set_label("mean image\nrelative to its mean", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.outline.set_visible(False)
        some = f"{len(shown)} of {len(plates)} plates" if len(shown) < len(plates) else "all plates"
        figure.suptitle(f"{title}\nillumination profile by plate and channel; {some}", fontsize=10, wrap=True)
    return figure
