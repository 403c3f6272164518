"""Evaluation sets of the Hugging Face hub, read by `datasets`: the NanoBEIR and mteb layouts."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from konayuki.errors import DatasetError
from konayuki.evaluation.sets import (
    EvaluationSet,
    build_retrieval_set,
    build_similarity_set,
    chosen,
)
from konayuki.extras import require
from konayuki.rows import Row


def read_hub_sets(dataset_id: str, only: Sequence[str], *, strict: bool) -> Iterator[EvaluationSet]:
    """Yield the sets of a data set on the hub (or of a local folder in the hub's layout).

    Configurations `corpus`, `queries` and `qrels` with one split per set are the NanoBEIR layout;
    `corpus`, `queries` and `default` or `qrels` with one split each are mteb's; one configuration
    with sentence1, sentence2 and score is a similarity set.

    Raises:
        DatasetError: The data set cannot be reached or has another layout.
        InputError: `only` names a set that does not exist.
    """
    configs = list(_ask(dataset_id, "get_dataset_config_names", dataset_id))
    name = dataset_id.rpartition("/")[2]
    if not {"corpus", "queries"} <= set(configs):
        yield build_similarity_set(
            name, _rows(dataset_id, configs[0], _last_split(dataset_id, configs[0]))
        )
        return
    qrels = "qrels" if "qrels" in configs else "default"
    splits = _splits(dataset_id, "corpus")
    if splits == _splits(dataset_id, qrels):
        for split in chosen(splits, only):
            yield _read_set(dataset_id, split, (split, split, split), qrels, strict=strict)
    else:
        parts = (splits[0], _splits(dataset_id, "queries")[0], _last_split(dataset_id, qrels))
        yield _read_set(dataset_id, name, parts, qrels, strict=strict)


def _read_set(
    dataset_id: str, name: str, splits: tuple[str, str, str], qrels: str, *, strict: bool
) -> EvaluationSet:
    corpus, queries, judgements = (
        _rows(dataset_id, config, split)
        for config, split in zip(("corpus", "queries", qrels), splits, strict=True)
    )
    return build_retrieval_set(name, corpus, queries, judgements, strict=strict)


def _splits(dataset_id: str, config: str) -> list[str]:
    return list(_ask(dataset_id, "get_dataset_split_names", dataset_id, config))


def _last_split(dataset_id: str, config: str) -> str:
    """Return the test split, or else the last: hub sets list train and dev before it."""
    splits = _splits(dataset_id, config)
    return "test" if "test" in splits else splits[-1]


def _rows(dataset_id: str, config: str, split: str) -> Iterator[Row]:
    table = _ask(dataset_id, "load_dataset", dataset_id, config, split=split)
    for number, values in enumerate(table, start=1):
        yield Row(values, f"{config}/{split}", number)


def _ask(dataset_id: str, function: str, *arguments: str, **options: str) -> Any:  # noqa: ANN401
    """Call a function of `datasets`; any failure becomes an error about this data set."""
    datasets = require("datasets", "eval")
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        return getattr(datasets, function)(*arguments, **options)
    except Exception as error:
        raise DatasetError(
            f"cannot read {dataset_id!r} from the hub: {type(error).__name__}: {error}\n"
            "hint: check the name and the network, or give a local folder in the same layout"
        ) from error
