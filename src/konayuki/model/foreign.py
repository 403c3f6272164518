"""Static models without a tanh: folders of sentence-transformers' StaticEmbedding and of model2vec.

Both hold one row per token and take their mean; with a tanh that is a straight line to single
precision they become weights of ours. model2vec leaves out unknown tokens, which a row of zeros
does as well: the mean keeps its direction. Some of its models share a row among tokens (`mapping`)
or weight tokens (`weights`); here every token gets its own weighted row.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from konayuki.arrays import FloatMatrix
from konayuki.errors import CheckpointError
from konayuki.model.model_files import LARGEST_MODULES, LARGEST_TOKENIZER, read_model_file
from konayuki.model.packed import FloatTable
from konayuki.model.tensors import FLOAT_DTYPES, read_integers, read_tensors, tensor_names
from konayuki.model.weights import Weights, straight_tanh

STATIC_EMBEDDING = "embedding.weight"
MODEL2VEC = "embeddings"
OLD_FOLDER = "0_StaticEmbedding"  # where sentence-transformers before version 5 puts the files
MODULES_FILE = "modules.json"
MODULES = {"StaticEmbedding", "Normalize"}  # a cosine does not see whether vectors are normalised


def is_foreign(names: Collection[str]) -> bool:
    """Return whether a file with these tensors is one of StaticEmbedding or of model2vec."""
    return MODEL2VEC in names or set(names) == {STATIC_EMBEDDING}


def read_foreign(path: Path, tokenizer: Path) -> Weights:
    """Return the weights of such a file.

    Args:
        path: The safetensors file.
        tokenizer: The `tokenizer.json` that belongs to it.

    Raises:
        CheckpointError: A tensor is damaged, or `modules.json` names modules that come after.
    """
    _check_modules(path.parent)
    names = tensor_names(path)
    name = MODEL2VEC if MODEL2VEC in names else STATIC_EMBEDDING
    rows = read_tensors(path, [name], (*FLOAT_DTYPES, "I8"))[name]
    if rows.ndim != 2 or not rows.size:
        raise CheckpointError(f"{path}: {name} has shape {rows.shape}: expected (vocab_size, dim)")
    if name == MODEL2VEC:
        rows = _model2vec_rows(rows, names, path, tokenizer)
    largest = max(1.0, float(np.abs(rows).max()))
    return Weights(FloatTable(rows), *straight_tanh(rows.shape[1], largest))


def _model2vec_rows(
    embeddings: FloatMatrix, names: Collection[str], path: Path, tokenizer: Path
) -> FloatMatrix:
    rows = embeddings
    if "mapping" in names:
        mapping = read_integers(path, "mapping")
        if mapping.ndim != 1 or not 0 <= mapping.min(initial=0) <= mapping.max(initial=0) < len(
            rows
        ):
            raise CheckpointError(f"{path}: mapping: expected rows 0 to {len(rows) - 1}")
        rows = embeddings[mapping]
    if "weights" in names:
        weights = read_tensors(path, ["weights"])["weights"]
        if weights.shape != (len(rows),):
            raise CheckpointError(
                f"{path}: weights has shape {weights.shape}: expected ({len(rows)},)"
            )
        rows = rows * weights[:, None]
    try:
        unknown = unknown_token(read_model_file(tokenizer, LARGEST_TOKENIZER))
    except CheckpointError:
        return rows  # a damaged tokenizer is for its own reader to refuse
    if unknown is not None and unknown < len(rows):
        rows[unknown] = 0.0
    return rows


def unknown_token(tokenizer_json: bytes) -> int | None:
    """Return the id of the unknown token, None if there is none or the tokenizer is damaged."""
    try:
        definition: dict[str, Any] = json.loads(tokenizer_json)
        model = definition["model"]
        if "unk_token" not in model:
            unknown = model.get("unk_id")
        else:
            added = {token["content"]: token["id"] for token in definition["added_tokens"]}
            unknown = added.get(model["unk_token"], model["vocab"].get(model["unk_token"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return unknown if isinstance(unknown, int) else None


def _check_modules(folder: Path) -> None:
    """Refuse a pipeline whose later modules change directions; model2vec may name no module."""
    path = (folder.parent if folder.name == OLD_FOLDER else folder) / MODULES_FILE
    if not path.is_file():
        return
    try:
        modules = json.loads(read_model_file(path, LARGEST_MODULES))
        kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a list of modules ({error})") from None
    others = [kind for kind in kinds if kind not in MODULES]
    if others:
        raise CheckpointError(
            f"{path}: module {', '.join(others)}: expected StaticEmbedding, alone or with Normalize"
        )
