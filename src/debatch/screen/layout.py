"""Where perturbations stand on their plates: whether place can be told from treatment."""

from typing import NamedTuple

import numpy as np
import pandas as pd


class Layout(NamedTuple):
    """How often pairs of wells on two plates share their place.

    Attributes:
        replicates: share of the pairs of one perturbation; NaN where there are none.
        others: share of all pairs of treated wells of one cell type, by chance; NaN likewise.
        pairs: pairs of one perturbation.
    """

    replicates: float
    others: float
    pairs: int

    @property
    def is_confounded(self) -> bool:
        """Whether most replicates stand where the first does, and by more than chance."""
        return self.replicates >= CONFOUNDED and self.replicates > 2 * self.others


# of replicates on other plates
CONFOUNDED = 0.5


def layout(wells: pd.DataFrame) -> Layout:
    """How often a perturbation's wells on two plates of one cell type are in the same place.

    Args:
        wells: (N, …) experiment, plate, well, cell_type, well_type, perturbation, a row a well or an image; negative
            controls and wells without a perturbation do not count.
    """
    wells = wells.drop_duplicates(["experiment", "plate", "well"])
    treated = wells[wells["perturbation"].notna() & (wells["well_type"] != "negative_control")]
    plate = (treated["experiment"].astype(str) + "\0" + treated["plate"].astype(str)).to_numpy(str)
    of = {name: treated[name].astype(str).to_numpy(str) for name in ("cell_type", "perturbation", "well")}
    group = of["cell_type"], of["perturbation"]
    same, pairs = _pairs(plate, of["well"], *group)
    alike, everything = _pairs(plate, of["well"], of["cell_type"])
    return Layout(same / pairs if pairs else np.nan, alike / everything if everything else np.nan, int(pairs))


def _pairs(plate: np.ndarray, place: np.ndarray, *group: np.ndarray) -> tuple[float, float]:
    """Ordered pairs of wells of one group on two plates: those in the same place, and all of them."""

    def total(*by: np.ndarray) -> float:
        return float((pd.DataFrame(dict(enumerate(by))).value_counts().to_numpy().astype(float) ** 2).sum())

    if not len(plate):
        return 0.0, 0.0
    # a well pairs with itself among those of its plate, in both sums alike
    return total(*group, place) - total(*group, place, plate), total(*group) - total(*group, plate)
