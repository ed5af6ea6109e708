"""Metadata, source patterns, ingestion, store, normalization, splits, simulation."""
