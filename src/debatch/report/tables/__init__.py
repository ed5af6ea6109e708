"""Tables: tidy for machines, laid out like the paper's for people."""

from debatch.errors import ConfigError
from debatch.report.results import Results
from debatch.report.tables import cell_types, correction, cosine, differences, generalization, probe
from debatch.report.tables.cells import COLUMNS, Cell, Draft, laid_out, table_heading, tidy

__all__ = ["COLUMNS", "Cell", "Draft", "draft_table", "laid_out", "table_heading", "tidy"]

MAKERS = {
    "generalization": generalization.draft,
    "differences": differences.draft,
    "cell_types": cell_types.draft,
    "cosine": cosine.draft,
    "correction": correction.draft,
    "probe": probe.draft,
}


def draft_table(name: str, results: Results) -> Draft:
    """A table of the registry, from its runs' results.

    Raises:
        ConfigError: the screen has none of the table's splits.
    """
    spec = results.registry.tables[name]
    if not results.registry.splits(name):
        raise ConfigError(
            f"{name} needs one of the splits {', '.join(spec.splits)}; add it to `splits.names` of the screen"
        )
    return MAKERS[spec.kind](name, results)
