"""What changes embeddings after training: named corrections of a table, and each as a function on arrays."""
