"""Figures that show trained runs."""

import pandas as pd
from matplotlib.figure import Figure

from debatch.errors import ConfigError
from debatch.report.figures import correction, cosine, epochs, umap
from debatch.report.results import Results

DRAWERS = {"umap": umap.draw, "cosine": cosine.draw, "epochs": epochs.draw, "correction": correction.draw}


def draw_figure(name: str, results: Results) -> tuple[Figure, pd.DataFrame]:
    """A figure of the registry, and the numbers behind it.

    Raises:
        ConfigError: the screen has none of the figure's splits.
    """
    spec = results.registry.figures[name]
    if not results.registry.runs(name):
        raise ConfigError(
            f"{name} needs one of the splits {', '.join(spec.splits)}; add it to `splits.names` of the screen"
        )
    return DRAWERS[spec.kind](name, results)
