"""Metrics: NumPy in, numbers out."""
