"""Models of every YAML file, the registry of methods and tables, resolved recipes."""

from debatch.config.build import build_registry
from debatch.config.recipe import Method, Recipe
from debatch.config.registry import Registry, Run
from debatch.config.screen import Screen
from debatch.config.simulation import SimulationConfig
from debatch.config.splits import has_unseen_batches
from debatch.config.tables import SCREEN_FIGURES, UNCORRECTED, Choice, Figure, Table, Tables

__all__ = [
    "SCREEN_FIGURES",
    "UNCORRECTED",
    "Choice",
    "Figure",
    "Method",
    "Recipe",
    "Registry",
    "Run",
    "Screen",
    "SimulationConfig",
    "Table",
    "Tables",
    "build_registry",
    "has_unseen_batches",
]
