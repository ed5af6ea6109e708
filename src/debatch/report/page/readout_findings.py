"""What tables of classifiers of embeddings say in sentences; they test no difference, and none is said to be one."""

from collections.abc import Sequence

from debatch.evaluate.metrics import METRICS
from debatch.report.cells import Draft, brackets
from debatch.report.kinds.tables import draft_table
from debatch.report.kinds.tables.readouts import CHANCE
from debatch.report.page.findings import Findings
from debatch.report.results import Results

# the first that a screen's tables have speaks
OF_BATCHES = ("neighbor_same_batch_test", "neighbor_same_batch_train", "kbet_test", "kbet_train")
OF_BIOLOGY = ("znorm_knn_accuracy", "knn_accuracy", "linear_accuracy", "nsc_znorm", "nsc")


def readout_findings(names: Sequence[str], results: Results) -> Findings:
    """How far embeddings tell the batch, and how well classifiers read them, method by method.

    Args:
        names: of tables of kind `readouts`.
        results: of the screen.
    """
    drafts = [draft_table(name, results) for name in names]
    batches, biology = (_listed(drafts, metrics) for metrics in (OF_BATCHES, OF_BIOLOGY))
    if not batches and not biology:
        return Findings()
    return Findings(
        effect=batches,
        removes=["The methods stand side by side above; whether two of them differ was not tested."] if batches else [],
        costs=biology,
        sure=[
            "In square brackets 95 % intervals over batches; in round ones, where batches are few, the range of single "
            "ones. No difference between methods was tested: where intervals overlap, do not call one the better."
        ],
    )


def _listed(drafts: Sequence[Draft], metrics: Sequence[str]) -> list[str]:
    """Each method's value of the first metric that a table has, and what chance gives."""
    for metric in metrics:
        for draft in drafts:
            cells = {row: draft.cells[row, metric] for row in draft.rows if (row, metric) in draft.cells}
            known = {row: cell for row, cell in cells.items() if cell.mean is not None}
            if not set(known) - {CHANCE}:
                continue
            said = [
                " ".join(filter(None, [draft.rows[row], f"{cell.mean:.1f} %", brackets(draft, cell, metric)]))
                for row, cell in known.items()
            ]
            return [f"{METRICS[metric].title}: {'; '.join(said)}."]
    return []
