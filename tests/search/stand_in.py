"""A small encoder for tests: hashed character 2-grams, so that similar texts are near."""

import zlib
from collections.abc import Sequence

import numpy as np


class HashEncoder:
    """Sums a fixed random vector per character 2-gram."""

    def __init__(self, dim: int = 64, seed: int = 0) -> None:
        self.dim = dim
        self.fingerprint = f"hash-{dim}-{seed}"
        self._table = np.random.default_rng(seed).standard_normal((4096, dim)).astype(np.float32)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            grams = [text[i : i + 2] for i in range(len(text))]
            places = [zlib.crc32(gram.encode()) % 4096 for gram in grams]
            if places:
                vector = self._table[places].sum(axis=0)
                vectors[row] = vector / np.linalg.norm(vector)
        return vectors
