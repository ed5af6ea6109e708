"""Half of the controls for a fit, the other half to be scored by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from debatch.config.screen import CONTROLS
from debatch.embedding_table import feature_names, features_of, images_of, with_features
from debatch.evaluate.values import OF_A_WELL, mean_profiles
from debatch.screen.names.identifiers import well_ids
from debatch.screen.order import hash_order


def without_half(table: pd.DataFrame, half: int) -> pd.DataFrame:
    """A table in which half of each batch's control wells are no controls, for a fit that they are not in."""
    held = control_halves(images_of(table)) == half
    return table.assign(Metadata_WellType=table["Metadata_WellType"].mask(held, "held_out"))


def control_halves(images: pd.DataFrame) -> np.ndarray:
    """(N,) 0 or 1 of the wells of a batch's controls in turn, by a hash of their names; -1 of all others.

    Negative ones by themselves, and positive ones by themselves.
    """
    halves = np.full(len(images), -1)
    for well_type in CONTROLS:
        rows = np.flatnonzero(images["well_type"] == well_type)
        names, batches = well_ids(images.iloc[rows]), images["batch"].to_numpy(str)[rows]
        for batch in np.unique(batches):
            own = np.flatnonzero(batches == batch)
            wells = np.unique(names[own])
            turn = {wells[at]: number % 2 for number, at in enumerate(hash_order(pd.Series(wells)))}
            halves[rows[own]] = [turn[name] for name in names[own]]
    return halves


class Half(NamedTuple):
    """Embeddings that were fitted without one half of the controls.

    Attributes:
        number: of the half, 0 or 1.
        features: (N, D) of images.
        profiles: (W, D') of wells, the means of their images.
    """

    number: int
    features: np.ndarray
    profiles: np.ndarray


@dataclass(frozen=True, eq=False)
class Scored:
    """What metrics are of: embeddings, their wells, and what was fitted without each half of the controls.

    Attributes:
        table: the embeddings, of N images.
        wells: W mean profiles of their wells.
        halves: none where metrics against controls are not defined.
    """

    table: pd.DataFrame
    wells: pd.DataFrame
    halves: list[Half]

    @classmethod
    def of(cls, table: pd.DataFrame, held_out: Sequence[pd.DataFrame] | None) -> "Scored":
        """Of embeddings; `held_out` as in `score_embeddings`."""
        wells = mean_profiles(table, OF_A_WELL)
        if held_out is None:
            return cls(table, wells, [Half(number, features_of(table), features_of(wells)) for number in (0, 1)])
        tables = enumerate(of_images(held, table) for held in held_out)
        return cls(
            table, wells, [Half(at, features_of(own), features_of(mean_profiles(own, OF_A_WELL))) for at, own in tables]
        )


def of_images(table: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table for some images, in their order, with their metadata (a held-out control is one again)."""
    table = table.set_index("Metadata_Image").loc[images["Metadata_Image"]].reset_index()
    metadata = images.loc[:, images.columns.str.startswith("Metadata_")]
    return with_features(metadata, features_of(table), feature_names(table))
