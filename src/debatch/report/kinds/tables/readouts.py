"""Classifiers of embeddings, fitted on training images, and how batches mix (CDCL paper, Tables 1 to 5)."""

from typing import Literal

from pydantic import Field

from debatch.config.tables import Table
from debatch.evaluate.metrics import METRICS
from debatch.report.cells import NOT_RUN, Cell, Draft, Origin
from debatch.report.frames import by_seed
from debatch.report.kinds.base import TableKind
from debatch.report.kinds.readouts import (
    NOT_DEFINED,
    OfReadouts,
    ReadoutsKind,
    collapsed,
    over_splits,
    readout_cell,
    repeats_of,
    training_notes,
)
from debatch.report.nulls import NULL
from debatch.report.results import ByRun, Results

CHANCE = "chance"
# what is said of a column where it is shown
NOTES = {
    "linear_accuracy": "linear: multinomial logistic regression on embeddings of training images, one setting for "
    "all methods",
    "knn_accuracy": "k-NN: weighted vote of the 10 nearest training images by cosine similarity; all classes, controls "
    "included",
    "znorm_knn_accuracy": "Z-norm: each batch's embeddings less the mean of its control wells, over their sd, training "
    "and test batches alike",
    "znorm_all_knn_accuracy": "Z-norm by all of a batch: the same by all its images, as released code does; one that "
    "holds other classes then differs by what it holds",
    "kbet_test": "k-BET: of one image a well; with three or four batches it is unreliable, and embeddings that vary in "
    "few directions score well in it: read it beside accuracy",
    "grit_test": "grit says how far treatments stand out from negative controls, not from each other",
}


class ReadoutsTable(OfReadouts, Table):
    """What classifiers make of embeddings, and how batches mix in them."""

    kind: Literal["readouts"] = Field(
        "readouts", description="Classifiers that are fitted on training images' embeddings, and how batches mix."
    )


class Readouts(ReadoutsKind, TableKind[ReadoutsTable]):
    """A row a method, a column a metric; those that nothing defines on this screen are left out."""

    spec = ReadoutsTable

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, methods = self.spec_of(name, registry), registry.rows(name)
        frames = {method: over_splits(results, name, method) for method in methods}
        made = any(len(own) for own in frames.values())
        cells = {
            (method, metric): readout_cell(own, metric, NOT_DEFINED if len(own) else NOT_RUN)
            for method, own in frames.items()
            for metric in spec.metrics
        }
        shown = [m for m in spec.metrics if not made or any(cells[row, m].mean is not None for row in methods)]
        rows = {method: registry.title(method) for method in methods}
        nulls: tuple[str, ...] = ()
        chances = {m: _chance(frames[methods[0]], m) for m in shown if METRICS[m].better == "chance"}
        if any(cell.mean is not None for cell in chances.values()):
            rows[CHANCE], nulls = f"A random neighbour {NULL}", (CHANCE,)
            cells |= {(CHANCE, metric): cell for metric, cell in chances.items()}
        runs = [run for own in frames.values() for run in own.runs]
        notes = [NOTES[metric] for metric in shown if metric in NOTES]
        lacking = [METRICS[metric].title for metric in spec.metrics if metric not in shown]
        notes += [f"{NOT_DEFINED}: {'; '.join(lacking)}"] if lacking else []
        splits = ", ".join(registry.splits(name))
        return Draft(
            rows,
            {metric: METRICS[metric].heading for metric in shown},
            {place: cell for place, cell in cells.items() if place[1] in shown},
            formats={metric: (METRICS[metric].unit, METRICS[metric].decimals) for metric in shown},
            nulls=nulls,
            repeats=repeats_of(registry, name),
            warnings=collapsed(results, runs),
            notes=[*notes, *training_notes(results, runs), f"split: {splits}"],
        )


def _chance(frames: ByRun, metric: str) -> Cell:
    values, factor = by_seed(frames, f"{metric}_chance"), METRICS[metric].factor
    if not values:
        return Cell()
    origin = Origin.of(frames, words="a null, of where the wells of each batch are")
    return Cell(factor * sum(values) / len(values), None, len(values), origin=origin)


KIND = Readouts()
