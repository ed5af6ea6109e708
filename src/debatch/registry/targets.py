"""What can be asked for: known targets, and why a screen cannot make one."""

from collections.abc import Mapping
from typing import get_args

from debatch.config.read import nearest
from debatch.config.screen import Screen
from debatch.config.tables import IMAGE_TARGETS, PLATE_TARGETS, FixedTarget, Tables
from debatch.errors import ConfigError
from debatch.registry.kinds import kind_of


def check_targets(name: str, screen: Screen, tables: Tables, untrainable: Mapping[str, str]) -> None:
    """Refuse targets that there are not, or that this screen could never make.

    Args:
        name: of the screen.
        screen: whose targets they are.
        tables: that there are.
        untrainable: of these, those with a method that cannot be trained on the screen, and why.

    Raises:
        ConfigError: the target, and why.
    """
    known = [*tables.all(), *tables.pages, *get_args(FixedTarget)]
    for target in screen.targets:
        where = f"screen {name!r}: `targets`: "
        if target not in known:
            raise ConfigError(f"{where}no target {target!r}{nearest(target, known)}")
        reason = lacking(target, screen, tables, untrainable)
        if reason:
            raise ConfigError(f"{where}{target} {reason}")


def lacking(target: str, screen: Screen, tables: Tables, untrainable: Mapping[str, str]) -> str:
    """Why a screen cannot make a target, as the rest of a sentence; empty where it can. See `check_targets`."""
    specs = tables.all()
    kind = kind_of(specs[target]) if target in specs else None
    if screen.profiles and (target in IMAGE_TARGETS or (kind is not None and kind.trains)):
        return "needs images, and the screen is of profiles"
    if target in PLATE_TARGETS and screen.columns.well is None:
        return "shows wells in their places, and the screen's images are of none (`columns.well: null`)"
    if kind is None or (screen.profiles and kind.whole_screen):
        return ""
    spec = specs[target]
    if not set(spec.splits) & set(screen.splits.names):
        return f"needs one of the splits {', '.join(spec.splits)}; add it to `splits.names` of the screen"
    reason = kind.lacking(spec, screen)
    if not reason and target in untrainable and not screen.profiles:
        return f"needs methods that cannot all be trained on this screen: {untrainable[target]}"
    return reason
