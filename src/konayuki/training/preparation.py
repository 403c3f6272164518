"""From a recipe to what a run needs: the tokenised pairs, the held-out tasks, the fresh network."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import CheckpointError, InputError, NotFoundError
from konayuki.model.static import BUNDLED
from konayuki.model.tokenizer import build_tokenizer
from konayuki.training.decontamination import Decontaminator
from konayuki.training.development import Task, hold_out
from konayuki.training.distillation import TaughtTexts
from konayuki.training.network import TrainedSSE, fresh_network
from konayuki.training.pair_store import PairStore, build_store, open_store, store_key
from konayuki.training.recipe import Recipe
from konayuki.training.sources import find_sources, read_pairs
from konayuki.training.start import Start, started_network
from konayuki.training.taught_texts import taught_texts

TEACHER = "teacher"
TEACHER_TOKENS = 16


@dataclass(frozen=True)
class Prepared:
    """What a run is made of.

    Attributes:
        tokenizer_json: bytes of the tokenizer.
        store: the pairs, tokenised.
        tasks: retrieval tasks whose passages and queries are not trained on.
        rows: rows of pairs that may be trained on.
        taught: what the recipe's teacher says, if it has one.
        start: the model to go on from, if the recipe has one.
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
        recipe: the run.
        data: the folder that the patterns of its sources start from.
        cache: where tokenised pairs are kept.
        folder: the folder of the recipe, from which its tokenizer is named.
        start: the model to go on from, whose tokenizer counts then.
    """
    path = folder / recipe.model.tokenizer if recipe.model.tokenizer else BUNDLED / "tokenizer.json"
    if not path.is_file():
        raise NotFoundError(f"model.tokenizer: no file {path}")
    tokenizer_json = start.tokenizer_json if start else path.read_bytes()
    store = _store(recipe, data, cache, tokenizer_json, path)
    tasks, rows = hold_out(store, recipe.development)
    taught = None
    if recipe.distillation.teacher:
        from konayuki.training.second_teacher import SecondTeacher
        from konayuki.training.teacher import Teacher

        taught = taught_texts(
            store,
            rows,
            recipe.distillation,
            build_tokenizer(tokenizer_json, path),
            Teacher.load(),
            cache / "teacher",
            second=SecondTeacher() if recipe.distillation.second_teacher else None,
            seed=recipe.training.seed,
        )
    return Prepared(tokenizer_json, store, tasks, rows, taught, start)


def network_of(prepared: Prepared, recipe: Recipe, data: Path, cache: Path) -> TrainedSSE:
    """Return the network at its start."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(prepared.tokenizer_json.decode())
    if prepared.start:
        return started_network(prepared.start, tokenizer, recipe.model.dims[0])
    of_tokenizer = hashlib.blake2b(prepared.tokenizer_json, digest_size=8).hexdigest()
    kept = cache / f"piece-vectors-{of_tokenizer}.npy"
    vectors = _piece_vectors(tokenizer, recipe.model.piece_vectors, data, kept)
    counts = prepared.store.token_counts()
    return fresh_network(tokenizer, recipe.model, counts, vectors, seed=recipe.training.seed)


def _store(
    recipe: Recipe, data: Path, cache: Path, tokenizer_json: bytes, tokenizer_path: Path
) -> PairStore:
    sources = find_sources(recipe.sources, data)
    evaluation = [data / name for name in recipe.decontaminate]
    key = store_key(sources, tokenizer_json, evaluation)
    folder = cache / f"pairs-{key}"
    if folder.is_dir():
        return open_store(folder, key)
    guard = Decontaminator.of_folders(evaluation)
    pairs = [(one, guard.clean(read_pairs(one, guard.counts), one.name)) for one in sources]
    tokenizer = build_tokenizer(tokenizer_json, tokenizer_path)
    return build_store(pairs, tokenizer, folder, key, guard.report)


def _piece_vectors(
    tokenizer: Any,  # noqa: ANN401 - the library is untyped
    name: str,
    data: Path,
    kept: Path,
) -> NDArray[np.floating[Any]] | None:
    """Return a teacher's vector of every piece: from a file, or the teacher's, which are kept."""
    if not name:
        return None
    path = data / name
    if name == TEACHER:
        path = kept
        if not path.exists():
            _write_piece_vectors(tokenizer, path)
    if not path.is_file():
        raise NotFoundError(f"model.piece_vectors: no file {path}")
    try:
        vectors: NDArray[np.floating[Any]] = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise CheckpointError(f"{path} is not an array file: {error}") from error
    if vectors.shape[:1] != (tokenizer.get_vocab_size(),):
        raise InputError(
            f"{path} has shape {vectors.shape}; expected a row for each of the "
            f"{tokenizer.get_vocab_size()} pieces"
        )
    return vectors


def _write_piece_vectors(tokenizer: Any, path: Path) -> None:  # noqa: ANN401
    from konayuki.training.teacher import QUERY_PREFIX, Teacher

    pieces = [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]
    vectors = Teacher.load().encode(pieces, QUERY_PREFIX, max_tokens=TEACHER_TOKENS)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npy")
    np.save(partial, vectors)
    partial.replace(path)
