"""Where perturbations stand on their plates: whether place can be told from treatment."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from debatch.config.screen import NEGATIVE_CONTROL


class Layout(NamedTuple):
    """How often two treated wells on two plates of one cell type are of one perturbation.

    Attributes:
        in_place: of pairs in the same position; NaN where there are none.
        anywhere: of all pairs; NaN likewise.
        replicates: pairs of one perturbation.
    """

    in_place: float
    anywhere: float
    replicates: int

    @property
    def is_confounded(self) -> bool:
        """Whether a position gives its perturbation away."""
        return self.in_place >= CONFOUNDED and self.matters

    @property
    def matters(self) -> bool:
        """Whether it does so more often than chance."""
        return self.in_place > max(2 * self.anywhere, SELDOM)

    def __str__(self) -> str:
        """In words; empty where there are no replicates on two plates."""
        if not self.replicates or not np.isfinite(self.in_place):
            return ""
        text = (
            f"treated wells in the same position on two plates hold the same perturbation in {100 * self.in_place:.0f} "
            f"% of pairs (wells in any two positions: {100 * self.anywhere:.1f} %)"
        )
        if self.is_confounded:
            text += ", so that what a position does to images cannot be told from what its perturbation does"
        return text


# of pairs in the same position
CONFOUNDED = 0.5
SELDOM = 0.05


def layout(wells: pd.DataFrame) -> Layout:
    """Whether a well's position gives its perturbation away.

    Args:
        wells: (N, …) experiment, plate, well, cell_type, well_type, perturbation, a row a well or an image; negative
            controls and wells without a perturbation do not count.
    """
    wells = wells.drop_duplicates(["experiment", "plate", "well"])
    treated = wells[wells["perturbation"].notna() & (wells["well_type"] != NEGATIVE_CONTROL)]
    kinds, names, places = (treated[name].astype(str).to_numpy(str) for name in ("cell_type", "perturbation", "well"))
    plates = (treated["experiment"].astype(str) + "\0" + treated["plate"].astype(str)).to_numpy(str)
    both, in_place, alike, every = (_pairs(plates, kinds, *by) for by in ((places, names), (places,), (names,), ()))
    return Layout(both / in_place if in_place else np.nan, alike / every if every else np.nan, int(alike))


def _pairs(plates: np.ndarray, *by: np.ndarray) -> float:
    """Ordered pairs of wells on two plates that share all of some columns."""

    def total(*columns: np.ndarray) -> float:
        return float((pd.DataFrame(dict(enumerate(columns))).value_counts().to_numpy().astype(float) ** 2).sum())

    # a well and itself are of one plate
    return total(*by) - total(*by, plates) if len(plates) else 0.0
