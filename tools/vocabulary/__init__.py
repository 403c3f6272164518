"""Learn the vocabulary of a model from files of pairs."""
