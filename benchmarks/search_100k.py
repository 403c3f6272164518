"""How fast an index is built and answers: synthetic Japanese passages, the bundled model.

    python benchmarks/search_100k.py [--passages 100000] [--queries 300] [--json FILE]

Passages are made here, the same in every run: sentences of pseudo-words whose frequencies fall as
those of real words do (Zipf), about 200 characters each. A query takes a few words of one passage.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import numpy as np

import konayuki
from environment import environment
from konayuki.search import Index
from konayuki.search.index import MODES, Mode

KANJI = (
    "日本国会社人年大学生東京中小長高山川田水火木金土時分間前後新古語文字数理科医食車電気海空道町村"
)
KATAKANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモラリルレロン"
PARTICLES = ["は", "が", "を", "に", "で", "の", "と", "も", "から", "まで"]
ENDINGS = ["である。", "した。", "している。", "されている。", "になる。", "ではない。"]
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "tantivy", "usearch", "sentencepiece")


class Language:
    """Pseudo-words with Zipf frequencies."""

    def __init__(self, source: random.Random, n_words: int = 20_000) -> None:
        self.source = source
        self.words = [self._word() for _ in range(n_words)]
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(n_words)))

    def passage(self) -> str:
        """Return about 200 characters of sentences."""
        return "".join(self._sentence() for _ in range(self.source.randint(6, 11)))

    def question(self, passage: str) -> str:
        """Return some words of a passage, and one of another."""
        start = self.source.randrange(max(1, len(passage) - 12))
        return f"{passage[start : start + 12]}{self._draw(1)[0]}とは"

    def _sentence(self) -> str:
        words = self._draw(self.source.randint(4, 8))
        return "".join(
            word + self.source.choice(PARTICLES) for word in words[:-1]
        ) + words[-1] + self.source.choice(ENDINGS)  # fmt: skip

    def _draw(self, count: int) -> list[str]:
        return self.source.choices(self.words, cum_weights=self._weights, k=count)

    def _word(self) -> str:
        letters = self.source.choice([KANJI, KANJI, KATAKANA])
        return "".join(self.source.choices(letters, k=self.source.randint(2, 4)))


def records(n_passages: int, language: Language) -> Iterator[dict[str, object]]:
    """Yield the passages."""
    for number in range(n_passages):
        yield {"id": str(number), "text": language.passage(), "metadata": {"part": number % 100}}


def latencies_ms(call: Callable[[str], object], queries: list[str]) -> dict[str, float]:
    """Return the median and the 99th percentile of one call per query, after a warm-up."""
    for query in queries[:20]:
        call(query)
    times = []
    for query in queries:
        start = time.perf_counter()
        call(query)
        times.append((time.perf_counter() - start) * 1000)
    p50, p99 = np.percentile(times, [50, 99]).round(3).tolist()
    return {"p50_ms": p50, "p99_ms": p99}


def recall_at_10(index: Index, queries: list[str], texts: list[str], model: object) -> float:
    """Return the share of the ten best by exact float cosine that dense search finds."""
    vectors = np.concatenate(
        [model.encode(texts[start : start + 4096]) for start in range(0, len(texts), 4096)]  # type: ignore[attr-defined]
    )
    n_shared = 0
    for query in queries:
        scores = vectors @ model.encode([query])[0]  # type: ignore[attr-defined]
        best = {str(row) for row in np.argpartition(-scores, 10)[:10]}
        n_shared += len(best & {hit.id for hit in index.search(query, 10, "dense")})
    return round(n_shared / (10 * len(queries)), 4)


def measure(
    n_passages: int, n_queries: int, folder: Path, model_name: str | None
) -> dict[str, object]:
    """Build an index, ask it, open it again."""
    language = Language(random.Random(0))  # noqa: S311 - the same texts in every run
    model = konayuki.StaticModel.load(model_name) if model_name else konayuki.StaticModel.load()
    passages = list(records(n_passages, language))
    texts = [str(record["text"]) for record in passages]
    queries = [language.question(language.source.choice(texts)) for _ in range(n_queries)]
    index = Index.create(folder, model)
    start = time.perf_counter()
    index.add(passages)
    build_s = time.perf_counter() - start

    def search(mode: Mode, where: dict[str, int] | None = None) -> dict[str, float]:
        return latencies_ms(lambda query: index.search(query, 10, mode, where), queries)

    report: dict[str, object] = {
        "passages": n_passages,
        "characters_mean": round(sum(map(len, texts)) / len(texts), 1),
        "build_s": round(build_s, 2),
        "passages_per_s": round(n_passages / build_s),
        "queries": n_queries,
        **{mode: search(mode) for mode in MODES},
        "hybrid_where_1_percent": search("hybrid", {"part": 7}),
        "dense_recall_at_10": recall_at_10(index, queries[:100], texts, model),
        "bytes": index.info()["bytes"],
    }
    start = time.perf_counter()
    index.add([{"id": "late", "text": texts[0]}])
    report["add_one_ms"] = round((time.perf_counter() - start) * 1000, 1)
    index.close()
    start = time.perf_counter()
    Index.open(folder, model).close()
    report["open_ms"] = round((time.perf_counter() - start) * 1000, 1)
    return report


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--model", help="model folder (default: the bundled model)")
    parser.add_argument("--json", type=Path, default=RESULTS / "search_100k.json")
    args = parser.parse_args()
    before = environment(PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        report = {**measure(args.passages, args.queries, Path(folder) / "i", args.model), **before}
    args.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
