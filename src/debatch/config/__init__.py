"""Models of every YAML file: what may be said."""

from debatch.config.recipe import Method, Recipe
from debatch.config.screen import Screen
from debatch.config.simulation import SimulationConfig
from debatch.config.tables import SCREEN_FIGURES, Choice, Figure, Table, Tables

__all__ = [
    "SCREEN_FIGURES",
    "Choice",
    "Figure",
    "Method",
    "Recipe",
    "Screen",
    "SimulationConfig",
    "Table",
    "Tables",
]
