"""How much of the batch is left in embeddings."""
