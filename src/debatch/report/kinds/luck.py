"""What luck reaches in the nulls of a table: guesses without an image, and networks trained on permuted labels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from debatch.evaluate.chance import Chance, Permutation, chance_of, permutation_of, reached_by_permutations
from debatch.evaluate.metrics import METRICS
from debatch.evaluate.tidy import ALL
from debatch.report.cells import Cell, Draft, Origin, pooled
from debatch.report.nulls import NULL, NullChance
from debatch.report.results import Results
from debatch.screen.index import of_parts
from debatch.screen.subsets import scored_images
from debatch.tabular import read_frame

POSITION_TELLS = (
    "a well's place tells of its class, because plates repeat a layout, and a network that sees the place in an image "
    "may answer by it"
)
POSITION = "position_only"
GUESSES = {POSITION: f"Position only {NULL}", "majority_class": f"Majority class {NULL}"}
# of permutations, below which they do not explain a value
RARE = 0.05
MANY = "a null needs more wells, or many permutations"


def guess_cell(results: Results, split: str, guess: str, metric: str, cell_type: str = ALL) -> Cell | None:
    """What a guess that looks at no image scores on a split, or on one cell type of it; None where it was not made."""
    scores = results.nulls(split, guess)
    if scores is None:
        return None
    origin = Origin(splits=(split,), words="a guess from the split and the index, without a model")
    return pooled(scores, metric, "no test image of this kind", cell_type=cell_type, origin=origin)


def add_position_row(draft: Draft, columns: Mapping[str, tuple[str, str]], metric: str, results: Results) -> Draft:
    """A table with what a well's position alone would score below its rows.

    Args:
        draft: of predictions' accuracies.
        columns: column -> the split that it is of, and the cell type; empty: all.
        metric: of predictions, that the columns show.
        results: of the screen.
    """
    for column, (split, cell_type) in columns.items():
        cell = guess_cell(results, split, POSITION, metric, cell_type)
        if cell is None or cell.mean is None:
            continue
        index = read_frame(results.files.index())
        subsets = read_frame(results.files.split(split))
        scored = scored_images(subsets)
        tested = index[index["image_id"].isin(scored) & index["label"].notna()]
        tested = tested[(tested["cell_type"] == cell_type) | (cell_type == ALL)]
        draft.rows[POSITION] = GUESSES[POSITION]
        draft.cells[POSITION, column] = cell
        draft.chances[POSITION, column] = _null_chance(chance_of(metric, tested), metric, POSITION_TELLS)
    return replace(draft, nulls=(POSITION,)) if POSITION in draft.rows else draft


def _null_chance(chance: Chance, metric: str, means: str) -> NullChance:
    factor = METRICS[metric].factor
    return NullChance(factor * chance.level, factor * chance.highest, f"{chance.units} test {chance.unit}", means)


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
        scored, factor = scored_images(split), METRICS[metric].factor
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
            chances[row, column] = _null_chance(chance, metric, means)
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
