"""A method's recipe on a screen: the screen's training, objectives, networks and weights, and over them the method."""

from typing import Any

from debatch.config.parts import on_screen
from debatch.config.recipe import Method, Recipe, resolve_recipe
from debatch.config.screen import Screen


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
    return on_screen(recipe, screen, f"method {name!r}")
