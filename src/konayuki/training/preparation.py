"""From a recipe to what a run needs: tokenised pairs, held-out tasks, the network at its start."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import CheckpointError, InputError, NotFoundError
from konayuki.files import replacing
from konayuki.model.static import BUNDLED
from konayuki.model.tokenizer import build_tokenizer
from konayuki.model.tokens import Tokenizer
from konayuki.training.decontamination import Decontaminator
from konayuki.training.development import Task, hold_out
from konayuki.training.distillation import TaughtTexts
from konayuki.training.hub_teacher import PAIR_TOKENS, HubReranker, HubTeacher
from konayuki.training.network import TrainedSSE, fresh_network
from konayuki.training.pair_store import PairStore, build_store, open_store, store_key
from konayuki.training.recipe import Recipe
from konayuki.training.second_teacher import SecondTeacher
from konayuki.training.sources import find_sources, read_pairs
from konayuki.training.start import Start, started_network
from konayuki.training.taught_texts import taught_texts
from konayuki.training.teacher import Teacher
from konayuki.training.teacher_cache import Encoder, TeacherCache

TEACHER, RERANKER = "teacher", "reranker"
TEACHER_TOKENS = 16  # a piece has at most twelve characters


@dataclass(frozen=True)
class Prepared:
    """What a run is made of.

    Attributes:
        tokenizer_json: The bytes of the tokenizer.
        store: The pairs, tokenised.
        tasks: Retrieval tasks whose passages and queries are not trained on.
        rows: The rows of pairs that may be trained on.
        taught: The texts with the teachers' vectors, if the recipe has a teacher.
        start: The model to start from, if the recipe has one.
    """

    tokenizer_json: bytes
    store: PairStore
    tasks: list[Task]
    rows: NDArray[np.int64]
    taught: TaughtTexts | None = None
    start: Start | None = None


def prepare(
    recipe: Recipe, data: Path, cache: Path, folder: Path, start: Start | None = None
) -> Prepared:
    """Return what a run needs; pairs that were tokenised before are opened, not read again.

    Args:
        recipe: The recipe of the run.
        data: The folder that the patterns of its sources start from.
        cache: The folder that keeps tokenised pairs and the teachers' vectors.
        folder: The folder of the recipe, from which its tokenizer is named.
        start: The model to start from, whose tokenizer is used then.

    Raises:
        NotFoundError: The tokenizer, or a file of pairs, does not exist.
    """
    path = folder / recipe.model.tokenizer if recipe.model.tokenizer else BUNDLED / "tokenizer.json"
    if not path.is_file():
        raise NotFoundError(f"model.tokenizer is {recipe.model.tokenizer!r}: no file {path}")
    tokenizer_json = start.tokenizer_json if start else path.read_bytes()
    tokenizer = build_tokenizer(tokenizer_json, path)
    store = _store(recipe, data, cache, tokenizer_json, tokenizer)
    tasks, rows = hold_out(store, recipe.development)
    taught = None
    settings = recipe.distillation
    if settings.teacher:
        taught = taught_texts(
            store,
            rows,
            settings,
            tokenizer,
            _teacher(settings.teacher),
            cache / _cache_name(TEACHER, settings.teacher),
            second=SecondTeacher() if settings.second_teacher else None,
            reranker=_reranker(settings.reranker, cache) if settings.reranker else None,
            seed=recipe.training.seed,
        )
    return Prepared(tokenizer_json, store, tasks, rows, taught, start)


def _store(
    recipe: Recipe, data: Path, cache: Path, tokenizer_json: bytes, tokenizer: Tokenizer
) -> PairStore:
    sources = find_sources(recipe.sources, data)
    evaluation = [data / name for name in recipe.decontaminate]
    key = store_key(sources, tokenizer_json, evaluation)
    folder = cache / f"pairs-{key}"
    if folder.is_dir():
        return open_store(folder, key)
    guard = Decontaminator.of_folders(evaluation)
    pairs = [
        (source, guard.clean(read_pairs(source, guard.counts), source.name)) for source in sources
    ]
    return build_store(pairs, tokenizer, folder, key, guard.report)


def network_of(prepared: Prepared, recipe: Recipe, data: Path, cache: Path) -> TrainedSSE:
    """Return the network at its start: that of `prepared.start`, or fresh rows."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(prepared.tokenizer_json.decode())
    if prepared.start:
        return started_network(prepared.start, tokenizer, recipe.model.dims[0])
    vectors = None
    if name := recipe.model.piece_vectors:
        path = data / name
        if name == TEACHER:
            digest = hashlib.blake2b(prepared.tokenizer_json, digest_size=8).hexdigest()
            teacher = recipe.distillation.teacher
            path = cache / (_cache_name(f"piece-vectors-{digest}", teacher) + ".npy")
            if not path.exists():
                _write_piece_vectors(tokenizer, recipe, path)
        vectors = _read_piece_vectors(path, tokenizer.get_vocab_size())
    counts = prepared.store.token_counts()
    return fresh_network(tokenizer, recipe.model, counts, vectors, seed=recipe.training.seed)


def _teacher(name: str) -> Encoder:
    """Return the teacher that a recipe names: rows may start from one that teaches nothing else."""
    return Teacher.load() if name in ("", TEACHER) else HubTeacher(name)


def _reranker(name: str, cache: Path) -> TeacherCache:
    folder = cache / _cache_name(RERANKER, name)
    return TeacherCache(folder, HubReranker(name), "pairs", PAIR_TOKENS)


def _cache_name(what: str, model: str) -> str:
    """Return a name for what a model said, which is not read as said by another."""
    if model in ("", TEACHER):
        return what
    return f"{what}-{hashlib.blake2b(model.encode(), digest_size=8).hexdigest()}"


def _write_piece_vectors(tokenizer: Any, recipe: Recipe, path: Path) -> None:  # noqa: ANN401
    pieces = [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]
    prefix = recipe.distillation.query_prefix
    teacher = _teacher(recipe.distillation.teacher)
    vectors = teacher.encode(pieces, prefix, max_tokens=TEACHER_TOKENS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        np.save(temporary, vectors)


def _read_piece_vectors(path: Path, n_pieces: int) -> NDArray[np.floating[Any]]:
    if not path.is_file():
        raise NotFoundError(f"model.piece_vectors: no file {path}")
    try:
        vectors: NDArray[np.floating[Any]] = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise CheckpointError(f"{path} is not an array file: {error}") from error
    if vectors.shape[:1] != (n_pieces,):
        raise InputError(
            f"{path} has shape {vectors.shape}: expected a row for each of {n_pieces} pieces"
        )
    return vectors
