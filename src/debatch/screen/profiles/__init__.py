"""Embeddings made elsewhere, and annotations."""
