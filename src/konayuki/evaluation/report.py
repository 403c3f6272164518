"""Scores as a table for the terminal, as JSON and as CSV, under the names of the model card."""

import csv
import io
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from konayuki.evaluation.dense import SetScores, Setting
from konayuki.evaluation.metrics import MAIN_METRIC

# The card calls a metric by the score that ranked the texts.
SCORE_NAMES = {"dense": "cosine", "lexical": "bm25", "hybrid": "hybrid"}
COLUMNS = (MAIN_METRIC, "mrr@10", "map@100", "accuracy@1", "accuracy@10", "recall@10")
SIMILARITY_METRIC = "spearman_cosine"


@dataclass(frozen=True)
class Report:
    """All scores of one model.

    Examples:
        >>> from konayuki.evaluation import SetScores, Setting
        >>> scores = SetScores("mine", Setting("dense", 512), {"ndcg@10": 0.9}, 10, 100)
        >>> report = Report("my-model", (scores,))
        >>> report.set_names, [setting.label for setting in report.settings]
        (['mine'], ['512'])
    """

    model: str
    scores: tuple[SetScores, ...]
    titles: bool = True

    @property
    def settings(self) -> list[Setting]:
        """The settings measured, in the order of measurement."""
        return list(dict.fromkeys(scores.setting for scores in self.scores))

    @property
    def set_names(self) -> list[str]:
        """The names of the sets, in the order of measurement."""
        return list(dict.fromkeys(scores.set_name for scores in self.scores))

    def mean(self, setting: Setting) -> dict[str, float]:
        """Return the mean of each metric over the retrieval sets; empty if there are none.

        Examples:
            >>> from konayuki.evaluation import SetScores, Setting
            >>> dense = Setting("dense", 512)
            >>> first = SetScores("first", dense, {"ndcg@10": 0.5}, 10, 100)
            >>> second = SetScores("second", dense, {"ndcg@10": 0.75}, 10, 100)
            >>> Report("my-model", (first, second)).mean(dense)
            {'ndcg@10': 0.625}
        """
        metrics = [s.metrics for s in self.scores if s.setting == setting and is_retrieval(s)]
        names = [name for name in (metrics[0] if metrics else ()) if not name.startswith("graded")]
        return {name: sum(of_set[name] for of_set in metrics) / len(metrics) for name in names}

    def find(self, set_name: str, setting: Setting) -> SetScores | None:
        """Return the scores of a set under a setting, or None if it was not measured.

        Examples:
            >>> from konayuki.evaluation import SetScores, Setting
            >>> dense = Setting("dense", 512)
            >>> report = Report("my-model", (SetScores("first", dense, {"ndcg@10": 0.5}, 10, 100),))
            >>> report.find("first", dense).metrics["ndcg@10"]
            0.5
            >>> report.find("second", dense) is None
            True
        """
        for scores in self.scores:
            if scores.set_name == set_name and scores.setting == setting:
                return scores
        return None


def is_retrieval(scores: SetScores) -> bool:
    """Whether these are scores of a retrieval set, not of a similarity set."""
    return MAIN_METRIC in scores.metrics


def card_names(setting: Setting, metrics: dict[str, float]) -> dict[str, float]:
    """Return the metrics under the card's names: `cosine_ndcg@10`, `pearson_cosine`."""
    prefix = SCORE_NAMES[setting.mode]
    return {
        name if name.endswith("_cosine") else f"{prefix}_{name}": value
        for name, value in metrics.items()
    }


def as_dict(report: Report) -> dict[str, Any]:
    """Return the report as JSON would hold it."""
    from konayuki import __version__

    return {
        "model": report.model,
        "konayuki": __version__,
        "titles": report.titles,
        "results": [
            {
                "set": scores.set_name,
                **scores.setting._asdict(),
                "n_queries": scores.n_queries,
                "n_documents": scores.n_documents,
                "metrics": card_names(scores.setting, scores.metrics),
            }
            for scores in report.scores
        ],
        "means": [
            {**setting._asdict(), "metrics": card_names(setting, report.mean(setting))}
            for setting in report.settings
            if report.mean(setting)
        ],
    }


def from_dict(values: dict[str, Any]) -> Report:
    """Return the report that `as_dict` turned into plain values."""
    scores = []
    for row in values["results"]:
        setting = Setting(row["mode"], row["dim"], row["bits"])
        prefix = SCORE_NAMES[setting.mode] + "_"
        metrics = {name.removeprefix(prefix): value for name, value in row["metrics"].items()}
        scores.append(SetScores(row["set"], setting, metrics, row["n_queries"], row["n_documents"]))
    return Report(values["model"], tuple(scores), values["titles"])


def as_json(report: Report) -> str:
    """Return the report as indented JSON."""
    return json.dumps(as_dict(report), ensure_ascii=False, indent=2) + "\n"


def as_csv(report: Report) -> str:
    """Return one line per set and setting, the mean last, and one column per metric."""
    lines = [
        {"set": s.set_name, **s.setting._asdict(), **card_names(s.setting, s.metrics)}
        for s in report.scores
    ]
    lines += [
        {"set": "mean", **setting._asdict(), **card_names(setting, report.mean(setting))}
        for setting in report.settings
        if report.mean(setting)
    ]
    out = io.StringIO()
    columns = list(dict.fromkeys(name for line in lines for name in line))
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def as_table(report: Report) -> str:
    """Return what a terminal shows: the main metrics, then nDCG@10 by setting."""
    parts = []
    if any(map(is_retrieval, report.scores)):
        parts.append(_metrics_table(report, report.settings[0]))
        if len(report.settings) > 1:
            parts.append(_settings_table(report, MAIN_METRIC, "nDCG@10"))
    if not all(map(is_retrieval, report.scores)):
        parts.append(_settings_table(report, SIMILARITY_METRIC, "Spearman"))
    return "\n".join(parts)


def _metrics_table(report: Report, setting: Setting) -> str:
    measured = [s for s in report.scores if s.setting == setting and is_retrieval(s)]
    rows = [[s.set_name, *(f"{s.metrics[name]:.4f}" for name in COLUMNS)] for s in measured]
    if len(measured) > 1:
        mean = report.mean(setting)
        rows.append(["mean", *(f"{mean[name]:.4f}" for name in COLUMNS)])
    return format_table([setting.label, *COLUMNS], rows)


def _settings_table(report: Report, metric: str, title: str) -> str:
    """Return one metric: a row per setting, a column per set, their mean last."""
    with_metric = {s.setting for s in report.scores if metric in s.metrics}
    settings = [setting for setting in report.settings if setting in with_metric]
    names = list(dict.fromkeys(s.set_name for s in report.scores if metric in s.metrics))
    with_mean = metric == MAIN_METRIC and len(names) > 1
    rows = []
    for setting in settings:
        by_set = [report.find(name, setting) for name in names]
        values = [f"{scores.metrics[metric]:.4f}" if scores else "" for scores in by_set]
        mean = [f"{report.mean(setting)[metric]:.4f}"] if with_mean else []
        rows.append([setting.label, *values, *mean])
    return format_table([title, *names, *(["mean"] if with_mean else [])], rows)


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return lines with the first column flush left, the others flush right."""
    lines = [header, *rows]
    widths = [max(n_cells(line[column]) for line in lines) for column in range(len(header))]
    shown = []
    for line in lines:
        gaps = [" " * (width - n_cells(cell)) for cell, width in zip(line, widths, strict=True)]
        others = (gap + cell for gap, cell in zip(gaps[1:], line[1:], strict=True))
        shown.append("  ".join([line[0] + gaps[0], *others]).rstrip())
    shown.insert(1, "-" * max(map(n_cells, shown)))
    return "\n".join(shown) + "\n"


def n_cells(text: str) -> int:
    """Return the width of a text in terminal cells: kana and kanji take two each."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
