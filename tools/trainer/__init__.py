"""Train a recipe with the Trainer of sentence-transformers, in one process or several."""
