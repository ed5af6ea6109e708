"""How many labelled images a model is right about: each function takes scored predictions and gives a share.

Scored predictions are those of `score_predictions` that have a label, with the columns `experiment`, `plate` and `well`
beside them.
"""

import numpy as np
import pandas as pd

from debatch.embedding_table import top_columns

Share = tuple[float, int]


def per_image(images: pd.DataFrame) -> Share:
    """Share of images whose most probable class is their label, and of how many. RxRx1 paper, section 3.2.1."""
    return float((images["predicted"] == images["label"]).mean()), len(images)


def per_well(images: pd.DataFrame) -> Share:
    """The same of wells, by the mean of their images' log-probabilities."""
    wells = images.drop_duplicates(["experiment", "plate", "well"])
    return float((wells["predicted_well"] == wells["label"]).mean()), len(wells)


def per_class(images: pd.DataFrame) -> Share:
    """Mean over classes of the share of their images, and over how many classes."""
    by_class = (images["predicted"] == images["label"]).groupby(images["label"]).mean()
    return float(by_class.mean()), len(by_class)


def among_5(images: pd.DataFrame) -> Share:
    """Share of images whose label is among the five most probable classes."""
    classes = images[top_columns("class", 5)].to_numpy()
    return float((classes == images["label"].to_numpy(np.int64)[:, None]).any(axis=1).mean()), len(images)
