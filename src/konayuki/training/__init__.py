"""The training room (extra `train`): pairs in, weights out."""
