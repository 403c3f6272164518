"""What the last looks at files have left out, noted in the index for whoever asks later."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from konayuki.ingest.summary import Summary
from konayuki.search.index import Index

_NAME = "looks"
_MOST_LOOKS = 50
_MOST_REASONS = 100


def remember_look(index: Index, paths: Sequence[Path], summary: Summary) -> None:
    """Note what was left out of files and folders; the note of the last look at them goes."""
    places = sorted(path.resolve().as_posix() for path in paths)
    look = {
        "paths": places,
        "ignored": summary.ignored,
        "left_out": summary.left_out,
        "skipped": summary.skipped[:_MOST_REASONS],
        "n_skipped": len(summary.skipped),
    }
    before = looks(index)
    after = [*(other for other in before if other.get("paths") != places), look]
    if look not in before:  # else nothing is written: the index may be read-only, or another's
        text = json.dumps(after[-_MOST_LOOKS:], ensure_ascii=False)
        index.remember_note(_NAME, text.encode("utf-8", "replace").decode())


def looks(index: Index) -> list[dict[str, Any]]:
    """Return the notes: `paths`, and what was `ignored`, `left_out` and `skipped` under them."""
    try:
        noted = json.loads(index.note(_NAME) or "[]")
    except (ValueError, RecursionError):
        return []
    return [look for look in noted if isinstance(look, dict)] if isinstance(noted, list) else []
