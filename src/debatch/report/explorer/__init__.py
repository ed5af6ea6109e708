"""The explorer: a folder of files that a browser opens, in which embeddings, plates, wells and images are looked at."""
