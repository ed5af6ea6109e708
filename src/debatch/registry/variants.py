"""Methods that a table or figure derives from others: changes of their recipes, subsets of their channels."""

import json
from itertools import combinations
from typing import Any, NamedTuple

from debatch.config.objectives import laid_over
from debatch.config.parts import on_screen
from debatch.config.recipe import Method, Recipe, Variation
from debatch.config.screen import Screen
from debatch.config.tables import Tables
from debatch.errors import ConfigError
from debatch.registry.kinds import kind_of
from debatch.registry.recipes import recipe_on, require_start

# parts a derived method's name: a method's and a variation's own have none
BETWEEN = "__"
# of 8 there are 255 subsets, each a training
MOST_CHANNELS = 8


class Variant(NamedTuple):
    """One change of a target's methods.

    Attributes:
        key: the variation's name, or that of the channels.
        title: for people.
        methods: method of the target -> the method that is trained for it: itself, or another one, where that has the
            same recipe.
        channels: that the network sees.
        also: titles of further changes that come to the same here.
    """

    key: str
    title: str
    methods: dict[str, str]
    channels: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class Derived(NamedTuple):
    """What tables and figures add to the methods.

    Attributes:
        methods: every method, the derived ones last.
        recipes: resolved.
        variants: target -> its rows.
        changed: derived method -> the method that it is a change of.
        untrainable: target of which not each method can be trained on the screen -> why.
    """

    methods: dict[str, Method]
    recipes: dict[str, Recipe]
    variants: dict[str, list[Variant]]
    changed: dict[str, str]
    untrainable: dict[str, str]


class _UntrainableError(ConfigError):
    """A derived method that has no recipe on the screen."""


def derive(screen: Screen, named: Derived, tables: Tables) -> Derived:
    """The methods of all variations and channel subsets.

    A derived method whose recipe is the method's own, or that of one which another target trains, is that method and
    shares its runs.

    Args:
        screen: whose training, channels and `substitutes` count.
        named: the methods that have names of their own.
        tables: the targets.

    Raises:
        ConfigError: two changes of one name.
    """
    deriver = Deriver(screen, named.methods, named.recipes, tables)
    variants, untrainable = dict(named.variants), dict(named.untrainable)
    for target, spec in tables.all().items():
        if target in untrainable:
            continue
        try:
            rows = kind_of(spec).variants(target, spec, deriver)
        except _UntrainableError as error:
            untrainable[target] = str(error)
            continue
        if rows is not None:
            variants[target] = rows
    return Derived(deriver.methods, deriver.recipes, variants, deriver.changed, untrainable)


def subset_players(screen: Screen) -> list[str]:
    """The channels whose subsets are looked at: those that the screen trains on; none where parts differ in them."""
    try:
        return on_screen(screen.training, screen, "training").channels or screen.channel_names()
    except ConfigError:
        return []


class Deriver:
    """Makes the methods that targets derive from others, each once.

    Attributes:
        changed: derived method -> the method that it is a change of.
    """

    def __init__(self, screen: Screen, methods: dict[str, Method], recipes: dict[str, Recipe], tables: Tables) -> None:
        self.screen, self.methods, self.recipes = screen, dict(methods), dict(recipes)
        self.changed: dict[str, str] = {}
        self._origin: dict[str, str] = {}
        self.by_recipe: dict[str, str] = {}
        for method in dict.fromkeys(method for spec in tables.all().values() for method in spec.methods):
            if methods[method].weights_of is None and method in recipes:
                self.by_recipe.setdefault(_identity(recipes[method]), method)

    def variations(self, target: str, methods: list[str], changes: dict[str, Variation]) -> list[Variant]:
        """Methods under changes of their recipes, those that come to the same here as one row."""
        return _joined([self._variation(target, methods, name, change) for name, change in changes.items()])

    def channel_subsets(self, target: str, methods: list[str]) -> list[Variant]:
        """Methods that are trained on each subset of the channels; none of those of too many channels."""
        players = subset_players(self.screen)
        if len(players) > MOST_CHANNELS:
            return []
        subsets = (subset for size in range(1, len(players) + 1) for subset in combinations(players, size))
        return [self._channels(target, methods, subset) for subset in subsets]

    def _variation(self, target: str, methods: list[str], name: str, variation: Variation) -> Variant:
        """Methods under a change of their recipes."""
        changes = {key: value for key, value in variation.stated().items() if key != "title"}
        title = variation.title or name.replace("_", " ")
        if named := changes.get("backbone"):
            changes["backbone"] = self.screen.substitutes.get(named, named)
            if changes["backbone"] != named:
                title = f"{changes['backbone'].replace('_', ' ')} (for {named})"
            pretrained = [own for own in (self.recipes[method] for method in methods) if own.weights]
            if any(own.backbone != changes["backbone"] for own in pretrained):
                title += ", from scratch"
        return Variant(name, title, {m: self._derived(target, m, name, title, changes) for m in methods})

    def _channels(self, target: str, methods: list[str], subset: tuple[str, ...]) -> Variant:
        """Methods that are trained on some channels."""
        there = self.screen.channel_names()
        # numbers: a channel's name may hold anything
        name = "channels_" + "_".join(str(there.index(channel) + 1) for channel in subset)
        title, changes = " + ".join(subset), {"channels": list(subset)}
        return Variant(name, title, {m: self._derived(target, m, name, title, changes) for m in methods}, subset)

    def _derived(self, target: str, method: str, name: str, title: str, changes: dict[str, Any]) -> str:
        """The method that a change of a method comes to."""
        own, derived = self.methods[method], f"{method}{BETWEEN}{name}"
        if own.weights_of is not None:
            weights = self._derived(target, own.weights_of, name, title, changes)
            if weights == own.weights_of:
                return method
            changed = own.model_copy(update={"weights_of": weights, "title": f"{self._title(method)}, {title}"})
            return self._add(
                target, method, derived, changed, self._resolve(self.methods[weights], own.stated(), derived)
            )
        if changes.get("backbone", self.recipes[method].backbone) != self.recipes[method].backbone:
            changes = {**dict.fromkeys({"weights"} & own.stated().keys()), **changes}  # they are of one network
        recipe = self._resolve(own, changes, derived)
        identity = _identity(recipe)
        if identity == _identity(self.recipes[method]):
            return method
        if identity in self.by_recipe:
            return self.by_recipe[identity]
        # accuracy on the way is shown of named methods alone, and weights of every few epochs fill a disk
        kept = {"snapshot_every": 0, **changes}
        changed = own.model_copy(update={**laid_over(own.stated(), kept), "title": f"{self._title(method)}, {title}"})
        self._add(target, method, derived, changed, self._resolve(own, kept, derived))
        self.by_recipe[identity] = derived
        return derived

    def _resolve(self, method: Method, changes: dict[str, Any], name: str) -> Recipe:
        # not checked as it stands: what cannot be trained is refused by its name, once all of it is known
        changed = method.model_copy(update=laid_over(method.stated(), changes))
        try:
            recipe = recipe_on(self.screen, changed, name)
            require_start(recipe, self.recipes, name)
            return recipe
        except ConfigError as error:
            raise _UntrainableError(str(error)) from None

    def _add(self, target: str, base: str, name: str, method: Method, recipe: Recipe) -> str:
        if self.recipes.get(name, recipe) != recipe:
            raise ConfigError(
                f"`{target}` and `{self._origin[name]}` both have a variation {name.removeprefix(base + BETWEEN)!r}, "
                "with different changes; rename one of them"
            )
        self.methods[name], self.recipes[name] = method, recipe
        self._origin.setdefault(name, target)
        self.changed[name] = base
        return name

    def _title(self, method: str) -> str:
        return self.methods[method].title or method.replace("_", " ")


def _identity(recipe: Recipe) -> str:
    return json.dumps(recipe.model_dump(), sort_keys=True)


def _joined(rows: list[Variant]) -> list[Variant]:
    """Each row once: later ones that come to the same are told with the first."""
    joined: list[Variant] = []
    for row in rows:
        at = next((at for at, other in enumerate(joined) if other.methods == row.methods), None)
        if at is None:
            joined.append(row)
        else:
            joined[at] = joined[at]._replace(also=(*joined[at].also, row.title))
    return joined
