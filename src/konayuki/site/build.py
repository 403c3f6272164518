"""Documents into the files that a page searches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

import konayuki
from konayuki.arrays import FloatMatrix, row_scales, to_levels
from konayuki.errors import InputError
from konayuki.model import StaticModel, late
from konayuki.model.dtypes import quantize_vectors
from konayuki.search import Document, clauses, ranker, ranking
from konayuki.search.bm25 import idf
from konayuki.search.ranker import ranker_of
from konayuki.search.terms import terms_of
from konayuki.search.token_ids import TokenBlock
from konayuki.site import language
from konayuki.site.cache import Cache
from konayuki.site.containers import as_array, json_bytes, packed, varints, zipped
from konayuki.site.encoding import encoded, joined
from konayuki.site.model_file import model_file, site_model
from konayuki.site.output import Output
from konayuki.site.postings import MOST_SHARDS, Field, length_steps
from konayuki.site.summary import Summary

FORMAT = 2
RUNTIME = ("konayuki.js", "konayuki-worker.js", "konayuki-search.js")
MANIFEST = "manifest.json"
BITS = (8, 4)
_CHUNK_BYTES = 4_000  # of text; what a hit costs to show, at half of it after compression
# A second look wants the tokens of 200 passages. Of a small site these are spread over all files,
# so there are few; of a large one each has few passages, so that not everything is loaded.
_SMALL_SITE, _FEW_TOKEN_FILES, _PER_TOKEN_FILE = 20_480, 4, 64


@dataclass(frozen=True)
class Settings:
    """How a site is searched.

    Attributes:
        dim: Dimensions of model and vectors: 128 loads fastest, 256 finds more.
        bits: Bits of a number in a vector, 8 or 4.

    Raises:
        InputError: Another number of bits.

    Examples:
        >>> Settings(dim=256).bits
        8
    """

    dim: int = 128
    bits: int = 8

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise InputError(f"bits is {self.bits}: expected 8 or 4")


DEFAULT_SETTINGS = Settings()


def build_site(
    documents: Iterable[Document],
    out: Path,
    model: StaticModel | None = None,
    settings: Settings = DEFAULT_SETTINGS,
    *,
    cache: Cache | None = None,
) -> Summary:
    """Write the search of some documents into a folder, for a page to load.

    The same documents, model and settings give the same bytes. Files that are there already are not
    written again, and files of earlier builds that nothing names any more are removed.

    Args:
        documents: The passages; their `metadata` says `url` or `path`, and perhaps `anchor`.
        out: The folder, `konayuki/` in the root of a site; made if it does not exist.
        model: Default: the bundled model.
        settings: How the site is searched.
        cache: Where vectors and tokens of earlier builds are kept; default: nowhere.

    Raises:
        DimensionError: The model has fewer dimensions than the settings want.
        InputError: Two documents have one id, or the tokenizer is one that the runtime lacks.
        WriteError: A file cannot be written.

    Examples:
        >>> from konayuki.search import Document
        >>> page = Document("fuji", "標高は3776メートルである。", metadata={"url": "fuji.html"})
        >>> build_site([page], Path("site/konayuki"), model).passages
        1
    """
    model = StaticModel.load() if model is None else model
    narrow = site_model(model, settings.dim)
    ordered = sorted(documents, key=lambda document: document.id)  # ties go by id, as in an index
    _check_ids(ordered)
    output = Output(out)
    words = _put_words(output, ordered)
    meaning = _put_meaning(output, narrow, ordered, settings, cache or Cache())
    start = _start(ordered, words.common)
    manifest = json_bytes(
        {
            "format": FORMAT,
            "generator": f"konayuki {konayuki.__version__}",
            "passages": len(ordered),
            "start": {"file": output.put_named("start", start), "bytes": len(start)},
            **words.fields,
            "texts": _put_texts(output, ordered),
            "dictionary": _put_dictionary(output),
            **meaning,
            "lexical": clauses.rules(),
            "ranking": _ranking(model),
        }
    )
    runtime = [_runtime(name) for name in RUNTIME]
    for name, content in zip((*RUNTIME, MANIFEST), (*runtime, manifest), strict=True):
        output.put(name, content)  # the manifest last: it names the others
    return Summary(
        out=str(out),
        pages=len({document.chunk_of or document.id for document in ordered}),
        passages=len(ordered),
        dim=settings.dim,
        bits=settings.bits,
        removed=output.sweep(),
        files=output.n_files,
        written=output.n_written,
        total_bytes=output.total_bytes,
        first_bytes=sum(map(len, [*runtime, manifest, start])),
        model_bytes=meaning["model"]["bytes"],
        vector_bytes=meaning["vectors"]["bytes"],
    )


def _check_ids(ordered: Sequence[Document]) -> None:
    for first, second in pairwise(ordered):
        if first.id == second.id:
            raise InputError(f"two documents have the id {first.id!r}: expected one")


def _runtime(name: str) -> bytes:
    return files("konayuki.site").joinpath("runtime").joinpath(name).read_bytes()


def _ranking(model: StaticModel) -> dict[str, Any]:
    """Return the constants of the ranking, and the weights of the second look.

    They are those of the whole model, also for fewer dimensions: learned with all of them, they
    still find more than the default ones.
    """
    chosen = ranker_of(model)
    return {
        **ranking.rules(),
        **ranker.rules(),
        "columns": late.COLUMNS,
        "most_tokens": late.MAX_QUERY_TOKENS,
        "weights": dict(chosen.weights),
        "relevance": dict(chosen.relevance),
    }


class _Words(NamedTuple):
    """The lexical half: what the manifest says of each field, and the common terms of each."""

    fields: dict[str, dict[str, Any]]
    common: dict[str, list[str]]


def _put_words(output: Output, documents: Sequence[Document]) -> _Words:
    grams, characters = Field(), Field()
    for document in documents:
        terms = terms_of(document.searched_text)
        grams.add(terms.grams)
        characters.add(terms.characters)
    fields: dict[str, dict[str, Any]] = {}
    common: dict[str, list[str]] = {}
    for name, field in (("words", grams), ("characters", characters)):
        shards = field.shards(MOST_SHARDS[name])
        common[name] = shards.common
        # The mark of an index is a document to tantivy, too: with it, scores are the same.
        n_counted = len(documents) + 1
        fields[name] = {
            "folder": output.put_parts(name, shards.parts),
            "shards": shards.n_hashed,
            "documents": n_counted,
            "mean_length": sum(field.lengths) / n_counted,
            "lengths": shards.frequent,
        }
    return _Words(fields, common)


def _start(documents: Sequence[Document], common: dict[str, list[str]]) -> bytes:
    """Return what every search needs: where texts lie, equal passages, how texts become terms."""
    return packed(
        {
            "length_steps": length_steps().astype(np.uint32),
            "twins": varints(np.array(_twins(documents), np.int64))[0],
            "text_sizes": varints(np.diff([*_text_starts(documents), len(documents)]))[0],
            "common": as_array(json_bytes(common)),
            "language": as_array(json_bytes(language.rules())),
        }
    )


def _twins(documents: Sequence[Document]) -> list[int]:
    """Return, of each passage that an earlier one equals, the distance to the one before it here.

    Behind each distance comes the one to the first passage that is equal.
    """
    firsts: dict[tuple[str, str, str], int] = {}
    distances, last = [], 0
    for row, document in enumerate(documents):
        first = firsts.setdefault((document.title, document.heading, document.text), row)
        if first != row:
            distances += [row - last, row - first]
            last = row
    return distances


def _text_starts(documents: Sequence[Document]) -> list[int]:
    """Return the first passage of each file of texts: whole pages as long as they fit."""
    starts = [0] if documents else []
    size = 0
    for row, document in enumerate(documents):
        n_bytes = len(document.text.encode())
        new_page = row and document.chunk_of != documents[row - 1].chunk_of
        limit = _CHUNK_BYTES if new_page or not document.chunk_of else 2 * _CHUNK_BYTES
        if size and size + n_bytes > limit:
            starts.append(row)
            size = 0
        size += n_bytes
    return starts


def _put_dictionary(output: Output) -> dict[str, Any]:
    parts = [zipped(json_bytes(blocks)) for blocks in language.dictionary()]
    return {"folder": output.put_parts("dictionary", parts), "shards": len(parts)}


def _put_texts(output: Output, documents: Sequence[Document]) -> dict[str, Any]:
    starts = [*_text_starts(documents), len(documents)]
    parts = [zipped(json_bytes(_texts(documents[first:last]))) for first, last in pairwise(starts)]
    return {"folder": output.put_parts("passages", parts), "files": len(parts)}


def _texts(documents: Sequence[Document]) -> dict[str, Any]:
    pages: dict[tuple[str, str], int] = {}
    passages = []
    for document in documents:
        page = pages.setdefault((_url(document), document.title), len(pages))
        anchor = document.metadata.get("anchor", "")
        passages.append(
            [
                document.id,
                page,
                document.heading,
                anchor if isinstance(anchor, str) else "",
                document.text,
            ]
        )
    return {"pages": [list(page) for page in pages], "passages": passages}


def _url(document: Document) -> str:
    """Return the address of a document, relative to the root of the site."""
    url = document.metadata.get("url")
    if isinstance(url, str):
        return url
    path = document.metadata.get("path")
    return quote(path if isinstance(path, str) else document.chunk_of or document.id)


def _put_meaning(
    output: Output,
    model: StaticModel,
    documents: Sequence[Document],
    settings: Settings,
    cache: Cache,
) -> dict[str, dict[str, Any]]:
    texts = [document.embedded_text for document in documents]
    passages = list(encoded(model, texts, cache))
    vectors = np.array([passage.vector for passage in passages], np.float32)
    vectors = vectors.reshape(-1, model.dim)
    size = _PER_TOKEN_FILE
    if len(texts) <= _SMALL_SITE:
        size = max(size, -(-len(texts) // _FEW_TOKEN_FILES))
    counts = np.zeros(model.vocab_size, np.int32)
    parts = []
    for at in range(0, len(passages), size):
        block = joined(passages[at : at + size])
        model.late.count(block.ids, np.ascontiguousarray(block.ends[:, 0]), 0, counts)
        parts.append(_token_file(block))
    weights = idf(len(texts), counts.astype(np.float64)).astype(np.float32)
    vector_bytes = packed(
        {
            "codes": _codes(vectors, settings.bits),
            "empty": np.flatnonzero(~vectors.any(axis=1)).astype(np.uint32),
            "idf": weights,
        }
    )
    model_bytes = model_file(model)
    return {
        "model": {
            "file": output.put_named("model", model_bytes),
            "bytes": len(model_bytes),
            "dim": model.dim,
            "vocabulary": model.vocab_size,
            "fingerprint": model.fingerprint,
        },
        "vectors": {
            "file": output.put_named("vectors", vector_bytes),
            "bytes": len(vector_bytes),
            "bits": settings.bits,
        },
        "tokens": {"folder": output.put_parts("tokens", parts), "passages": size},
    }


def _token_file(block: TokenBlock) -> bytes:
    """Return ids as varints (frequent tokens have small ids), and where passages and sentences end.

    Sentences end in tokens from the start of their passage.
    """
    content, _ = varints(block.ids)
    return packed(
        {
            "ids": content,
            "ends": block.ends.astype(np.uint32),
            "sentences": block.sentences,
            "lengths": block.lengths,
        }
    )


def _codes(vectors: FloatMatrix, bits: int) -> NDArray[Any]:
    """Return int8 (n, dim) as an index keeps them, or uint8 (n, dim / 2): 4-bit levels.

    Cosines need no scale.
    """
    if bits == 8:
        return quantize_vectors(vectors, "int8")
    levels = to_levels(vectors, row_scales(vectors) if len(vectors) else vectors[:, 0])
    codes = levels.astype(np.uint8)
    pairs: NDArray[np.uint8] = np.bitwise_or(codes[:, 0::2] << 4, codes[:, 1::2])
    return pairs
