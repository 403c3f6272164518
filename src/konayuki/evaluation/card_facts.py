"""What a model card says about a model: read from the files of its folder."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from konayuki.errors import DatasetError, InputError, NotFoundError
from konayuki.evaluation.dense import SetScores, Setting
from konayuki.evaluation.metrics import MAIN_METRIC
from konayuki.evaluation.report import Report, from_dict, is_retrieval
from konayuki.rows import read_rows

SCORES_FILE = "evaluation.json"
TRAINING_FILE = "train.json"
SOURCES_FILE = "SOURCES.tsv"


@dataclass(frozen=True)
class Source:
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
        """The nested dimensions that were trained, None where the record does not say."""
        model = self.settings.get("model")
        found = model.get("dims") if isinstance(model, dict) else None
        return tuple(found) if isinstance(found, list) else None


@dataclass(frozen=True)
class CardFacts:
    """All that a card says about one model."""

    name: str
    licence: str  # "" where it is not known
    vocab_size: int
    dim: int
    bits: int
    n_bytes: int
    report: Report
    training: Training | None
    sources: tuple[Source, ...]
    straight: bool = False  # the tanh leaves the means as they are

    @property
    def shorter(self) -> tuple[int, ...]:
        """The smaller sizes that vectors may be cut to: those trained, or measured."""
        dims = self.training.dims if self.training else None
        measured = (setting.dim or 0 for setting in self.report.settings)
        return tuple(sorted({dim for dim in dims or measured if 0 < dim < self.dim}, reverse=True))

    @property
    def main_setting(self) -> Setting:
        """The model as it lies in the folder: dense, all dimensions, its own bits."""
        for setting in self.report.settings:
            if setting.mode == "dense" and setting.dim == self.dim and self._is_own(setting):
                return setting
        raise InputError(
            f"{SCORES_FILE} holds no dense scores at {self.dim} dimensions and {self.bits} bits\n"
            f"hint: konayuki evaluate DIR --data SETS --json DIR/{SCORES_FILE}"
        )

    def _is_own(self, setting: Setting) -> bool:
        return setting.bits is None or setting.bits == self.bits

    def of_main(self, *, retrieval: bool) -> list[SetScores]:
        """Return the scores under the main setting, of retrieval or of similarity sets."""
        setting = self.main_setting
        return [
            s for s in self.report.scores if s.setting == setting and is_retrieval(s) == retrieval
        ]


def read_facts(folder: Path, *, name: str | None, licence: str | None) -> CardFacts:
    """Return what the files of a model folder say; `name` and `licence` go before theirs."""
    from konayuki.model import StaticModel
    from konayuki.model.weights import is_straight

    model = StaticModel.load(folder)
    scores = folder / SCORES_FILE
    if not scores.is_file():
        raise NotFoundError(
            f"{scores} is not there\nhint: konayuki evaluate {folder} --data SETS --json {scores}"
        )
    training = read_training(folder / TRAINING_FILE)
    return CardFacts(
        name=name or (training.name if training else "") or folder.resolve().name,
        licence=licence or (training.licence if training else ""),
        vocab_size=model.vocab_size,
        dim=model.dim,
        bits=4 if model.layout == "q4" else 32,
        n_bytes=model.nbytes,
        report=read_report(scores),
        training=training,
        sources=tuple(read_sources(folder / SOURCES_FILE)),
        straight=is_straight(model.weights),
    )


def read_report(path: Path) -> Report:
    """Return the report of a file that `konayuki evaluate --json` wrote."""
    try:
        return from_dict(_read_json(path))
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is not a report of konayuki evaluate: {error!r}") from error


def read_training(path: Path) -> Training | None:
    """Return what `train.json` holds, or None where there is none.

    Its `history` is a list of records in the form of the trainer's log: `step` with `loss`, or
    `step` with a value whose name ends in `ndcg@10`.
    """
    if not path.is_file():
        return None
    values = _read_json(path)
    try:
        history = values["history"]
        losses = tuple((one["step"], float(one["loss"])) for one in history if "loss" in one)
        ndcgs = tuple(
            (one["step"], float(one[key])) for one in history if (key := _ndcg_key(one)) is not None
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
    """Return the name of the value that sums up one evaluation: the mean where there is one."""
    names = [name for name in record if name.endswith(MAIN_METRIC)]
    return next((name for name in names if "mean" in name), names[0] if names else None)


def read_sources(path: Path) -> Iterator[Source]:
    """Yield the rows of SOURCES.tsv: file, rows, source, licence; nothing where there is none."""
    if not path.is_file():
        return
    for row in read_rows(path):
        yield Source(*(row.text(column) for column in ("file", "rows", "source", "licence")))


def _read_json(path: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DatasetError(f"{path} is not JSON: {error}") from error
