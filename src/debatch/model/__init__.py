"""Backbones and stems, heads, population statistics, inference."""
