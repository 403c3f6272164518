"""Folders of sentence-transformers' StaticEmbedding and of model2vec, against those libraries."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from konayuki.errors import CheckpointError
from konayuki.model import StaticModel

from .samples import as_bytes, ours, word_piece

TEXTS = ["富士山は日本でいちばん高い山です。", "The fuji is high", "", "☃☃ 山", "返す日 xyzzy"]
TOKENIZER = ours()
N_TOKENS = len(TOKENIZER["model"]["vocab"])
UNKNOWN = 0
STATIC = "sentence_transformers.models.StaticEmbedding"
NORMALIZE = "sentence_transformers.models.Normalize"


def random_rows(n_rows: int = N_TOKENS, scale: float = 1.0) -> np.ndarray:
    rows = np.random.default_rng(3).normal(size=(n_rows, 12))
    return (scale * rows).astype(np.float32)


def write(folder: Path, *modules: str, **tensors: np.ndarray) -> Path:
    """Write a folder without either library."""
    nested = folder / "0_StaticEmbedding" if "0_StaticEmbedding" in modules else folder
    nested.mkdir(parents=True)
    (nested / "tokenizer.json").write_bytes(as_bytes(TOKENIZER))
    save_file(
        {name.replace("__", "."): value for name, value in tensors.items()},
        nested / "model.safetensors",
    )
    if modules:
        entries = [{"type": name} for name in modules if name != "0_StaticEmbedding"]
        (folder / "modules.json").write_text(json.dumps(entries), "utf-8")
    return folder


def unit_means(model: StaticModel, rows: np.ndarray, *, without: int | None = None) -> np.ndarray:
    """Return the normalised means of the rows of each text's tokens, in float64."""
    ids, offsets = model.tokenize(TEXTS)
    found = np.zeros((len(TEXTS), rows.shape[1]))
    for place, (start, stop) in enumerate(pairwise(offsets)):
        kept = [token for token in ids[start:stop] if token != without]
        if kept:
            mean = rows[kept].astype(np.float64).mean(axis=0)
            found[place] = mean / np.linalg.norm(mean)
    return found


@pytest.mark.parametrize("modules", [(), (STATIC,), (STATIC, NORMALIZE)])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 200.0])
def test_rows_alone_are_a_model_whose_tanh_changes_nothing(
    tmp_path: Path, modules: tuple[str, ...], scale: float
) -> None:
    rows = random_rows(scale=scale)
    model = StaticModel.load(write(tmp_path / "model", *modules, embedding__weight=rows))

    assert (model.layout, model.dim, model.vocab_size) == ("float", 12, N_TOKENS)
    np.testing.assert_allclose(model.encode(TEXTS), unit_means(model, rows), atol=2e-6)


def test_the_nested_folder_of_older_sentence_transformers_is_found(tmp_path: Path) -> None:
    rows = random_rows()
    folder = write(tmp_path / "old", "0_StaticEmbedding", STATIC, embedding__weight=rows)

    model = StaticModel.load(folder, dim=5)

    np.testing.assert_allclose(model.encode(TEXTS), unit_means(model, rows[:, :5]), atol=2e-6)


def test_model2vec_leaves_unknown_tokens_out_and_weights_and_shares_rows(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    few = random_rows(40)
    mapping, weights = random.integers(0, 40, N_TOKENS), random.uniform(0.2, 2, N_TOKENS)
    plain = StaticModel.load(write(tmp_path / "plain", embeddings=random_rows()))
    shared = StaticModel.load(
        write(tmp_path / "shared", STATIC, embeddings=few, mapping=mapping, weights=weights)
    )
    rows = few[mapping] * weights[:, None]

    wanted = unit_means(plain, random_rows(), without=UNKNOWN)
    np.testing.assert_allclose(plain.encode(TEXTS), wanted, atol=2e-6)
    np.testing.assert_allclose(
        shared.encode(TEXTS), unit_means(shared, rows, without=UNKNOWN), atol=2e-6
    )


def test_what_was_read_is_written_in_our_layouts(tmp_path: Path) -> None:
    model = StaticModel.load(write(tmp_path / "model", embeddings=random_rows()))
    for layout, error in (("float", 1e-6), ("q4", 0.1)):
        model.save(tmp_path / layout, layout=layout)
        again = StaticModel.load(tmp_path / layout)

        np.testing.assert_allclose(again.encode(TEXTS), model.encode(TEXTS), atol=error)


@pytest.mark.parametrize(
    ("modules", "tensors", "message"),
    [
        (
            (STATIC, "x.Dense"),
            {"embedding__weight": random_rows()},
            "module Dense: expected Static",
        ),
        (
            ("SSE.SSE",),
            {"embedding__weight": random_rows()},
            r"modules\.json: module SSE: expected",
        ),
        ((), {"embedding__weight": random_rows()[0]}, r"has shape \(12,\): expected \(vocab_size"),
        (
            (),
            {"embeddings": random_rows(), "mapping": np.full(N_TOKENS, N_TOKENS)},
            "expected rows 0",
        ),
        ((), {"embeddings": random_rows(), "mapping": np.ones(3, np.float32)}, "mapping is F32"),
        ((), {"embeddings": random_rows(), "weights": np.ones(3)}, r"weights has shape \(3,\)"),
        ((), {"bert__weight": random_rows()}, r"it holds bert\.weight\nhint: folders of konayuki"),
        ((), {"embeddings": np.full((3, 2), np.nan, np.float32)}, "not finite"),
        ((), {"embeddings": random_rows(3)}, r"tokens, but the table has 3 rows"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, modules: tuple[str, ...], tensors: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        StaticModel.load(write(tmp_path / "model", *modules, **tensors))


def test_a_list_of_modules_that_is_damaged_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", embedding__weight=random_rows())
    (folder / "modules.json").write_text('{"type": 1}', "utf-8")

    with pytest.raises(CheckpointError, match=r"modules\.json: not a list of modules"):
        StaticModel.load(folder)


def library_tokenizer(parts: dict[str, Any]) -> Any:
    tokenizer = pytest.importorskip("tokenizers").Tokenizer.from_str(as_bytes(parts).decode())
    tokenizer.no_truncation()  # we never cut a text
    return tokenizer


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("parts", [ours(), word_piece()], ids=["unigram", "wordpiece"])
def test_vectors_are_those_of_sentence_transformers(
    tmp_path: Path, parts: dict[str, Any], normalize: bool
) -> None:
    library = pytest.importorskip("sentence_transformers")
    modules = pytest.importorskip("sentence_transformers.models")
    tokenizer = library_tokenizer(parts)
    rows = random_rows(tokenizer.get_vocab_size())
    pipeline = [modules.StaticEmbedding(tokenizer, embedding_weights=rows)]
    pipeline += [modules.Normalize()] * normalize
    theirs = library.SentenceTransformer(modules=pipeline, device="cpu")
    theirs.save(str(tmp_path / "model"), create_model_card=False)

    model = StaticModel.load(tmp_path / "model")

    wanted = theirs.encode(TEXTS)
    np.testing.assert_allclose(model.encode(TEXTS, normalize=normalize), wanted, atol=2e-6)


@pytest.mark.parametrize("parts", [ours(), word_piece()], ids=["unigram", "wordpiece"])
@pytest.mark.parametrize("kind", ["plain", "shared rows", "float16", "int8"])
def test_vectors_are_those_of_model2vec(tmp_path: Path, parts: dict[str, Any], kind: str) -> None:
    library = pytest.importorskip("model2vec", reason="model2vec is not installed")
    tokenizer = library_tokenizer(parts)
    size = tokenizer.get_vocab_size()
    rows, options = random_rows(size), {}
    if kind == "shared rows":
        random = np.random.default_rng(1)
        options = {
            "weights": random.uniform(0.2, 2, size).astype(np.float32),
            "token_mapping": random.integers(0, size, size),
        }
    theirs = library.StaticModel(rows, tokenizer, normalize=True, **options)
    if kind in {"float16", "int8"}:
        theirs = library.model.quantize_model(theirs, quantize_to=kind)
    theirs.save_pretrained(tmp_path / "model")

    model = StaticModel.load(tmp_path / "model")

    wanted = theirs.encode(TEXTS).astype(np.float32)
    error = 2e-3 if kind == "float16" else 2e-6  # it adds up in float16
    np.testing.assert_allclose(model.encode(TEXTS), wanted, atol=error)
