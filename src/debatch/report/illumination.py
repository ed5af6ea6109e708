"""The figure of illumination profiles."""

from typing import cast

import matplotlib as mpl
import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from debatch.report.style import FAINT, look, new_figure

MOST_PLATES = 12
LEAST_SPAN = 0.1


def draw_illumination(profiles: dict[tuple[str, str], dict[str, np.ndarray]], title: str) -> Figure:
    """Each plate's mean image relative to its mean: a row a plate, a column a channel, one scale for all of them.

    Of many plates twelve are shown, evenly chosen. Where a plate's part lacks a channel nothing is drawn.

    Args:
        profiles: (experiment, plate) -> channel -> (b, b'), as `illumination_profiles` gives them of each part.
        title: of the screen.
    """
    plates = list(profiles)
    channels = list(dict.fromkeys(name for own in profiles.values() for name in own))
    shown = [plates[at] for at in np.unique(np.linspace(0, len(plates) - 1, MOST_PLATES).astype(int))]
    values = np.concatenate([blocks.ravel() for plate in shown for blocks in profiles[plate].values()])
    # the widest deviation but for single blocks, the same below and above 1
    usual = np.nanquantile(np.abs(values - 1), 0.99) if np.isfinite(values).any() else 0.0
    span = max(LEAST_SPAN, float(usual))
    colours = mpl.colormaps["RdBu_r"].with_extremes(bad=FAINT)
    tall = [np.divide(*next(iter(profiles[plate].values())).shape).clip(0.4, 2.5) for plate in shown]
    with look():
        # square panels in a frame of their own shape: in a wider one their labels would leave the page
        figure = new_figure(max(1.25 * len(channels) + 1.9, 3.6), max(1.25 * sum(tall) + 1.0, 3.0))
        # panels that keep their shape move within the room that was reserved for their labels
        cast("ConstrainedLayoutEngine", figure.get_layout_engine()).set(rect=(0.05, 0, 0.95, 1))
        axes = figure.subplots(len(shown), len(channels), squeeze=False, height_ratios=tall)
        for row, plate in enumerate(shown):
            for column, channel in enumerate(channels):
                axis = axes[row, column]
                if channel in profiles[plate]:
                    picture = axis.imshow(
                        np.ma.masked_invalid(profiles[plate][channel]),
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
        blank = "" if all(len(profiles[plate]) == len(channels) for plate in shown) else "; blank: not imaged"
        figure.suptitle(f"{title}\nillumination profile by plate and channel; {some}{blank}", fontsize=10, wrap=True)
    return figure
