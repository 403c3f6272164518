"""Past one machine: corpora into vectors, vectors into the engines that people already run."""
