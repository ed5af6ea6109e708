"""Embeddings as points on a plane, by the projection of the figures."""

import numpy as np
import pandas as pd

from debatch.embedding_table import METADATA, features_of
from debatch.report.kinds.figures.umap import project

# a point's place in 1/65535 of the longer side
STEPS = 65_535


def project_view(table: pd.DataFrame, view: str) -> pd.DataFrame:
    """Points of all embeddings that have a direction.

    Args:
        table: `Metadata_*` columns and one column a feature.
        view: the test-time statistics, and the correction after a dot.

    Returns:
        view, projection (its name), image_id, x, y.
    """
    points, left_out, name = project(features_of(table))
    ids = table.loc[~left_out, METADATA["image_id"]].to_numpy()
    return pd.DataFrame({"view": view, "projection": name, "image_id": ids, "x": points[:, 0], "y": points[:, 1]})


def in_steps(points: np.ndarray) -> np.ndarray:
    """Points (N, 2) as whole steps, uint16, in the middle of a square; y grows upwards."""
    if len(points) == 0:
        return np.zeros((0, 2), np.uint16)
    low, high = points.min(axis=0), points.max(axis=0)
    side = max(float((high - low).max()), 1e-9)
    return np.rint(((points - (low + high) / 2) / side + 0.5) * STEPS).clip(0, STEPS).astype(np.uint16)
