"""What a run minimises: a file for each objective, called as its `kind`, whose `OBJECTIVE` is the class."""

from importlib import import_module

from debatch.config.recipe import Recipe
from debatch.learn.objectives.base import Objective, Progress, Step

__all__ = ["Objective", "Progress", "Step", "objective_of"]


def objective_of(recipe: Recipe) -> type[Objective]:
    """What a recipe minimises."""
    kind: type[Objective] = import_module(f"{__name__}.{recipe.objective.kind}").OBJECTIVE
    return kind
