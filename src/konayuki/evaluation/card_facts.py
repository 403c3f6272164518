"""What a model card says about a model: read from the files of its folder."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konayuki.errors import DatasetError, InputError, NotFoundError
from konayuki.evaluation.dense import SetScores, Setting
from konayuki.evaluation.metrics import MAIN_METRIC
from konayuki.evaluation.report import Report, from_dict, is_retrieval
from konayuki.rows import read_rows

if TYPE_CHECKING:
    from konayuki.model import StaticModel
    from konayuki.model.weights import Pooling

SCORES_FILE = "evaluation.json"
TRAINING_FILE = "train.json"
SOURCES_FILE = "SOURCES.tsv"


@dataclass(frozen=True)
class ModelFacts:
    """What a model tells about itself.

    Attributes:
        name: Name or hub id.
        vocab_size: Tokens, which is rows.
        dim: Dimensions of a vector.
        bits: Bits per weight.
        n_bytes: Bytes of the weights in memory.
        straight: Whether the tanh leaves the means as they are.
        pooling: How the rows of a text are weighted in their mean.
    """

    name: str
    vocab_size: int
    dim: int
    bits: int
    n_bytes: int
    straight: bool
    pooling: "Pooling"


@dataclass(frozen=True)
class CardSource:
    """Where a part of the training data comes from."""

    file: str
    rows: str
    source: str
    licence: str


@dataclass(frozen=True)
class Training:
    """What a training run left behind in `train.json`."""

    settings: dict[str, Any]
    losses: tuple[tuple[int, float], ...]  # (step, loss)
    ndcgs: tuple[tuple[int, float], ...]  # (step, nDCG@10 on the development sets)
    n_pairs: int | None
    name: str = ""
    licence: str = ""

    @property
    def dims(self) -> tuple[int, ...] | None:
        """The nested dimensions that were trained, None if the record does not say."""
        model = self.settings.get("model")
        dims = model.get("dims") if isinstance(model, dict) else None
        return tuple(dims) if isinstance(dims, list) else None


@dataclass(frozen=True)
class CardFacts:
    """All that a card says about one model; `licence` is "" if unknown."""

    model: ModelFacts
    licence: str
    report: Report
    training: Training | None
    sources: tuple[CardSource, ...]

    @property
    def shorter(self) -> tuple[int, ...]:
        """The smaller dimensions that vectors may be cut to: those trained, or measured."""
        dims = self.training.dims if self.training else None
        measured = (setting.dim or 0 for setting in self.report.settings)
        smaller = {dim for dim in dims or measured if 0 < dim < self.model.dim}
        return tuple(sorted(smaller, reverse=True))

    @property
    def main_setting(self) -> Setting:
        """The model as it is stored: dense, all dimensions, its own bits."""
        dim, bits = self.model.dim, self.model.bits
        for setting in self.report.settings:
            if (setting.mode, setting.dim) == ("dense", dim) and setting.bits in (None, bits):
                return setting
        raise InputError(
            f"{SCORES_FILE} holds no dense scores at {dim} dimensions and {bits} bits: "
            "expected those of the model as it is stored\n"
            f"hint: konayuki evaluate DIR --data SETS --json DIR/{SCORES_FILE}"
        )

    def of_main(self, *, retrieval: bool) -> list[SetScores]:
        """Return the scores under the main setting, of retrieval or of similarity sets."""
        setting = self.main_setting
        return [
            s for s in self.report.scores if s.setting == setting and is_retrieval(s) == retrieval
        ]


def model_facts(model: "StaticModel", name: str) -> ModelFacts:
    """Return what a model tells about itself."""
    from konayuki.model.weights import is_straight

    return ModelFacts(
        name,
        model.vocab_size,
        model.dim,
        model.bits,
        model.nbytes,
        is_straight(model.weights),
        model.weights.pooling,
    )


def read_facts(folder: Path, *, name: str | None, licence: str | None) -> CardFacts:
    """Return what the files of a model folder say; `name` and `licence` override theirs."""
    from konayuki.model import StaticModel

    model = StaticModel.load(folder)
    scores = folder / SCORES_FILE
    if not scores.is_file():
        raise NotFoundError(
            f"{scores} does not exist: expected the scores of the model\n"
            f"hint: konayuki evaluate {folder} --data SETS --json {scores}"
        )
    training = read_training(folder / TRAINING_FILE)
    recorded_name, recorded_licence = (training.name, training.licence) if training else ("", "")
    return CardFacts(
        model_facts(model, name or recorded_name or folder.resolve().name),
        licence or recorded_licence,
        read_report(scores),
        training,
        tuple(read_sources(folder / SOURCES_FILE)),
    )


def read_report(path: Path) -> Report:
    """Return the report of a file that `konayuki evaluate --json` wrote."""
    try:
        return from_dict(_read_json(path))
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is not a report of konayuki evaluate: {error!r}") from error


def read_training(path: Path) -> Training | None:
    """Return what `train.json` holds, or None if it does not exist.

    Its `history` is a list of records in the form of the trainer's log: `step` with `loss`, or
    `step` with a value whose name ends in `ndcg@10`.
    """
    if not path.is_file():
        return None
    values = _read_json(path)
    try:
        history = values["history"]
        losses = tuple((row["step"], float(row["loss"])) for row in history if "loss" in row)
        ndcgs = tuple(
            (row["step"], float(row[key])) for row in history if (key := _ndcg_key(row)) is not None
        )
        return Training(
            values.get("settings", {}),
            losses,
            ndcgs,
            values.get("n_pairs"),
            values.get("name", ""),
            values.get("licence", ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is not a record of a training run: {error!r}") from error


def _ndcg_key(record: dict[str, Any]) -> str | None:
    """Return the name of the value that sums up one evaluation: the mean if there is one."""
    names = [name for name in record if name.endswith(MAIN_METRIC)]
    return next((name for name in names if "mean" in name), names[0] if names else None)


def read_sources(path: Path) -> Iterator[CardSource]:
    """Yield the rows of SOURCES.tsv: file, rows, source, licence; nothing if it does not exist."""
    if not path.is_file():
        return
    for row in read_rows(path):
        yield CardSource(*(row.text(column) for column in ("file", "rows", "source", "licence")))


def _read_json(path: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DatasetError(f"{path} is not JSON: {error}") from error
