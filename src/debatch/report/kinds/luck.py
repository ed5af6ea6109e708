"""What luck reaches in the nulls of a table: guesses without an image, and networks trained on permuted labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from debatch.evaluate.chance import Permutation, chance_of, permutation_of, reached_by_permutations
from debatch.evaluate.metrics import METRICS
from debatch.report.cells import Cell
from debatch.report.nulls import NullChance
from debatch.report.results import Results
from debatch.screen.index import of_parts
from debatch.screen.subsets import images_in, scored_subset
from debatch.tabular import read_frame

POSITION_TELLS = (
    "a well's place tells of its class, because plates repeat a layout, and a network that sees the place in an image "
    "may answer by it"
)
# of permutations, below which they do not explain a value
RARE = 0.05
MANY = "a null needs more wells, or many permutations"


def chances_of_nulls(
    cells: Mapping[tuple[str, str], Cell],
    columns: Mapping[str, str],
    guesses: Sequence[str],
    permuted: Sequence[str],
    metric: str,
    results: Results,
) -> tuple[dict[tuple[str, str], NullChance], dict[str, str]]:
    """What luck reaches in cells of nulls, and a sentence on each permutation that left too many labels in place.

    Args:
        cells: of the table, by row and column.
        columns: column -> the split that it is of.
        guesses: rows that look at no image.
        permuted: rows of methods that are trained on permuted labels.
        metric: of predictions, that the columns show.
        results: of the screen.
    """
    chances: dict[tuple[str, str], NullChance] = {}
    poor: dict[str, str] = {}
    registry = results.registry
    for column, split_name in columns.items():
        asked = [row for row in (*guesses, *permuted) if (row, column) in cells and cells[row, column].mean is not None]
        if not asked:
            continue
        index, split = read_frame(results.files.index()), read_frame(results.files.split(split_name))
        scored, factor = images_in(split, scored_subset(split)), METRICS[metric].factor
        for row in asked:
            images = of_parts(index, registry.recipes[row].parts if row in permuted else None)
            tested = images[images["image_id"].isin(scored) & images["label"].notna()]
            chance = chance_of(metric, tested)
            value, means = (cells[row, column].mean or 0.0) / factor, POSITION_TELLS
            if row in permuted:
                permutation = permutation_of(images, split, cells[row, column].origin.runs[0].seed)
                if permutation.is_poor:
                    words = f"{_in_place(permutation)}: too few wells were permuted for a null; {MANY}"
                    poor[row] = f"{registry.title(row)}, {split_name}: {words}"
                means = ""
                if value > chance.highest:
                    reached = reached_by_permutations(metric, images, split, tested)
                    means = _of_permuted(permutation, float(np.mean(reached >= value)))
            draws = f"{chance.units} test {chance.unit}"
            chances[row, column] = NullChance(factor * chance.level, factor * chance.highest, draws, means)
    return chances, poor


def _of_permuted(permutation: Permutation, share: float) -> str:
    """What a value above chance means, by how many permutations reach it without a leak."""
    reach = f"{100 * share:.0f} % of permutations bring a network to as much that tells the classes apart and no more"
    if share > RARE or permutation.is_poor:
        return (
            f"too few wells or classes were permuted to tell luck from a leak ({_in_place(permutation)}, and {reach}); "
            f"{MANY}"
        )
    return (
        f"the permutation does not explain it ({_in_place(permutation)}, and {reach}): look for a leak, as of test "
        "wells that are among the training ones, or of answers that need no image"
    )


def _in_place(permutation: Permutation) -> str:
    return (
        f"{permutation.kept:,} of {permutation.wells:,} training wells kept their own label, where permutations leave "
        f"{permutation.expected:,.1f} on average"
    )
