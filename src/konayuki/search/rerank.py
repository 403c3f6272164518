"""The second look without an index: texts that another search found, in the order that they answer.

The features are those of `Index.search`. What a feature has to know of a whole corpus, the weights
of rare and common words, is taken from the texts themselves.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatMatrix, FloatVector
from konayuki.errors import InputError
from konayuki.search.arguments import check_search
from konayuki.search.bm25 import K1, idf, saturate
from konayuki.search.clauses import MAX_QUERY_TERMS, OTHER_SPELLING, counted_terms
from konayuki.search.encoder import TokenEncoder
from konayuki.search.prepared import prepared
from konayuki.search.ranker import Candidates, ranker_of
from konayuki.search.spelling import is_kana
from konayuki.search.terms import other_spellings, terms_of
from konayuki.search.token_ids import TokenView, token_block

# Words that every text has in common would weigh nothing, and those that none has most of all: in
# a corpus both stand among many other texts.
_OTHER_TEXTS = 100


class Reranked(NamedTuple):
    """A text in its new place.

    Attributes:
        position: Its place in the list that was given, from 0.
        relevance: How likely it answers the question, from 0 to 1; comparable between questions,
            and never less than that of a text further down.
        score: What the texts are ordered by; comparable within one answer only.

    Examples:
        >>> from konayuki.search import rerank
        >>> best = rerank("富士山の高さ", ["琵琶湖は湖である。", "富士山は高い山である。"])[0]
        >>> best.position, 0 <= best.relevance <= 1
        (1, True)
    """

    position: int
    relevance: float
    score: float


def rerank(
    query: str, texts: Iterable[str], *, model: TokenEncoder | None = None, k: int | None = None
) -> list[Reranked]:
    """Return texts in the order in which they answer a question, best first.

    Args:
        query: A question or a few words; with an empty one the order stays as it is.
        texts: What to order; equal ones keep their order.
        model: Default: the bundled model.
        k: How many of the best to return. Default: all.

    Raises:
        InputError: An argument is of another type, or too long.

    Examples:
        >>> texts = ["琵琶湖は日本最大の湖である。", "富士山の標高は3776メートルである。"]
        >>> rerank("富士山の高さ", texts)[0].position
        1
    """
    check_search(query, 0 if k is None else k, "hybrid")
    passages = _checked(texts)
    if not passages:
        return []
    model = _bundled() if model is None else model
    candidates = candidates_of(prepared(query), [prepared(text) for text in passages], model)
    ranker = ranker_of(model)
    n_texts = len(passages)
    scores = np.sum(list(ranker.parts(candidates, n_texts).values()), axis=0)
    relevance = ranker.relevance_of(candidates, scores, n_texts)
    order = np.argsort(-scores, kind="stable")
    falling = np.maximum.accumulate(relevance[order][::-1])[::-1]
    columns = (order.tolist(), falling.tolist(), scores[order].tolist())
    return [Reranked(*line) for line in zip(*columns, strict=True)][:k]


def candidates_of(query: str, texts: Sequence[str], model: TokenEncoder) -> Candidates:
    """Return the features of texts for a question; all of them as `prepared` gives them."""
    vectors = model.encode([query, *texts])
    lexical, ceiling = _bm25(query, texts)
    block = token_block(model, texts)
    counts = np.zeros(model.late.vocab_size, np.int32)
    ends = np.ascontiguousarray(block.ends[:, 0])
    model.late.count(block.ids, ends, 0, counts)
    view = TokenView(
        model.late,
        block.ids,
        np.arange(len(texts), dtype=np.int64),
        block.ends,
        block.sentences,
        block.lengths,
        partial(_idf, len(texts), counts),
    )
    question_ids = model.tokenize([query]).ids
    late, sentence, n_tokens = view.score(question_ids, view.rows)
    return Candidates(_cosines(vectors), lexical, late, sentence, n_tokens, ceiling)


def _cosines(vectors: FloatMatrix) -> FloatVector:
    # Row by row: a matrix product sums rows in several ways, and equal texts would differ.
    cosines: FloatVector = np.clip((vectors[1:] * vectors[0]).sum(axis=1), -1, 1)
    return cosines


def _idf(n_texts: int, n_holding: NDArray[np.integer]) -> FloatVector:
    weights: FloatVector = idf(n_texts + _OTHER_TEXTS, n_holding.astype(np.float64)).astype(
        np.float32
    )
    return weights


def _bm25(query: str, texts: Sequence[str]) -> tuple[FloatVector, float]:
    """Return the BM25 of each text, float32 (n,), and the BM25 that no text exceeds.

    As `konayuki.search.clauses` has it, other spellings of terms included, those of whole words
    not: the texts are few and at hand, and the second look compares them token by token.
    """
    others = other_spellings(query)
    terms = counted_terms(query).most_common(MAX_QUERY_TERMS)
    wanted = dict.fromkeys(
        (field, spelling)
        for (field, term), _ in terms
        for spelling in (term, *others.get(term, ()))
    )
    columns = {key: number for number, key in enumerate(wanted)}
    counts, lengths = _counts(texts, list(columns))
    fields = np.array([field == "characters" for field, _ in columns], dtype=np.int64)
    means = np.maximum(lengths.mean(axis=0), 1)
    saturated = saturate(counts, lengths[:, fields], means[fields])
    weights = _idf(len(texts), np.count_nonzero(counts, axis=0))
    occurs = counts.max(axis=0) > 0
    scores, ceiling = np.zeros(len(texts)), 0.0
    for (field, term), repetitions in terms:
        own = columns[field, term]
        best, weight = weights[own] * saturated[:, own], weights[own]
        spellings = () if occurs[own] and is_kana(term) else others.get(term, ())
        places = [columns[field, spelling] for spelling in spellings]
        places = [place for place in places if occurs[place]]
        for place in places:
            share = OTHER_SPELLING * min(1.0, weights[own] / weights[place])
            best = np.maximum(best, share * weights[place] * saturated[:, place])
        if places and not occurs[own]:
            weight = OTHER_SPELLING * weights[places].max()
        scores += repetitions * best
        ceiling += repetitions * (K1 + 1) * float(weight)
    return scores.astype(np.float32), ceiling


def _counts(
    texts: Sequence[str], keys: Sequence[tuple[str, str]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how often each text holds each term, (n, terms), and its lengths (n, 2).

    The lengths are those of the fields "grams" and "characters".
    """
    counts = np.zeros((len(texts), len(keys)))
    lengths = np.zeros((len(texts), 2))
    grams = [(place, term) for place, (field, term) in enumerate(keys) if field == "grams"]
    characters = [(place, term) for place, (field, term) in enumerate(keys) if field != "grams"]
    for number, text in enumerate(texts):
        terms = terms_of(text)
        lengths[number] = len(terms.grams), len(terms.characters)
        for wanted, all_terms in ((grams, terms.grams), (characters, terms.characters)):
            held = Counter(all_terms) if wanted else {}
            for place, term in wanted:
                if term in held:
                    counts[number, place] = held[term]
    return counts, lengths


def _checked(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise InputError("texts is a string: expected a list of texts\nhint: [text]")
    passages = list(texts)
    for number, text in enumerate(passages):
        if not isinstance(text, str):
            raise InputError(f"text {number} is a {type(text).__name__}: expected a string")
    return passages


@cache  # loading it would take longer than most calls
def _bundled() -> TokenEncoder:
    from konayuki.model import StaticModel

    return StaticModel.load()
