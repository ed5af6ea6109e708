"""The papers' numbers, and whether ours agree with them."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Published:
    """Every published number of a file with columns paper, table, row, column, value, sd, n_runs, unit."""

    numbers: pd.DataFrame

    @classmethod
    def read(cls, path: Path) -> "Published":
        """Read the file."""
        return cls(pd.read_csv(path))

    def cell(self, paper: str, table: str, row: str, column: str) -> tuple[float | None, float | None]:
        """A published mean and its sd, None where the paper has none."""
        numbers = self.numbers
        found = numbers[
            (numbers["paper"] == paper)
            & (numbers["table"] == table)
            & (numbers["row"] == row)
            & (numbers["column"] == column)
        ]
        if found.empty:
            return None, None
        sd = found.iloc[0]["sd"]
        return float(found.iloc[0]["value"]), None if pd.isna(sd) else float(sd)


def verdict(
    mean: float | None,
    sd: float | None,
    published: float | None,
    published_sd: float | None,
    comparable: bool,
    percentage: bool = True,
) -> str:
    """Compare a percentage, or a distance between distributions, with a published one.

    Returns:
        `reproduced` where they differ by at most max(1 point, 2 sqrt(sd^2 + published sd^2)), distances by at most 20 %
        of the published one, else `differs`;
        `not run`; `not comparable` on another scale or on a simulated screen.
    """
    if mean is None:
        return "not run"
    if published is None or not comparable:
        return "not comparable"
    if not percentage:
        return "reproduced" if abs(mean - published) <= 0.2 * abs(published) else "differs"
    spread = math.sqrt((sd or 0.0) ** 2 + (published_sd or 0.0) ** 2)
    return "reproduced" if abs(mean - published) <= max(1.0, 2 * spread) else "differs"
