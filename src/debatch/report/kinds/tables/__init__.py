"""Tables: tidy for machines, laid out like the paper's for people."""

from debatch.errors import ConfigError
from debatch.report.cells import COLUMNS, Cell, Draft, laid_out, table_heading, tidy
from debatch.report.kinds.tables import (
    adaptation,
    cell_types,
    correction,
    cosine,
    differences,
    few_batches,
    generalization,
    label_shift,
    probe,
    variations,
)
from debatch.report.results import Results

__all__ = ["COLUMNS", "Cell", "Draft", "draft_table", "laid_out", "table_heading", "tidy"]

MAKERS = {
    "adaptation": adaptation.draft,
    "generalization": generalization.draft,
    "differences": differences.draft,
    "cell_types": cell_types.draft,
    "cosine": cosine.draft,
    "correction": correction.draft,
    "few_batches": few_batches.draft,
    "label_shift": label_shift.draft,
    "probe": probe.draft,
    "probe_variations": variations.draft_probes,
    "variations": variations.draft,
}


def draft_table(name: str, results: Results) -> Draft:
    """A table of the registry, from its runs' results.

    Raises:
        ConfigError: the screen cannot make it.
    """
    spec = results.registry.tables[name]
    reason = results.registry.lacking(name)
    if reason:
        raise ConfigError(f"screen {results.registry.name!r}: {name} {reason}")
    return MAKERS[spec.kind](name, results)
