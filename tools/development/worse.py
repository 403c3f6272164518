"""List questions for which hybrid search is worse than the better of its halves.

    python tools/development/worse.py --sets FOLDER ... [--model MODEL] [--n 40]

An equal number from each set, those that lost most first: the question, the right passage with its
rank in each mode and its parts of the score, and the passage that stands first instead.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from konayuki.choices import Mode
from konayuki.evaluation import RetrievalSet, read_sets
from konayuki.evaluation.indexed import records_of
from konayuki.evaluation.metrics import ndcg
from konayuki.model import StaticModel
from konayuki.search import Hit, Index

MODES: tuple[Mode, ...] = ("lexical", "dense", "hybrid")
DEPTH = 100
SHOWN = 90  # characters of a passage


class Worse(NamedTuple):
    """A question with what it lost and its hits by mode."""

    loss: float
    name: str
    question: str
    gains: Mapping[str, int]
    hits: Mapping[str, Sequence[Hit]]


def main(arguments: Sequence[str] | None = None) -> int:
    """List what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", type=Path, nargs="+", required=True, help="folders of sets")
    parser.add_argument("--model", help="model folder (default: the bundled model)")
    parser.add_argument("--queries", type=int, default=150, help="questions of a set at most")
    parser.add_argument("--n", type=int, default=40, help="questions to list")
    options = parser.parse_args(arguments)
    model = StaticModel.load(options.model)
    sets = [one for folder in options.sets for one in read_sets(str(folder))]
    chosen = [one for one in sets if isinstance(one, RetrievalSet)]
    for source in chosen:
        lost, n_better = compare(source.sample(options.queries), model)
        print(f"# {source.name}: {len(lost)} worse than the better half, {n_better} better\n")
        for worse in lost[: max(1, options.n // len(chosen))]:
            print(described(worse), flush=True)
    return 0


def compare(source: RetrievalSet, model: StaticModel) -> tuple[list[Worse], int]:
    """Return the questions that lost, the most first, and how many gained."""
    lost, n_better = [], 0
    with tempfile.TemporaryDirectory() as folder, Index.create(Path(folder) / "i", model) as index:
        index.add(records_of(source, titles=True))
        for query_id, question in source.queries.items():
            gains = source.qrels[query_id]
            hits = {mode: index.search(question, DEPTH, mode, distinct=False) for mode in MODES}
            scores = {mode: ndcg([hit.id for hit in hits[mode]], gains, at=10) for mode in MODES}
            loss = max(scores["lexical"], scores["dense"]) - scores["hybrid"]
            n_better += loss < 0
            if loss > 0:
                lost.append(Worse(loss, source.name, question, gains, hits))
    return sorted(lost, key=lambda worse: -worse.loss), n_better


def described(worse: Worse) -> str:
    """Return a question with the right passage and the one before it."""
    ranks = {
        mode: next((n for n, hit in enumerate(hits, start=1) if hit.id in worse.gains), 0)
        for mode, hits in worse.hits.items()
    }
    right = next(
        (hit for hits in worse.hits.values() for hit in hits if hit.id in worse.gains), None
    )
    lines = [f"Q {worse.question}", f"  ranks {ranks}, loss {worse.loss:.2f}"]
    hybrid = worse.hits["hybrid"]
    placed = next((hit for hit in hybrid if hit.id in worse.gains), right)
    for mark, hit in (("right", placed), ("first", hybrid[0])):
        if hit:
            parts = {name: round(value, 2) for name, value in hit.parts.items()}
            lines.append(f"  {mark}: {hit.text[:SHOWN]!r}\n    {parts}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
