"""The papers' numbers, and whether ours agree with them."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

# what a number may differ by and still be called the same: fixed, so that noise of ours is never a success
MARGIN_POINTS, MARGIN_NEAR_CHANCE, MARGIN_DISTANCE = 2.0, 0.25, 0.2
FEWEST_SEEDS = 3
# the papers state no number of runs for some tables whose ± they give; it is that of the RxRx1 paper's Table 1
RUNS_OF_A_SPREAD = 5
_LEVEL = 0.05


class Estimate(NamedTuple):
    """A mean over runs.

    Attributes:
        mean: None where there is none.
        sd: of the runs; None where it is not known.
        n: how many runs.
    """

    mean: float | None = None
    sd: float | None = None
    n: int = 0

    def less(self, other: "Estimate") -> "Estimate":
        """The difference to another one, of as many runs that have nothing to do with these."""
        if self.mean is None or other.mean is None:
            return Estimate()
        sd = None if self.sd is None or other.sd is None else math.hypot(self.sd, other.sd)
        return Estimate(self.mean - other.mean, sd, min(self.n, other.n))


@dataclass(frozen=True)
class Published:
    """Every published number: by paper, table, row and column."""

    numbers: dict[tuple[str, str, str, str], Estimate]

    @classmethod
    def read(cls, path: Path) -> "Published":
        """Read a file with columns paper, table, row, column, value, sd, n_runs, unit."""
        names, values = ["paper", "table", "row", "column"], ["value", "sd", "n_runs"]
        table = pd.read_csv(path).set_index(names)[values]
        return cls({place: _estimate(*row) for place, row in zip(table.index, table.to_numpy(float), strict=True)})

    def cell(self, paper: str, table: str, row: str, column: str) -> Estimate:
        """A published mean; one of a single run where the paper gives no spread."""
        return self.numbers.get((paper, table, row, column), Estimate())


def _estimate(value: float, sd: float, runs: float) -> Estimate:
    if pd.isna(runs):
        runs = 1 if pd.isna(sd) else RUNS_OF_A_SPREAD
    return Estimate(float(value), None if pd.isna(sd) else float(sd), int(runs))


def verdict(own: Estimate, published: Estimate, comparable: bool, margin: float) -> str:
    """Whether a number is the published one, to within a fixed margin: two one-sided tests, each at 5 %.

    Where the paper gives no spread, its runs are taken to vary as ours do. Both are of the same test images, so that
    only runs are drawn.

    Args:
        own: our number; a percentage or a distance.
        published: the paper's.
        comparable: whether it is of the paper's own data.
        margin: what the two may differ by and still be the same.

    Returns:
        `reproduced`: the difference is surely within the margin; `differs`: surely beyond it; `undecided`: neither, or
        fewer than three seeds; `not run`; `not comparable` on another scale or on a simulated screen.
    """
    if own.mean is None:
        return "not run"
    if published.mean is None or not comparable:
        return "not comparable"
    if own.n < FEWEST_SEEDS or own.sd is None:
        return "undecided"
    away = abs(own.mean - published.mean)
    sd = own.sd if published.sd is None else published.sd
    variances = own.sd**2 / own.n, sd**2 / published.n
    # where the paper's spread is taken from ours, it is known no better than ours
    freedoms = own.n - 1, own.n - 1 if published.sd is None else published.n - 1
    error = math.sqrt(sum(variances))
    if error > 0:
        from scipy.special import stdtrit  # half a second, which a start of the workflow need not wait

        freedom = sum(variances) ** 2 / sum(v**2 / max(of, 1) for v, of in zip(variances, freedoms, strict=True))
        away_by = float(stdtrit(freedom, 1 - _LEVEL)) * error
    else:
        away_by = 0.0
    if away + away_by <= margin:
        return "reproduced"
    return "differs" if away - away_by > margin else "undecided"


def margin_of(published: float, percentage: bool) -> float:
    """What a number may differ by from a published one and still be called the same.

    2 percentage points, or a quarter of the published value where that is less (near chance); of distances between
    distributions a fifth of it.
    """
    if percentage:
        return min(MARGIN_POINTS, MARGIN_NEAR_CHANCE * abs(published))
    return MARGIN_DISTANCE * abs(published)
