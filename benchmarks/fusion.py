"""Which fusion of words and meaning finds best: tuned on one folder of sets, reported on another.

    python benchmarks/fusion.py --tuning FOLDER [--report FOLDER] [--model FOLDER] [--json FILE]

Both folders hold sets in BEIR layout. The sets to tune on must be held out from the training of the
model, or its dense half looks better than it is. Every set is indexed and asked by the engine
itself; the candidates of both halves are then fused in every way that is tried.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import konayuki
from environment import environment
from konayuki.evaluation import RetrievalSet, read_sets
from konayuki.evaluation.metrics import ndcg
from konayuki.search import Index
from konayuki.search.fusion import fuse
from konayuki.search.ranking import View
from search import PACKAGES, RESULTS

Scores = NDArray[np.float32]
WEIGHTS = np.arange(0.1, 0.75, 0.05).round(2).tolist()


@dataclass(frozen=True)
class Candidates:
    """What both halves offer for one question, and which of it is relevant.

    Attributes:
        lexical: BM25; 0 if nothing matches.
        dense: Cosines.
        ceiling: The BM25 of a passage in which every term occurs infinitely often.
        gains: Relevance of each candidate.
        all_gains: Relevance of every relevant passage, found or not.
    """

    lexical: Scores
    dense: Scores
    ceiling: float
    gains: NDArray[np.int64]
    all_gains: list[int]


Fusion = Callable[[Candidates], Scores]


def scaled(values: Scores, low: float, high: float) -> Scores:
    """Return values with `low` at 0 and `high` at 1."""
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def min_max(c: Candidates, weight: float) -> Scores:
    """Both scaled to what the candidates span; BM25 from 0."""
    words = scaled(c.lexical, 0.0, c.lexical.max(initial=0.0))
    return (1 - weight) * words + weight * scaled(c.dense, c.dense.min(), c.dense.max())


def from_zero(c: Candidates, weight: float) -> Scores:
    """Both as shares of the best: the cosine from 0."""
    words = scaled(c.lexical, 0.0, c.lexical.max(initial=0.0))
    return (1 - weight) * words + weight * scaled(c.dense, 0.0, c.dense.max())


def z_scores(c: Candidates, weight: float) -> Scores:
    """Both as distances from the mean in standard deviations of the candidates."""
    parts = [(v - v.mean()) / (v.std() + 1e-9) for v in (c.lexical, c.dense)]
    return (1 - weight) * parts[0] + weight * parts[1]


def absolute(c: Candidates, weight: float) -> Scores:
    """BM25 as a share of what is possible for this question, the cosine as it is."""
    return (1 - weight) * c.lexical / max(c.ceiling, 1e-9) + weight * c.dense


def plain_sum(c: Candidates, weight: float) -> Scores:
    """The cosine and a share of the BM25, nothing scaled."""
    return c.dense + weight * c.lexical


def covered_sum(c: Candidates, weight: float, power: float) -> Scores:
    """As plain_sum, with less of the BM25 of a passage that holds less of the question."""
    share: Scores = (c.lexical / max(c.ceiling, 1e-9)) ** power
    return c.dense + weight * share * c.lexical


def reciprocal_ranks(c: Candidates, weight: float, constant: int = 60) -> Scores:
    """Ranks alone."""
    ranks = [np.empty(len(c.dense)) for _ in range(2)]
    for rank, values in zip(ranks, (c.lexical, c.dense), strict=True):
        rank[np.argsort(-values, kind="stable")] = np.arange(len(values))
    words = np.where(c.lexical > 0, 1 / (constant + ranks[0]), 0)
    return (1 - weight) * words + weight / (constant + ranks[1])


def by_coverage(c: Candidates, weight: float, slope: float) -> Scores:
    """As min_max, with more weight on words if the best passage holds more of the question."""
    covered = float(c.lexical.max(initial=0.0)) / max(c.ceiling, 1e-9)
    return min_max(c, float(np.clip(weight + slope * (0.5 - covered), 0.05, 0.95)))


def by_similarity(c: Candidates, weight: float, slope: float) -> Scores:
    """As min_max, with more weight on meaning if the best cosine is higher."""
    return min_max(c, float(np.clip(weight + slope * (float(c.dense.max()) - 0.5), 0.05, 0.95)))


def variants() -> Iterator[tuple[str, Fusion]]:
    """Yield every fusion with its name."""
    yield "lexical alone", lambda c: c.lexical
    yield "dense alone", lambda c: c.dense
    for weight in WEIGHTS:
        for method in (min_max, from_zero, z_scores, absolute):
            yield f"{method.__name__} {weight}", partial(method, weight=weight)
        for constant in (10, 60):
            name = f"reciprocal_ranks {weight} k={constant}"
            yield name, partial(reciprocal_ranks, weight=weight, constant=constant)
        for slope in (0.5, 1.0, 1.5):
            name = f"by_coverage {weight} {slope:+}"
            yield name, partial(by_coverage, weight=weight, slope=slope)
        for slope in (-0.5, 0.5, 1.0):
            name = f"by_similarity {weight} {slope:+}"
            yield name, partial(by_similarity, weight=weight, slope=slope)
    for weight in (0.006, 0.008, 0.01, 0.012, 0.014, 0.016, 0.018, 0.02, 0.03):
        yield f"plain_sum {weight}", partial(plain_sum, weight=weight)
    for weight in (0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06, 0.08):
        for power in (0.5, 1.0):
            name = f"covered_sum {weight} ^{power}"
            yield name, partial(covered_sum, weight=weight, power=power)
    yield "shipped", lambda c: fuse(c.lexical, c.dense, c.ceiling)


def candidates_of(
    source: RetrievalSet, model: konayuki.StaticModel, depth: int
) -> list[Candidates]:
    """Index a set and return the candidates of every question."""
    with tempfile.TemporaryDirectory() as folder, Index.create(Path(folder) / "i", model) as index:
        index.add(
            {"id": key, "text": passage.text, "title": passage.title}
            for key, passage in source.corpus.items()
        )
        view = index._store.current()
        documents = index._documents.by_row(view.vectors.rows.tolist())
        ids = {row: document.id for row, document in documents.items()}
        found = []
        for query_id, text in source.queries.items():
            vector = model.encode([text])[0]
            rows, lexical = both_lists(view, text, vector, depth)
            gains = source.qrels[query_id]
            found.append(
                Candidates(
                    lexical=lexical,
                    dense=view.vectors.cosines(rows, vector),
                    ceiling=view.lexical.ceiling(text),
                    gains=np.array([gains.get(ids[row], 0) for row in rows.tolist()]),
                    all_gains=sorted(gains.values(), reverse=True),
                )
            )
        return found


def both_lists(
    view: View, text: str, vector: Scores, depth: int
) -> tuple[NDArray[np.int64], Scores]:
    """Return the best rows of both halves and the BM25 of all of them."""
    by_words, scores = view.lexical.best(text, depth, view.vectors.living)
    by_meaning, _ = view.vectors.nearest(vector, depth)
    known = dict(zip(by_words.tolist(), scores.tolist(), strict=True))
    others = [row for row in by_meaning.tolist() if row not in known]
    known.update(dict.fromkeys(others, 0.0) | view.lexical.scores_of(text, others))
    rows = np.array(sorted(known), dtype=np.int64)
    return rows, np.array([known[row] for row in rows.tolist()], dtype=np.float32)


def quality(fusion: Fusion, questions: Sequence[Candidates]) -> float:
    """Return the mean nDCG@10 of a fusion."""
    total = 0.0
    for question in questions:
        order = np.argsort(-fusion(question), kind="stable")[:10]
        ranked = [str(row) for row in order]
        gains = {str(n): int(gain) for n, gain in enumerate(question.gains) if gain}
        missed = len(question.all_gains) - len(gains)
        gains.update({f"missed {n}": question.all_gains[-1] for n in range(missed)})
        total += ndcg(ranked, gains, at=10)
    return total / len(questions)


def measure(folder: Path, model: konayuki.StaticModel, depth: int) -> dict[str, dict[str, float]]:
    """Return the quality of every fusion on every set of a folder."""
    table: dict[str, dict[str, float]] = {name: {} for name, _ in variants()}
    for source in read_sets(folder):
        if not isinstance(source, RetrievalSet):
            continue
        questions = candidates_of(source, model, depth)
        for name, fusion in variants():
            table[name][source.name] = round(quality(fusion, questions), 4)
    for row in table.values():
        row["mean"] = round(float(np.mean(list(row.values()))), 4)
    return table


def as_table(table: dict[str, dict[str, float]], names: Sequence[str]) -> str:
    """Return rows of a Markdown table."""
    columns = list(next(iter(table.values())))
    lines = [f"| fusion | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in names:
        lines.append(f"| {name} | {' | '.join(f'{table[name][c]:.3f}' for c in columns)} |")
    return "\n".join(lines)


def best_of_each(table: dict[str, dict[str, float]]) -> list[str]:
    """Return the best variant of every method, the best first."""
    best: dict[str, str] = {}
    for name in sorted(table, key=lambda name: -table[name]["mean"]):
        kind = name if "alone" in name else name.split()[0]
        best.setdefault(kind, name)
    return list(best.values())


def main() -> None:
    """Measure, print the tables and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tuning", type=Path, required=True)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--model", help="model folder (default: the bundled model)")
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--json", type=Path, default=RESULTS / "fusion.json")
    args = parser.parse_args()
    model = konayuki.StaticModel.load(args.model) if args.model else konayuki.StaticModel.load()
    record: dict[str, object] = {
        "model": model.fingerprint,
        "depth": args.depth,
        **environment(PACKAGES),
    }
    tuning = measure(args.tuning, model, args.depth)
    names = best_of_each(tuning)
    print(as_table(tuning, names))
    record["tuning"] = tuning
    if args.report:
        report = measure(args.report, model, args.depth)
        print(as_table(report, names))
        record["report"] = {name: report[name] for name in names}
    args.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
