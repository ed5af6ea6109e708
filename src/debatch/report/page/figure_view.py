"""A figure as the page shows it: as SVG, which can be saved and enlarged; as PNG where that would be too heavy."""

import base64
from pathlib import Path
from typing import Any

import pandas as pd

from debatch.config.figures import ON_PAGES
from debatch.files import Files
from debatch.registry import Registry
from debatch.report.names import heading_of
from debatch.report.page.captions import SCREEN_TITLES, figure_caption

# in bytes; a page of several heavier ones opens slowly
HEAVIEST = 3_000_000
_TYPES = {"svg": "image/svg+xml", "png": "image/png"}


def figure_view(registry: Registry, files: Files, name: str, index: pd.DataFrame | None = None) -> dict[str, Any]:
    """Heading, caption, picture and files of a figure; `image` is None where it has not been made.

    Args:
        registry: of its screen.
        files: of the screen.
        name: of the figure.
        index: the screen's images, where the caption is to say which experiments have too few to flag.
    """
    suffixes = registry.screen.figures.suffixes()
    made = [suffix for suffix in suffixes if Path(files.figure(name, suffix)).exists()]
    shown = _shown(files, name, [suffix for suffix in ON_PAGES if suffix in made])
    return {
        "name": name,
        "heading": SCREEN_TITLES[name] if name in SCREEN_TITLES else heading_of(name, registry),
        "caption": figure_caption(name, registry, index),
        "image": inline(Path(files.figure(name, shown)).read_bytes(), shown) if shown else None,
        "suffix": shown,
        "file": files.figure(name, suffixes[0]),
        "made": made,
    }


def inline(picture: bytes, suffix: str) -> str:
    """A picture as an address that holds it."""
    return f"data:{_TYPES[suffix]};base64," + base64.b64encode(picture).decode()


def _shown(files: Files, name: str, made: list[str]) -> str:
    light = [suffix for suffix in made if Path(files.figure(name, suffix)).stat().st_size <= HEAVIEST]
    return next(iter([*light, *made[::-1]]), "")
