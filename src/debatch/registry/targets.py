"""What can be asked for: known targets, and why a screen cannot make one."""

from math import comb
from typing import get_args

from debatch.config.read import nearest
from debatch.config.screen import Screen
from debatch.config.splits import FewBatches
from debatch.config.tables import (
    CHANNEL_SUBSETS,
    IMAGE_TARGETS,
    TRAINED,
    WITHOUT_SPLIT,
    FixedTarget,
    Table,
    Tables,
)
from debatch.errors import ConfigError
from debatch.registry.variants import MOST_CHANNELS, subset_players


def check_targets(name: str, screen: Screen, tables: Tables) -> None:
    """Refuse targets that there are not, or that this screen could never make.

    Raises:
        ConfigError: the target, and why.
    """
    known = [*tables.all(), *get_args(FixedTarget)]
    for target in screen.targets:
        where = f"screen {name!r}: `targets`: "
        if target not in known:
            raise ConfigError(f"{where}no target {target!r}{nearest(target, known)}")
        reason = lacking(target, screen, tables)
        if reason:
            raise ConfigError(f"{where}{target} {reason}")


def lacking(target: str, screen: Screen, tables: Tables) -> str:
    """Why a screen cannot make a target, as the rest of a sentence; empty where it can."""
    specs = tables.all()
    if screen.profiles and (target in IMAGE_TARGETS or (target in specs and specs[target].kind in TRAINED)):
        return "needs images, and the screen is of profiles"
    if target not in specs or (screen.profiles and specs[target].kind in WITHOUT_SPLIT):
        return ""
    spec = specs[target]
    if not set(spec.splits) & set(screen.splits.names):
        return f"needs one of the splits {', '.join(spec.splits)}; add it to `splits.names` of the screen"
    if spec.kind == "few_batches" and not screen.training_batches():
        return (
            "needs to know the cell types before there is metadata: say in `splits.cell_types` how many training "
            "batches of `separated` each has, as in {HUVEC: 16, U2OS: 3}"
        )
    if spec.kind in CHANNEL_SUBSETS and screen.training.weights:
        return (
            "compares subsets of the channels, and pretrained weights (`training.weights`) fit the first layer of each "
            "differently; leave them out"
        )
    if spec.kind in CHANNEL_SUBSETS and not subset_players(screen):
        return "compares subsets of the channels, in which the screen's parts differ; name one as `training.parts`"
    if spec.kind in CHANNEL_SUBSETS and len(subset_players(screen)) > MOST_CHANNELS:
        return (
            f"trains a model on each of {2 ** len(subset_players(screen)) - 1:,} subsets of the channels; name "
            f"{MOST_CHANNELS} at most as `training.channels`, or leave it out"
        )
    return ""


def few_batch_splits(target: str, screen: Screen, tables: Tables) -> list[str]:
    """The splits of a table of few training batches: the draws of each cell type, as many as there are different ones.

    Empty for other targets, and where the screen cannot make it.
    """
    spec = tables.all()[target]
    if not isinstance(spec, Table) or spec.kind != "few_batches" or lacking(target, screen, tables):
        return []
    return [
        FewBatches(cell_type, draw).split
        for cell_type, batches in screen.training_batches().items()
        for draw in range(min(spec.draws, comb(batches, min(batches, screen.splits.few_batches))))
    ]
