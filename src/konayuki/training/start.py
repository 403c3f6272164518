"""The runs that a recipe stands for, and the model that each of them starts from.

`model.start` names the bundled model, a model folder, or another recipe, which is trained first.
So a recipe is a list of runs, the asked one last; each takes tokenizer, rows and tanh of its start,
and lists what that was trained on next to its own sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

from konayuki.errors import DimensionError, InputError, NotFoundError
from konayuki.evaluation.card_facts import SOURCES_FILE
from konayuki.model import StaticModel
from konayuki.model.checkpoint import TOKENIZER_FILE, model_folder
from konayuki.model.static import BUNDLED
from konayuki.model.weights import Weights, is_straight
from konayuki.training.finish import LAYOUTS
from konayuki.training.network import TrainedSSE
from konayuki.training.recipe import ModelSettings, Recipe
from konayuki.training.recipe_file import RECIPE_SUFFIX, read_recipe

BUNDLED_NAME = "bundled"
START_FOLDER = "start"  # in the folder of a run: the run of the recipe that is trained first


@dataclass(frozen=True)
class Run:
    """A recipe to train.

    Attributes:
        path: The file of the recipe; it names other files relative to its folder.
        recipe: Its settings.
        out: The folder of its results.
        start: The folder of the model to start from; None starts from random rows.
    """

    path: Path
    recipe: Recipe
    out: Path
    start: Path | None


@dataclass(frozen=True)
class Start:
    """A trained model to start from.

    Attributes:
        weights: The weights with all their outputs.
        tokenizer_json: The bytes of the tokenizer.
        sources: The lines of its SOURCES.tsv without the heading.
    """

    weights: Weights
    tokenizer_json: bytes
    sources: tuple[str, ...] = ()


def list_runs(path: Path, out: Path, changes: Sequence[str] = ()) -> list[Run]:
    """Return the runs that lead to a recipe, in the order in which they are trained.

    Args:
        path: The recipe.
        out: The folder of its results; a recipe that is trained first has its own inside.
        changes: Settings that replace those of the recipe.

    Raises:
        NotFoundError: A recipe or a folder to start from does not exist.
        InputError: A recipe is wrong.
    """
    recipe = read_recipe(path, changes)
    name = recipe.model.start
    if not name:
        return [Run(path, recipe, out, None)]
    if name.endswith(RECIPE_SUFFIX):
        earlier = list_runs(path.parent / name, out / START_FOLDER)
        return [*earlier, Run(path, recipe, out, earlier[-1].out / LAYOUTS[0])]
    folder = BUNDLED if name == BUNDLED_NAME else path.parent / name
    if not folder.is_dir():
        raise NotFoundError(
            f"model.start is {name!r}: expected a folder {folder}\n"
            'hint: "bundled", a model folder, or a recipe that ends in .toml'
        )
    return [Run(path, recipe, out, folder)]


def read_start(run: Run) -> Start | None:
    """Return the model that a run starts from, or None for random rows.

    Raises:
        CheckpointError: The folder holds no model, or a damaged one.
        DimensionError: It has fewer dimensions than the run is to have.
        InputError: It has a tanh, which a StaticEmbedding cannot keep.
    """
    if run.start is None:
        return None
    settings, weights = run.recipe.model, StaticModel.load(run.start).weights
    if weights.dim < settings.dims[0]:
        raise DimensionError(
            f"model.dims begins with {settings.dims[0]}: "
            f"expected at most {weights.dim}, the dimensions of model.start"
        )
    beyond = "a tanh" if not is_straight(weights) else "weighted tokens"
    if settings.static_embedding and not (is_straight(weights) and weights.pooling.is_plain):
        raise InputError(
            f"model.static_embedding is true, but {settings.start!r} of model.start has {beyond}, "
            "which a StaticEmbedding cannot keep\nhint: leave model.static_embedding out"
        )
    tokenizer = (model_folder(run.start) / TOKENIZER_FILE).read_bytes()
    return Start(weights, tokenizer, _sources(settings, run.start))


def _sources(settings: ModelSettings, folder: Path) -> tuple[str, ...]:
    """Return the lines of a model's SOURCES.tsv, or one that names the model itself."""
    of_run = settings.start.endswith(RECIPE_SUFFIX)  # next to its layouts, of which one may be bare
    listed = (folder.parent if of_run else folder) / SOURCES_FILE
    if listed.is_file():
        return tuple(listed.read_text(encoding="utf-8").splitlines()[1:])
    if settings.start == BUNDLED_NAME:
        return (f"{BUNDLED_NAME}\t-\tthe model of konayuki\tits NOTICE.md",)
    return (f"{folder.name}\t-\tthe model that training started from\tunknown",)


def started_network(start: Start, tokenizer: Tokenizer, dim: int) -> TrainedSSE:
    """Return a network with the first `dim` outputs of a trained model."""
    weights = start.weights.crop(dim)
    straight = is_straight(weights)
    network = TrainedSSE(
        tokenizer, weights.vocab_size, dim, weights.pooling.to_array(), tanh=not straight
    )
    arrays = {"embedding.weight": weights.float_table().values}
    if not straight:
        arrays |= {f"dyt.{name}": getattr(weights, name) for name in ("alpha", "beta", "bias")}
    network.load_state_dict({name: torch.from_numpy(v.copy()) for name, v in arrays.items()})
    return network
