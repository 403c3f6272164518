"""A teacher from the hub or from a folder: any model that sentence-transformers loads.

No embedding model of Japanese that is stronger than multilingual-e5-small lies in a package
registry. Who reaches the hub can name one in `distillation.teacher`, with the prefixes that it was
trained with in `query_prefix` and `passage_prefix`: recipes/konayuki-ja-ruri.toml does.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from konayuki.errors import NotFoundError
from konayuki.extras import require

BATCH_TEXTS = 32


class HubTeacher:
    """A model of sentence-transformers as `konayuki.training.teacher_cache.Encoder`.

    Args:
        source: A hub id, or the folder of a model.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        NotFoundError: There is no such model, or it cannot be loaded.
    """

    def __init__(self, source: str) -> None:
        library = require("sentence_transformers", "train")
        try:
            self._model: Any = library.SentenceTransformer(source, device="cpu")
        except Exception as error:  # the hub and the model's own code raise whatever they like
            raise NotFoundError(
                f"distillation.teacher is {source!r}: it cannot be loaded: {error}\n"
                "hint: a hub id or a folder that SentenceTransformer() loads, or 'teacher' for the "
                "one that a package bundles"
            ) from error
        self._longest = self._model.max_seq_length  # None for a model without a limit
        # Asked, not read: the name of the attribute differs between versions.
        self.dim = len(self._model.encode("", show_progress_bar=False))

    def encode(
        self, texts: Sequence[str], prefix: str, *, max_tokens: int = 512
    ) -> npt.NDArray[np.float32]:
        """Return one unit vector per text: float32 (n_texts, dim).

        Args:
            texts: The texts.
            prefix: What the model was trained to find before such texts.
            max_tokens: Longer texts are cut to N tokens, or to the model's own limit.
        """
        self._model.max_seq_length = min(max_tokens, self._longest or max_tokens)
        vectors = self._model.encode(
            [prefix + text for text in texts],
            batch_size=BATCH_TEXTS,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)
