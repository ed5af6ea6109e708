"""A method's recipe on a screen: the screen's training, objectives, networks and weights, and over them the method."""

from collections.abc import Mapping
from typing import Any

from debatch.config.parts import on_screen
from debatch.config.read import nearest
from debatch.config.recipe import Method, Recipe, resolve_recipe
from debatch.config.screen import Screen
from debatch.errors import ConfigError


def recipe_on(screen: Screen, method: Method, name: str) -> Recipe:
    """Lay a method over a screen's training.

    Args:
        screen: whose training, objectives, substitutes and pretrained weights count.
        method: whole: what it states is the last word.
        name: of the method, in messages.

    Raises:
        ConfigError: the two together are not a recipe that can be trained.
    """
    training, stated = screen.training, method.stated()
    own = next((each for each in screen.objectives if each.kind == method.objective.kind), None)
    if own is not None and "objective" in stated:
        training = training.model_copy(update={"objective": own})
    changes: dict[str, Any] = {}
    if "backbone" in stated:
        changes["backbone"] = screen.substitutes.get(method.backbone, method.backbone)
    backbone = changes.get("backbone", training.backbone)
    if "weights" not in stated and (backbone != training.backbone or training.weights is None):
        # those of the screen's training are of its own network
        changes["weights"] = screen.pretrained.get(backbone)
    recipe = resolve_recipe(training, method.model_copy(update=changes), name)
    if recipe.label == "mechanism" and screen.columns.mechanism is None:
        raise ConfigError(
            f"method {name!r}: `label: mechanism`: the screen names no column of mechanisms; see `columns.mechanism`"
        )
    return on_screen(recipe, screen, f"method {name!r}")


def require_start(recipe: Recipe, recipes: Mapping[str, Recipe], name: str) -> None:
    """Refuse a method that cannot start with the trained backbone of the one that it names.

    Args:
        recipe: of the method.
        recipes: of the methods that can be trained on the screen.
        name: of the method.

    Raises:
        ConfigError: there is no such one, it differs in its network, or it starts with this one's weights in turn.
    """
    where, seen, base = f"method {name!r}: `starts_from`: ", [name], recipe.starts_from
    if base is None:
        return
    while base is not None:
        if base in seen:
            raise ConfigError(f"{where}it leads back to {base!r}")
        if base not in recipes:
            raise ConfigError(f"{where}no method {base!r} can be trained on this screen{nearest(base, list(recipes))}")
        seen.append(base)
        base = recipes[base].starts_from
    other = recipes[seen[1]]
    for key in ("backbone", "stem", "channels"):
        if getattr(recipe, key) != getattr(other, key):
            raise ConfigError(f"{where}{seen[1]!r} has another `{key}`, so that its weights do not fit; give both one")
