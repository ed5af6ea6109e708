"""Which images of a screen a recipe's network sees: of which parts, by which channels, at which size."""

import math
from collections import Counter

from debatch.config.images import Part, stored_size
from debatch.config.read import nearest
from debatch.config.recipe import Recipe
from debatch.config.screen import Screen
from debatch.errors import ConfigError

Shape = tuple[int, int]


def on_screen(recipe: Recipe, screen: Screen, where: str) -> Recipe:
    """A recipe with the parts and channels of the screen that it comes to.

    Of a screen in parts both are named: a network takes one set of channels, at one size, unless its stem knows
    channels by name. Else `channels` stands in the screen's order, and is None where it is all of them.

    Args:
        recipe: its channels stand in any order.
        screen: that it is trained on.
        where: of the recipe, for errors.

    Raises:
        ConfigError: the screen has no such channel or part, or the parts differ in what the network takes.
    """
    _require_known(recipe.channels, screen.channel_names(), f"{where}: `channels`: the screen has no channel")
    if not screen.parts:
        if recipe.parts is not None:
            raise ConfigError(f"{where}: `parts`: the screen is not in parts; leave the key out")
        chosen = [name for name in screen.channel_names() if name in (recipe.channels or ())]
        return recipe.model_copy(update={"channels": None if chosen in ([], screen.channel_names()) else chosen})
    _require_known(recipe.parts, list(screen.parts), f"{where}: `parts`: the screen has no part")
    parts = {name: part for name, part in screen.parts.items() if name in (recipe.parts or screen.parts)}
    if recipe.names_channels:
        return _by_name(recipe, parts, where)
    if recipe.channels is None:
        _require_same_channels(parts, where)
    else:
        parts = _with_channels(parts, recipe, where)
    own = next(iter(parts.values())).channel_names()
    channels = [name for name in own if name in (recipe.channels or own)]
    resolved = recipe.model_copy(update={"parts": list(parts), "channels": channels})
    _require_one_size(parts, resolved, where)
    _require_shape(parts, resolved, where)
    return resolved


def _by_name(recipe: Recipe, parts: dict[str, Part], where: str) -> Recipe:
    """A recipe whose stem knows channels by name, with all channels of its parts: of each those that it has of them."""
    names = list(dict.fromkeys(name for part in parts.values() for name in part.channel_names()))
    seen = [name for name in names if name in (recipe.channels or names)]
    without = {name: part for name, part in parts.items() if not set(seen) & set(part.channel_names())}
    if without and recipe.parts is not None:
        raise ConfigError(
            f"{where}: `parts`: not each of them has one of the channels {', '.join(recipe.channels or [])} "
            f"({_channels_of(without)}); leave that part out, or name one of its `channels`"
        )
    parts = {name: part for name, part in parts.items() if name not in without}
    resolved = recipe.model_copy(update={"parts": list(parts), "channels": seen})
    _require_shape(parts, resolved, where)
    return resolved


def keeps_shape(stored: Shape, seen: Shape) -> bool:
    """Whether images (height, width) are averaged to another size without being stretched, to within a pixel."""
    return abs(stored[0] * seen[1] - stored[1] * seen[0]) < max(stored)


def stretched(stored: Shape, seen: Shape) -> str:
    """What is wrong with a network's input for stored images of another shape, and what to write."""
    factor = math.sqrt(math.prod(seen) / math.prod(stored))
    height, width = (max(16, round(side * factor)) for side in stored)
    return (
        f"images are stored with {stored[0]} x {stored[1]} pixels (height x width), and the network's input has "
        f"{seen[0]} x {seen[1]}, which would stretch them: write `pixels: [{height}, {width}]`, or crop them by "
        "`image.crop`"
    )


def _require_known(names: list[str] | None, known: list[str], none_such: str) -> None:
    for name, count in Counter(names or []).items():
        if name not in known:
            raise ConfigError(f"{none_such} {name!r}{nearest(name, known)}")
        if count > 1:
            raise ConfigError(f"{none_such.rsplit(':', 1)[0]}: {name!r} is listed twice")


def _require_same_channels(parts: dict[str, Part], where: str) -> None:
    """Refuse all channels of parts that differ in them."""
    if len({frozenset(part.channel_names()) for part in parts.values()}) == 1:
        return
    shared = set.intersection(*(set(part.channel_names()) for part in parts.values()))
    own = [name for name in next(iter(parts.values())).channel_names() if name in shared]
    instead = f", or channels that they share, `channels: [{', '.join(own)}]`" if own else ""
    raise ConfigError(
        f"{where}: the parts differ in their channels ({_channels_of(parts)}), and its network takes one set of them: "
        f"name the parts that it is trained on, as in `parts: [{next(iter(parts))}]`{instead}"
    )


def _with_channels(parts: dict[str, Part], recipe: Recipe, where: str) -> dict[str, Part]:
    """The parts that have all of a recipe's channels."""
    wanted = recipe.channels or []
    having = {name: part for name, part in parts.items() if set(wanted) <= set(part.channel_names())}
    if recipe.parts is not None and len(having) < len(parts):
        lacking = {name: part for name, part in parts.items() if name not in having}
        raise ConfigError(
            f"{where}: `parts`: not each of them has the channels {', '.join(wanted)} ({_channels_of(lacking)}); leave "
            "that part out, or name other `channels`"
        )
    if not having:
        raise ConfigError(
            f"{where}: `channels`: no part has all of {', '.join(wanted)} ({_channels_of(parts)}); name channels that "
            "one part has"
        )
    return having


def _require_one_size(parts: dict[str, Part], recipe: Recipe, where: str) -> None:
    """Refuse parts of several sizes, as far as they are known."""
    sizes = _sizes(parts)
    if len(set(sizes.values())) > 1:
        each = "; ".join(f"{name}: {height} x {width}" for name, (height, width) in sizes.items())
        raise ConfigError(
            f"{where}: the parts differ in the size of their images ({each}), and its network takes one: name the "
            f"parts that it is trained on, as in `parts: [{next(iter(parts))}]`, or crop them alike by `image.crop`"
        )


def _require_shape(parts: dict[str, Part], recipe: Recipe, where: str) -> None:
    """Refuse sizes of another shape than the network's input, as far as they are known."""
    for size in _sizes(parts).values():
        if not keeps_shape(size, recipe.size):
            raise ConfigError(f"{where}: `pixels`: {stretched(size, recipe.size)}")


def _sizes(parts: dict[str, Part]) -> dict[str, Shape]:
    known = {name: stored_size(part.image, part.simulate) for name, part in parts.items()}
    return {name: size for name, size in known.items() if size is not None}


def _channels_of(parts: dict[str, Part]) -> str:
    return "; ".join(f"{name}: {', '.join(part.channel_names())}" for name, part in parts.items())
