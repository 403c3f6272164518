"""The model as one file: rows of the chosen width, the tanh, and the tokenizer."""

import json
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from konayuki.errors import DimensionError, InputError
from konayuki.model import StaticModel, code_points
from konayuki.model.normalizers import WHITE_SPACE, UnsupportedError, flatten
from konayuki.model.packed import PackedTable
from konayuki.model.unigram_definition import UnigramDefinition, read_unigram
from konayuki.model.unigram_reference import UNKNOWN_PENALTY, as_tokenizers_reads
from konayuki.site.containers import as_array, json_bytes, packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_DIM = 32
_STEPS = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "Replace", "Prepend", "Precompiled"}
_MAP = "precompiled_charsmap"
_CLASS_ESCAPE = re.compile(r"\\U([0-9a-f]{8})")


def site_model(model: StaticModel, dim: int) -> StaticModel:
    """Return the model as a browser gets it: 4-bit rows, the first `dim` columns.

    Raises:
        DimensionError: The model has fewer dimensions, or the number is odd or below 32.
        InputError: The tokenizer has parts that the runtime does not know.
    """
    if dim % 2 or not LEAST_DIM <= dim <= model.dim:
        raise DimensionError(
            f"{dim} dimensions: expected an even number from {LEAST_DIM} to {model.dim}\n"
            "hint: 128 loads fastest, 256 finds more"
        )
    _definition(model)
    weights = model.weights.packed(nearest=True).crop(dim)
    if dim == model.dim and weights is model.weights:
        return model
    return model.with_weights(weights)


def model_file(model: StaticModel) -> bytes:
    """Return the container of a model that `site_model` gave."""
    definition, unigram = _definition(model)
    table = model.weights.table
    assert isinstance(table, PackedTable)  # noqa: S101 - ours: site_model packs it
    scores = np.array([as_tokenizers_reads(score) for score in unigram.scores], np.float64)
    steps, maps = _steps(definition)
    weights = model.weights
    arrays: dict[str, NDArray[Any]] = {
        "codes": table.codes,
        "scales": table.scales,
        "alpha": weights.alpha,
        "beta": weights.beta,
        "bias": weights.bias,
        "scores": scores,
        "pieces": as_array(json_bytes(unigram.pieces)),
        "tokenizer": as_array(json_bytes(_tokenizer(definition, unigram, steps))),
    }
    if not weights.pooling.is_plain:
        arrays["pooling"] = weights.pooling.to_array()
    arrays |= {f"map{number}": as_array(content) for number, content in enumerate(maps)}
    return packed(arrays)


def _tokenizer(
    definition: Mapping[str, Any], unigram: UnigramDefinition, steps: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "steps": steps,
        "pretokenizer": flatten(definition.get("pre_tokenizer"), "pretokenizers"),
        "unk_id": unigram.unk_id,
        "unknown_penalty": UNKNOWN_PENALTY,
        "white_space": WHITE_SPACE,
        "young": _script_class(code_points.YOUNG),
        "extending": _script_class(code_points.EXTENDING),
        "prepended": _script_class(code_points.PREPENDED),
        "controls": _script_class(code_points.CONTROLS),
    }


def _definition(model: StaticModel) -> tuple[dict[str, Any], UnigramDefinition]:
    """Return the definition of a tokenizer that the runtime knows, as JSON and as checked.

    Raises:
        InputError: It has other parts.
    """
    definition = json.loads(model.tokenizer_json)
    try:
        if definition["model"].get("type") != "Unigram":
            raise UnsupportedError(f"a model of the type {definition['model'].get('type')}")
        unigram = read_unigram(definition)
        if unigram.added.tokens or unigram.byte_ids:
            raise UnsupportedError("added tokens, or bytes in place of unknown characters")
    except UnsupportedError as error:
        raise InputError(
            f"the tokenizer has {error}: expected a plain Unigram tokenizer for a site\n"
            "hint: the bundled model has one"
        ) from error
    return definition, unigram


def _steps(definition: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the steps of the normaliser, character maps by number, and these maps."""
    steps, maps = [], []
    for part in flatten(definition.get("normalizer"), "normalizers"):
        assert part["type"] in _STEPS  # noqa: S101 - ours: read_unigram refuses others
        step = dict(part)
        if _MAP in step:
            maps.append(b64decode(step.pop(_MAP)))
            step["map"] = f"map{len(maps) - 1}"
        steps.append(step)
    return steps, maps


def _script_class(python_class: str) -> str:
    r"""Return a class of code points as JavaScript writes it, with \u{...} for \U........"""
    return _CLASS_ESCAPE.sub(lambda code: rf"\u{{{int(code[1], 16):x}}}", python_class)
