"""Real Japanese texts for the benchmarks, the same ones in every run.

They come from the training pairs under the shared data folder (KONAYUKI_DATA). Only times and
agreement with exact search are measured on them, never quality.
"""

import os
import random
from pathlib import Path

import pyarrow.parquet as parquet

from konayuki.ingest.chunker import Cutting, Section, chunk

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("KONAYUKI_DATA", ROOT.parent / "shared" / "data"))
CUTTING = Cutting(size=200)


def available() -> bool:
    """Whether the texts are on this machine."""
    return any((DATA / "pairs").glob("*.parquet"))


def passages(count: int) -> list[str]:
    """Return different passages of all sources, mixed: whole sentences up to 200 characters."""
    found: dict[str, None] = {}
    for path in sorted((DATA / "pairs").glob("*.parquet")):
        for batch in parquet.ParquetFile(path).iter_batches(20_000, columns=["positive"]):
            for text in dict.fromkeys(batch.column(0).to_pylist()):
                found.update(dict.fromkeys(_cut(text)))
    if len(found) < count:
        raise SystemExit(f"{DATA} holds {len(found):,} passages: expected at least {count:,}")
    return random.Random(0).sample(list(found), count)  # noqa: S311 - the same texts in every run


def questions(count: int) -> list[str]:
    """Return questions spread over the question answering sets."""
    found: list[str] = []
    for path in sorted((DATA / "pairs").glob("qa-*.parquet")):
        texts = list(dict.fromkeys(parquet.read_table(path, columns=["query"])[0].to_pylist()))
        found += texts[:: max(1, len(texts) // count)][:count]
    return found[:: max(1, len(found) // count)][:count]


def _cut(text: str | None) -> list[str]:
    if not text or len(text) <= CUTTING.size:
        return [text] if text else []
    return [part.text for part in chunk([Section((), text)], CUTTING)]


def speed_texts() -> dict[str, list[str]]:
    """Return the questions and passages of JaQuAD that encoding is measured on."""
    table = parquet.read_table(DATA / "pairs" / "qa-jaquad-train.parquet")
    texts = {
        kind: list(dict.fromkeys(table.column(column).to_pylist()))
        for kind, column in (("questions", "query"), ("passages", "positive"))
    }
    return {"questions": texts["questions"][:4000], "passages": texts["passages"][:1000]}
