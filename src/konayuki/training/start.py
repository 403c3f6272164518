"""The model that a run starts from, where it does not start from a random table.

`model.start` names the bundled model, a model folder, or another recipe, which is trained first.
The run takes its tokenizer, its rows and its tanh, and lists what it was trained on beside its own
sources.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from tokenizers import Tokenizer

from konayuki.errors import DimensionError, InputError, NotFoundError
from konayuki.evaluation.card_facts import SOURCES_FILE
from konayuki.model import StaticModel
from konayuki.model.checkpoint import TOKENIZER_FILE, model_folder
from konayuki.model.static import BUNDLED
from konayuki.model.weights import Weights, is_straight
from konayuki.training.network import TrainedSSE
from konayuki.training.recipe import ModelSettings
from konayuki.training.recipe_file import RECIPE_SUFFIX

BUNDLED_NAME = "bundled"
START_FOLDER = "start"  # of the run of a recipe that is trained first

TrainFirst: TypeAlias = Callable[[Path], tuple[Path, float]]


@dataclass(frozen=True)
class Start:
    """A trained model to go on from.

    Attributes:
        weights: with all their outputs.
        tokenizer_json: bytes of the tokenizer.
        sources: lines of its SOURCES.tsv without the heading.
        seconds: that it took to train, where that was part of this run.
    """

    weights: Weights
    tokenizer_json: bytes
    sources: tuple[str, ...] = ()
    seconds: float = 0.0


def read_start(model: ModelSettings, folder: Path, train_first: TrainFirst) -> Start | None:
    """Return what `model.start` names, or None for nothing.

    Args:
        model: settings; `start` is "bundled", a model folder, a recipe, or "".
        folder: that of the recipe, from which the others are named.
        train_first: trains a recipe; returns the folder of its model and the seconds that it took.

    Raises:
        NotFoundError: there is no such folder or recipe.
        CheckpointError: the folder holds no model, or a damaged one.
        DimensionError: it has fewer dimensions than the run is to have.
        InputError: it has a tanh, which a StaticEmbedding cannot keep.
    """
    if not model.start:
        return None
    start = _find(model.start, folder, train_first)
    if start.weights.dim < model.dims[0]:
        raise DimensionError(
            f"model.dims begins with {model.dims[0]}, but model.start has {start.weights.dim} "
            "dimensions"
        )
    if model.static_embedding and not is_straight(start.weights):
        raise InputError(
            f"model.static_embedding is true, but {model.start!r} of model.start has a tanh, which "
            "a StaticEmbedding cannot keep\nhint: leave model.static_embedding out"
        )
    return start


def _find(name: str, folder: Path, train_first: TrainFirst) -> Start:
    if name.endswith(RECIPE_SUFFIX):
        trained, seconds = train_first(folder / name)
        return _read(trained, seconds=seconds)
    if name == BUNDLED_NAME:
        return _read(BUNDLED, unlisted=f"{BUNDLED_NAME}\t-\tthe model of konayuki\tits NOTICE.md")
    model = folder / name
    if not model.is_dir():
        raise NotFoundError(
            f"model.start is {name!r}, but there is no folder {model}\n"
            'hint: "bundled", a model folder, or a recipe that ends in .toml'
        )
    return _read(model, unlisted=f"{model.name}\t-\tthe model that training started from\tunknown")


def _read(folder: Path, *, unlisted: str = "", seconds: float = 0.0) -> Start:
    """Return the model of a folder; `unlisted` stands for its sources where it lists none."""
    weights = StaticModel.load(folder).weights
    lines = [unlisted]
    if (folder / SOURCES_FILE).is_file():
        lines = (folder / SOURCES_FILE).read_text(encoding="utf-8").splitlines()[1:]
    tokenizer = (model_folder(folder) / TOKENIZER_FILE).read_bytes()
    return Start(weights, tokenizer, tuple(lines), seconds)


def started_network(start: Start, tokenizer: Tokenizer, dim: int) -> TrainedSSE:
    """Return a network with the first `dim` outputs of a trained model."""
    weights = start.weights.crop(dim)
    straight = is_straight(weights)
    network = TrainedSSE(tokenizer, weights.vocab_size, dim, tanh=not straight)
    values = {"embedding.weight": weights.float_table().values}
    if not straight:
        values |= {f"dyt.{name}": getattr(weights, name) for name in ("alpha", "beta", "bias")}
    network.load_state_dict({name: torch.from_numpy(one.copy()) for name, one in values.items()})
    return network
