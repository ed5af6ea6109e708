"""What changes embeddings after training."""
