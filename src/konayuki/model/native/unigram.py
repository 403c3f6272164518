"""Unigram tokenisers in the kernel: strings to ids, or straight to vectors."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import DimensionError, InputError
from konayuki.model.native.binding import (
    Floats,
    Kernel,
    Table,
    address_of,
    default_threads,
    result_array,
)

# What splits words; Python's own notion adds U+001C to U+001F.
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
HANGUL_JAMO = range(0x1100, 0x1200)  # the one script besides marks whose letters compose


class Unigram:
    """A vocabulary and its normaliser, ready to segment.

    Args:
        kernel: the compiled loops.
        pieces: the vocabulary; a piece's place is its id.
        scores: log probability of each piece.
        unk_id: the piece that stands for what no piece covers.
        normalize: any sequence of NFC, NFD, NFKC, NFKD and lower-casing of single characters, or
            `str` for none. What it does to one character is remembered, so it must not look further
            than Unicode's normalisation forms do.

    Words are split at white space after normalising, and white space is dropped.

    Raises:
        InputError: lists of different lengths, no such `unk_id`, a score that is not finite, or
            more than 65,532 different characters.
    """

    def __init__(
        self,
        kernel: Kernel,
        pieces: Sequence[str],
        scores: Sequence[float],
        unk_id: int,
        normalize: Callable[[str], str],
    ) -> None:
        if len(pieces) != len(scores):
            raise InputError(f"{len(pieces)} pieces, but {len(scores)} scores")
        self._module = kernel.module
        self._normalize = normalize
        self._seen: set[str] = set()
        try:
            self._handle = kernel.module.make_unigram(
                list(pieces), list(scores), unk_id, WHITE_SPACE
            )
        except (ValueError, OverflowError) as error:
            raise InputError(str(error)) from None
        self._fold_characters_of(pieces)

    def tokenize(
        self, texts: Sequence[str], *, threads: int | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return ids int32 (n_tokens,) and offsets int64 (n_texts + 1,).

        Text i owns ids[offsets[i]:offsets[i + 1]]; a text without words owns nothing.

        Raises:
            TypeError: an item is no string.
            UnicodeEncodeError: a text holds a lone surrogate.
        """
        ids, offsets = self._module.tokenize(
            self._handle, _as_list(texts), self._prepare, threads or default_threads()
        )
        return np.frombuffer(ids, np.int32), np.frombuffer(offsets, np.int64)

    def encode(
        self,
        texts: Sequence[str],
        table: Table,
        dim: int,
        *,
        normalize: bool,
        threads: int | None = None,
        out: Floats | None = None,
    ) -> Floats:
        """Return one vector per text: float32 (n_texts, dim), as `table.pool` of the ids does.

        Ids never leave the processor's cache; the lock is free once the strings are read. Vectors
        are written to `out`, and that is returned, where it is given.

        Raises:
            DimensionError: `dim` is not within 1 to the width of the table.
            InputError: the table has fewer rows than there are pieces.
            TypeError: an item is no string.
            UnicodeEncodeError: a text holds a lone surrogate.
        """
        if not 1 <= dim <= table.width:
            raise DimensionError(f"dim is {dim}: expected 1 to {table.width}")
        texts = _as_list(texts)
        out = result_array(out, (len(texts), dim))
        try:
            self._module.encode(
                self._handle,
                texts,
                self._prepare,
                table.handle,
                address_of(out),
                dim,
                normalize,
                threads or default_threads(),
            )
        except UnicodeEncodeError:
            raise
        except ValueError as error:
            raise InputError(str(error)) from None
        return out

    def _fold_characters_of(self, pieces: Sequence[str]) -> None:
        """Learn at once the characters of pieces that are normalised already, usually all."""
        stable = "".join(c for c in set("".join(pieces)) if not _depends_on_context(c))
        if self._normalize(stable) == stable:
            self._module.fold_identities(self._handle, stable)
            self._seen.update(stable)
        self._learn(map(chr, range(128)))

    def _prepare(self, text: str) -> str:
        """Return the normalised text; called by the kernel for parts that it cannot normalise."""
        text.encode()  # a lone surrogate is an error everywhere, not an unknown character
        self._learn(set(text))
        return self._normalize(text)

    def _learn(self, characters: Iterable[str]) -> None:
        """Tell the kernel what each character that it has not met normalises to."""
        for character in characters:
            if character in self._seen:
                continue
            self._seen.add(character)
            folded = self._normalize(character)
            clear = len(folded) == 1 and not _depends_on_context(character)
            clear = clear and not _depends_on_context(folded)
            self._module.fold_character(self._handle, ord(character), ord(folded) if clear else -1)


def _depends_on_context(character: str) -> bool:
    """Return whether the character may compose with, or move past, its neighbours."""
    return (
        unicodedata.category(character)[0] == "M"
        or ord(character) in HANGUL_JAMO
        or 0xD800 <= ord(character) < 0xE000
    )


def _as_list(texts: Sequence[str]) -> list[str]:
    return texts if isinstance(texts, list) else list(texts)
