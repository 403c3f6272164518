"""BM25 as sparse vectors, for engines that multiply them and know the IDF themselves."""

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.search.bm25 import saturate
from konayuki.search.terms import query_terms, terms_of

MOST_QUERY_TERMS = 512
# Characters are counted apart from 2-grams, as in the index. Collections that exist hold vectors
# with this start, whose name is older than that of the field.
_CHARACTERS = zlib.crc32(b"lone")


class SparseVector(NamedTuple):
    """The entries of a vector that are not zero.

    Attributes:
        indices: uint32 (n,), ascending.
        values: float32 (n,).
    """

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Lengths:
    """The mean lengths of the texts of a corpus, which BM25 compares a text with.

    Attributes:
        grams: Mean number of 2-grams and words.
        characters: Mean number of characters of scripts without spaces.
    """

    grams: float
    characters: float


def lengths_of(texts: Iterable[str]) -> Lengths:
    """Return the mean lengths of a corpus, at least 1 each so that nothing divides by 0."""
    n_texts = n_grams = n_characters = 0
    for terms in map(terms_of, texts):
        n_texts += 1
        n_grams += len(terms.grams)
        n_characters += len(terms.characters)
    n_texts = max(n_texts, 1)
    return Lengths(max(1.0, n_grams / n_texts), max(1.0, n_characters / n_texts))


def document_vector(text: str, lengths: Lengths) -> SparseVector:
    """Return the weight of each term of a text: its saturated count, without the IDF.

    The product with `query_vector`, each term times its IDF, is the BM25 of the index: 2-grams of
    unspaced scripts and words of others, and every single character in a field of its own.
    """
    terms = terms_of(text)
    weights: defaultdict[int, float] = defaultdict(float)
    fields = (
        (terms.grams, lengths.grams, 0),
        (terms.characters, lengths.characters, _CHARACTERS),
    )
    for field, mean_length, start in fields:
        counts = Counter(field)
        saturated = saturate(np.fromiter(counts.values(), float), len(field), mean_length)
        for term, weight in zip(counts, saturated.tolist(), strict=True):
            weights[_index(term, start)] += weight
    return _sorted(weights)


def query_vector(text: str) -> SparseVector:
    """Return how often a query names each term; characters count only if they stand alone.

    A query has at most 512 terms; the most repeated ones are kept.
    """
    terms = query_terms(text)
    pairs = [(term, 0) for term in terms.grams] + [(term, _CHARACTERS) for term in terms.lone]
    counts: Counter[int] = Counter()
    for (term, start), count in Counter(pairs).most_common(MOST_QUERY_TERMS):
        counts[_index(term, start)] += count
    return _sorted(counts)


def _index(term: str, start: int) -> int:
    """Return the index of a term: CRC-32, by which no two 2-grams of the basic plane collide.

    Such a 2-gram is 4 bytes of UTF-16, and CRC-32 maps different 4 bytes to different numbers.
    """
    return zlib.crc32(term.encode("utf-16-le"), start)


def _sorted(weights: Mapping[int, float]) -> SparseVector:
    indices = np.fromiter(weights.keys(), np.uint32, len(weights))
    values = np.fromiter(weights.values(), np.float32, len(weights))
    order = np.argsort(indices)
    return SparseVector(indices[order], values[order])
