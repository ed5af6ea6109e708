"""What the configuration says, resolved: methods, tables, and the runs that they are made of."""

from debatch.registry.build import build_registry
from debatch.registry.registry import Registry
from debatch.registry.run import Run

__all__ = ["Registry", "Run", "build_registry"]
