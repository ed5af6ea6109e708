"""Measure and remove batch effects in image-based screens."""

__version__ = "0.1.0"
