"""Teachers from the hub or from a folder: any model that sentence-transformers loads.

No embedding model of Japanese that is stronger than multilingual-e5-small lies in a package
registry, and no reranker does. Who reaches the hub can name one in `distillation.teacher`, with
the prefixes that it was trained with, and one in `distillation.reranker`:
recipes/konayuki-ja-ruri.toml does.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from konayuki.errors import InputError, NotFoundError
from konayuki.extras import require

BATCH_TEXTS = 32
PAIR_TOKENS = 192  # of a query and a passage: those that teachers read of both, and some more


class HubTeacher:
    """A model of vectors as `konayuki.training.teacher_cache.Encoder`.

    Raises:
        NotFoundError: There is no such model, or it cannot be loaded.
    """

    def __init__(self, source: str) -> None:
        self._model = _loaded("SentenceTransformer", "teacher", source)
        self._longest = self._model.max_seq_length  # None for a model without a limit
        # Asked, not read: the name of the attribute differs between versions.
        self.dim = len(self._model.encode("", show_progress_bar=False))

    def encode(
        self, texts: Sequence[str], prefix: str, *, max_tokens: int = 512
    ) -> npt.NDArray[np.float32]:
        """Return one unit vector per text, as an `Encoder` does."""
        self._model.max_seq_length = min(max_tokens, self._longest or max_tokens)
        vectors = self._model.encode(
            [prefix + text for text in texts],
            batch_size=BATCH_TEXTS,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)


class HubReranker:
    """A cross-encoder as an `Encoder` of pairs, so that the cache of vectors keeps its scores.

    Raises:
        NotFoundError: There is no such model, or it cannot be loaded.
        InputError: The model does not give one score for a pair.
    """

    dim = 1

    def __init__(self, source: str) -> None:
        self._model = _loaded("CrossEncoder", "reranker", source)
        self._longest = self._model.tokenizer.model_max_length
        n_scores = self._model.num_labels if _has_head(self._model) else 0
        if n_scores != 1:
            raise InputError(
                f"distillation.reranker is {source!r}: it was trained to give {n_scores} scores "
                "for a pair: expected 1\nhint: a cross-encoder that was trained to tell how well a "
                "passage answers a query"
            )

    def encode(
        self, texts: Sequence[str], prefix: str = "", *, max_tokens: int = PAIR_TOKENS
    ) -> npt.NDArray[np.float32]:
        """Return the logit of each `joined_pair`, before any sigmoid; `prefix` is not used."""
        self._model.tokenizer.model_max_length = min(max_tokens, self._longest)
        scores = self._model.predict(
            [tuple(json.loads(text)) for text in texts],
            batch_size=BATCH_TEXTS,
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
        )
        return np.asarray(scores, dtype=np.float32).reshape(-1, 1)


def joined_pair(query: str, passage: str) -> str:
    """Return a pair as one text, for a cache by text."""
    return json.dumps([query, passage], ensure_ascii=False)


def _has_head(model: Any) -> bool:  # noqa: ANN401
    """Return whether a model comes with a head: if not, the library made a random one."""
    kind = "ForSequenceClassification"
    named = any(name.endswith(kind) for name in model.config.architectures or ())
    return named or not type(model.model).__name__.endswith(kind)


def _loaded(kind: str, key: str, source: str) -> Any:  # noqa: ANN401 - the library is not typed
    library = require("sentence_transformers", "train")
    try:
        return getattr(library, kind)(source, device="cpu")
    except Exception as error:  # the hub and the model's own code raise whatever they like
        bundled = ', or "teacher" for the bundled one' if key == "teacher" else ""
        raise NotFoundError(
            f"distillation.{key} is {source!r}: it cannot be loaded: {error}\n"
            f"hint: a hub id or a folder that the class {kind} of sentence-transformers loads"
            + bundled
        ) from error
