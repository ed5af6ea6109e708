"""Figures of trained runs, a kind a file."""

from typing import TYPE_CHECKING

from debatch.errors import ConfigError
from debatch.registry import Registry
from debatch.report.kinds.base import FigureKind
from debatch.report.results import Results

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def draw_figure(name: str, results: Results) -> "tuple[Figure, pd.DataFrame]":
    """A figure of the registry, and the numbers behind it.

    Raises:
        ConfigError: the screen cannot make it.
    """
    registry = results.registry
    reason = registry.lacking(name)
    if reason:
        raise ConfigError(f"screen {registry.name!r}: {name} {reason}")
    return _kind(name, registry).draw(name, results)


def caption_of(name: str, registry: Registry) -> str:
    """What a figure shows, but for its runs."""
    return _kind(name, registry).caption_of(registry.figures[name])


def _kind(name: str, registry: Registry) -> FigureKind:
    kind = registry.kind(name)
    assert isinstance(kind, FigureKind)
    return kind
