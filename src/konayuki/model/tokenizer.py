"""From the bytes of a `tokenizer.json` to a tokenizer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from konayuki.errors import CheckpointError
from konayuki.extras import require
from konayuki.model.kernel_tokenizer import KernelTokenizer
from konayuki.model.native import kernel
from konayuki.model.normalizers import Definition, UnsupportedError
from konayuki.model.tokens import TokenBatch, Tokenizer, as_batch


def build_tokenizer(content: bytes, path: Path) -> Tokenizer:
    """Return the tokenizer that a `tokenizer.json` defines.

    Unigram models run in the kernel where it was built and knows their parts, else on
    SentencePiece; whatever is not emulated there runs on `tokenizers`.

    Args:
        content: the bytes of the file.
        path: where they came from, for messages.

    Raises:
        CheckpointError: the file is no tokenizer.
        MissingExtraError: it needs `tokenizers`, which is not installed.
    """
    try:
        definition = json.loads(content)
        model = definition["model"]
        if model.get("type") == "Unigram":
            return _unigram_tokenizer(definition)
    except UnsupportedError:
        pass
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not a tokenizer ({type(error).__name__}: {error})"
        ) from None
    return LibraryTokenizer(content, path)


def _unigram_tokenizer(definition: Definition) -> Tokenizer:
    found = kernel()
    if found is not None:
        try:
            return KernelTokenizer(definition, found)
        except UnsupportedError:
            pass
    from konayuki.model.unigram import UnigramTokenizer  # sentencepiece takes a while to import

    return UnigramTokenizer(definition)


class LibraryTokenizer:
    """Any tokenizer, run by the library `tokenizers` (extra `hub`)."""

    backend = "tokenizers"

    def __init__(self, content: bytes, path: Path) -> None:
        library = require("tokenizers", "hub")
        try:
            self._tokenizer: Any = library.Tokenizer.from_str(content.decode())
        except Exception as error:  # the library raises bare Exception
            raise CheckpointError(f"{path}: not a tokenizer ({error})") from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    @property
    def vocab_size(self) -> int:
        """Return one more than the largest id."""
        return 1 + max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)

    def encode(self, texts: Sequence[str]) -> TokenBatch:
        """Return the ids of the texts."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return as_batch([np.array(encoding.ids, dtype=np.int32) for encoding in encodings])
