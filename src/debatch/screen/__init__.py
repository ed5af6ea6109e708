"""Metadata, source patterns, ingestion, store, normalization, splits, simulation."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from debatch.screen.access import OpenScreen, open_screen

__all__ = ["OpenScreen", "open_screen"]


def __getattr__(name: str) -> Any:
    # dask takes half a second to import, which no job but the few that use it should wait for
    if name in __all__:
        from debatch.screen import access

        return getattr(access, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
