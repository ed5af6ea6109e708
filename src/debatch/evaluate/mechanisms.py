"""Do treatments lie among those of their mechanism?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from debatch.config.screen import NEGATIVE_CONTROL
from debatch.embedding_table import features_of, images_of
from debatch.evaluate.neighbors import nearest_neighbor_hits
from debatch.evaluate.values import OF_A_WELL, Values, by_kind, exclusions, mean_profiles, share_of_alike, units_of


def mechanism_values(table: pd.DataFrame, by: Sequence[str]) -> Values:
    """Whether the nearest mean profile of another compound has the same mechanism, a row a profile within a cell type.

    What could only be wrong, for want of another compound with its mechanism, has no value.

    Args:
        table: embeddings of images.
        by: what profiles are apart by beside the treatment, and neighbours barred by beside the compound: nothing
            (NSC), or the batch (NSCB).

    Source: Ljosa et al. 2013; Ando et al. 2017.
    """
    images = images_of(table)
    if "mechanism" not in images:
        return Values(np.full(1, np.nan), np.array([""]), np.array([""]))
    known = images["mechanism"].notna() & images["perturbation"].notna() & (images["well_type"] != NEGATIVE_CONTROL)
    wells = mean_profiles(table[known.to_numpy()].reset_index(drop=True), OF_A_WELL)
    means = mean_profiles(wells, ["cell_type", "mechanism", "compound", "perturbation", *by])
    own = images_of(means)
    exclude = exclusions(own, ["perturbation", "compound", *by])
    mechanisms, kinds, every = own["mechanism"].to_numpy(str), own["cell_type"].to_numpy(str), np.ones(len(own), bool)
    hits = by_kind(kinds, every, nearest_neighbor_hits, features_of(means), mechanisms, exclude)
    chance = by_kind(kinds, every, share_of_alike, mechanisms, exclude)
    batches = own["batch"].to_numpy(str) if by else None
    return Values(np.where(chance > 0, hits, np.nan), units_of(own), kinds, batches, chance)
