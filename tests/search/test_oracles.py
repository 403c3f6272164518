"""Rankings against brute force that shares no code with them."""

import math
from collections import Counter
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from konayuki.search import Index
from search.corpus import queries, records
from search.stand_in import HashEncoder

MODEL = HashEncoder(dim=96)


def text_of(record: dict) -> str:
    return "\n".join(part for part in (record["title"], record["text"]) if part)


def kind_of(character: str) -> str:
    if character.isascii():
        return "word" if character.isalnum() else ""
    return "run" if character.isalpha() else ""


def grams(text: str) -> list[str]:
    """The terms of a text, by grouping characters of one kind."""
    found = []
    for kind, group in groupby(text.lower(), key=kind_of):
        part = "".join(group)
        if kind == "word":
            found.append(part)
        elif kind == "run":
            found += [part[i : i + 2] for i in range(len(part) - 1)]
    return found


def rounded_length(length: int) -> int:
    """Lengths as Lucene and tantivy keep them: exact to 40, then 8 steps a doubling."""
    kept, step = list(range(41)), 2
    while kept[-1] < length:
        kept += [kept[-1] + step * (n + 1) for n in range(8)]
        step *= 2
    return max(value for value in kept if value <= length)


def idf_of(documents: list[list[str]], term: str) -> float:
    n_documents = len(documents) + 1  # the mark of the generation is a document without terms
    holding = sum(term in document for document in documents)
    return math.log(1 + (n_documents - holding + 0.5) / (holding + 0.5))


def bm25(documents: list[list[str]], query: list[str]) -> np.ndarray:
    n_documents = len(documents) + 1
    mean = sum(map(len, documents)) / n_documents
    scores = np.zeros(len(documents))
    counts = [Counter(document) for document in documents]
    for term, repeats in Counter(query).items():
        idf = idf_of(documents, term)
        for number, count in enumerate(counts):
            norm = 1.2 * (1 - 0.75 + 0.75 * rounded_length(len(documents[number])) / mean)
            scores[number] += repeats * idf * count[term] * 2.2 / (count[term] + norm)
    return scores


def most_bm25(documents: list[list[str]], query: list[str]) -> float:
    """What a document of every term without end would have."""
    return sum(idf_of(documents, term) * 2.2 for term in query)


@pytest.fixture(scope="module")
def corpus() -> list[dict]:
    return records(400, seed=3)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, corpus: list[dict]):
    folder: Path = tmp_path_factory.mktemp("oracle") / "i"
    with Index.create(folder, MODEL) as index:
        index.add(corpus)
        yield index


@pytest.mark.parametrize("query", queries(25, seed=5))
def test_lexical_scores_are_bm25(index: Index, corpus: list[dict], query: str):
    expected = bm25([grams(text_of(record)) for record in corpus], grams(query))
    hits = index.search(query, 400, "lexical")
    assert {hit.id for hit in hits} == {corpus[n]["id"] for n in np.flatnonzero(expected)}
    by_id = {record["id"]: score for record, score in zip(corpus, expected, strict=True)}
    assert [hit.score for hit in hits] == pytest.approx([by_id[hit.id] for hit in hits], rel=1e-5)


@pytest.mark.parametrize("query", queries(25, seed=6))
def test_dense_scores_are_cosines(index: Index, corpus: list[dict], query: str):
    vectors = MODEL.encode([text_of(record) for record in corpus]).astype(np.float64)
    exact = vectors @ MODEL.encode([query])[0]
    hits = index.search(query, 10, "dense")
    by_id = {record["id"]: score for record, score in zip(corpus, exact, strict=True)}
    assert [hit.score for hit in hits] == pytest.approx([by_id[hit.id] for hit in hits], abs=0.01)
    # Rounding to int8 may swap neighbours, never let in what is clearly worse.
    assert min(by_id[hit.id] for hit in hits) >= np.sort(exact)[-10] - 0.01


def test_the_best_ten_of_int8_are_those_of_float(tmp_path: Path):
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((3000, 96)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    class Given(HashEncoder):
        def encode(self, texts):
            return vectors[[int(text) for text in texts]]

    with Index.create(tmp_path / "i", Given(dim=96)) as index:
        index.add({"id": str(n), "text": str(n)} for n in range(3000))
        shared = 0
        for number in range(100):
            exact = np.argsort(-(vectors @ vectors[number]))[:10]
            found = index.search(str(number), 10, "dense")
            shared += len({str(n) for n in exact} & {hit.id for hit in found})
    assert shared / 1000 >= 0.98


@pytest.mark.parametrize("query", queries(25, seed=7))
def test_hybrid_knows_both_scores_of_every_hit(index: Index, corpus: list[dict], query: str):
    lexical = {hit.id: hit.score for hit in index.search(query, 400, "lexical")}
    dense = {hit.id: hit.score for hit in index.search(query, 400, "dense")}
    for hit in index.search(query, 50):
        assert hit.lexical == pytest.approx(lexical.get(hit.id, 0.0), rel=1e-5)
        assert hit.dense == pytest.approx(dense[hit.id], abs=1e-6)


@pytest.mark.parametrize("where", [None, {"lang": "ja", "year": [2023, 2024]}])
@pytest.mark.parametrize("query", [*queries(12, seed=8), "日本の富士山は zzz"])
def test_hybrid_ranks_as_if_every_document_were_scored(
    index: Index, corpus: list[dict], query: str, where: dict | None
):
    documents = [grams(text_of(record)) for record in corpus]
    words = bm25(documents, grams(query))
    covered = words / most_bm25(documents, grams(query))
    dense = {hit.id: hit.score for hit in index.search(query, 400, "dense")}
    exact = {
        record["id"]: dense[record["id"]] + 0.035 * score * share
        for record, score, share in zip(corpus, words, covered, strict=True)
        if where is None
        or (record["metadata"]["lang"] == "ja" and record["metadata"]["year"] < 2025)
    }
    hits = index.search(query, 10, where=where)
    assert [hit.score for hit in hits] == pytest.approx(sorted(exact.values())[:-11:-1], abs=1e-5)
    assert [hit.score for hit in hits] == pytest.approx([exact[h.id] for h in hits], abs=1e-5)


def test_the_ceiling_holds_after_most_documents_are_gone(tmp_path: Path, corpus: list[dict]):
    """tantivy counts the deleted in its IDF until a merge; the ceiling must count them too."""
    query = "日本の富士山は美しい。" * 3
    with Index.create(tmp_path / "i", MODEL) as index:
        index.add(corpus)
        index.delete([record["id"] for record in corpus[5:]])
        ceiling = index._store.current().lexical.ceiling(query)
        hits = index.search(query, 5)
    assert ceiling == pytest.approx(
        most_bm25([grams(text_of(record)) for record in corpus] + [[]], grams(query)), rel=1e-6
    )
    assert len(hits) == 5 and max(hit.lexical for hit in hits) > 0
    for hit in hits:
        assert hit.lexical <= ceiling
        assert hit.score == pytest.approx(hit.dense + 0.035 * hit.lexical**2 / ceiling, rel=1e-5)


def test_the_ceiling_of_words_that_nobody_has(index: Index, corpus: list[dict]):
    view = index._store.current().lexical
    documents = [grams(text_of(record)) for record in corpus]
    assert view.ceiling("") == view.ceiling("。") == 0
    assert view.ceiling("zzz") == pytest.approx(most_bm25(documents, ["zzz"]), rel=1e-6)
    for hit in index.search("zzz", 5):
        assert hit.score == hit.dense
