"""Tables, a kind a file: tidy for machines, laid out like the paper's for people."""

from debatch.errors import ConfigError
from debatch.report.cells import Draft
from debatch.report.kinds.base import TableKind
from debatch.report.results import Results


def draft_table(name: str, results: Results) -> Draft:
    """A table of the registry, from its runs' results.

    Raises:
        ConfigError: the screen cannot make it.
    """
    registry = results.registry
    kind = registry.kind(name)
    assert isinstance(kind, TableKind)
    reason = registry.lacking(name)
    if reason:
        raise ConfigError(f"screen {registry.name!r}: {name} {reason}")
    return kind.draft(name, results)
