"""Hard negatives for pairs: teacher vectors, BM25 candidates, and what is kept of them."""
