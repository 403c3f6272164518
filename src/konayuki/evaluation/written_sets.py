"""Write a retrieval set in BEIR layout, as `read_sets` reads it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from konayuki.evaluation.records import RetrievalSet


def write_set(one: RetrievalSet, folder: Path) -> None:
    """Write `corpus.jsonl`, `queries.jsonl` and `qrels.jsonl` of a set.

    Args:
        one: the set.
        folder: made where it is not there; its name becomes the name of the set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(
        folder / "corpus.jsonl",
        (
            {"_id": name, "title": passage.title, "text": passage.text}
            for name, passage in one.corpus.items()
        ),
    )
    _write(
        folder / "queries.jsonl",
        ({"_id": name, "text": text} for name, text in one.queries.items()),
    )
    _write(
        folder / "qrels.jsonl",
        (
            {"query-id": query, "corpus-id": passage, "score": gain}
            for query, gains in one.qrels.items()
            for passage, gain in gains.items()
        ),
    )


def _write(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)
