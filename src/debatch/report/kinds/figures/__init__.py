"""Figures that show trained runs."""

import pandas as pd
from matplotlib.figure import Figure

from debatch.errors import ConfigError
from debatch.report.kinds.figures import adaptation, channel_subsets, correction, cosine, epochs, shapley, umap
from debatch.report.results import Results

DRAWERS = {
    "adaptation": adaptation.draw,
    "umap": umap.draw,
    "cosine": cosine.draw,
    "epochs": epochs.draw,
    "correction": correction.draw,
    "channel_subsets": channel_subsets.draw,
    "shapley": shapley.draw,
}


def draw_figure(name: str, results: Results) -> tuple[Figure, pd.DataFrame]:
    """A figure of the registry, and the numbers behind it.

    Raises:
        ConfigError: the screen cannot make it.
    """
    spec = results.registry.figures[name]
    reason = results.registry.lacking(name)
    if reason:
        raise ConfigError(f"screen {results.registry.name!r}: {name} {reason}")
    return DRAWERS[spec.kind](name, results)
