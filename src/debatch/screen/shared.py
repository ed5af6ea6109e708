"""How many treatments stand in several batches: only those tell what the batch does from what the treatment does."""

from typing import NamedTuple

import pandas as pd

from debatch.config.screen import CONTROLS

# of all treatments: where fewer are in several batches, treated wells cannot tell batch from treatment
FEWEST_SHARED = 0.1


class Shared(NamedTuple):
    """Treatments of a screen, controls apart.

    Attributes:
        several: those that are in two or more batches of one cell type.
        treatments: all of them.
    """

    several: int
    treatments: int

    @property
    def tells(self) -> bool:
        """Whether treated wells can tell batch from treatment."""
        return self.several >= FEWEST_SHARED * self.treatments

    @property
    def alone(self) -> int:
        """Treatments in one batch only."""
        return self.treatments - self.several

    @property
    def mostly_alone(self) -> bool:
        """Whether more than half of them are in one batch only."""
        return self.alone > self.treatments / 2

    def __str__(self) -> str:
        """In words."""
        if not self.several:
            return f"no treatment is in two batches (of {self.treatments:,})"
        if self.mostly_alone:
            return f"{self.alone:,} of {self.treatments:,} treatments are in one batch only"
        return f"{self.several:,} of {self.treatments:,} treatments are in several batches"


def shared(wells: pd.DataFrame) -> Shared:
    """How many treatments are in several batches.

    Args:
        wells: (N, …) batch, cell_type, well_type, perturbation, a row a well or an image.
    """
    treated = wells[~wells["well_type"].isin(CONTROLS) & wells["perturbation"].notna()]
    batches = treated.groupby(["perturbation", "cell_type"])["batch"].nunique().groupby(level=0).max()
    return Shared(int((batches > 1).sum()), len(batches))
