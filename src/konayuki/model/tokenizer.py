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
from konayuki.model.unigram_definition import read_unigram
from konayuki.model.unigram_reference import UnigramReference


def build_tokenizer(content: bytes, path: Path) -> Tokenizer:
    """Return the tokenizer that a `tokenizer.json` defines.

    Unigram models run in the compiled kernel, or in plain Python if it was not built or does not
    know one of their parts. What neither knows runs on `tokenizers`.

    Args:
        content: The bytes of the file.
        path: Where they came from, for messages.

    Raises:
        CheckpointError: The file is not a tokenizer.
        MissingExtraError: It needs `tokenizers`, which is not installed.
    """
    try:
        definition = json.loads(content)
        if definition["model"].get("type") == "Unigram":
            return _unigram_tokenizer(definition)
    except UnsupportedError:
        pass
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not a tokenizer ({type(error).__name__}: {error})"
        ) from None
    return LibraryTokenizer(content, path)


def _unigram_tokenizer(definition: Definition) -> Tokenizer:
    unigram = read_unigram(definition)
    compiled = kernel()
    if compiled is not None:
        try:
            return KernelTokenizer(unigram, compiled)
        except UnsupportedError:
            pass
    return UnigramReference(unigram)


class LibraryTokenizer:
    """Any tokenizer, run by the library `tokenizers` (extra `hub`)."""

    backend = "tokenizers"

    def __init__(self, content: bytes, path: Path) -> None:
        self._path = path
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

    def tokenize(self, texts: Sequence[str]) -> TokenBatch:
        """Return the ids of the texts.

        Raises:
            CheckpointError: The library fails on a text: for want of an unknown token, say.
        """
        try:
            encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        except (UnicodeEncodeError, TypeError):
            raise
        except Exception as error:  # the library raises bare Exception
            raise CheckpointError(f"{self._path}: the tokenizer fails ({error})") from None
        return as_batch([np.array(encoding.ids, dtype=np.int32) for encoding in encodings])
