"""Qdrant's answers against those of our own index: nDCG@10 on the same questions.

    python benchmarks/qdrant.py --data FOLDER [--sets aio-quiz,niilc] [--questions 1000]

The client's local mode answers, by the calls that a server gets. Its products of sparse vectors are
a loop in Python over all of them, a second for a question; here they are taken from postings
instead, which are compared with that loop for the first product of every set.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client.local import local_collection
from qdrant_client.models import SparseVector

from environment import environment
from konayuki.evaluation import RetrievalSet, read_sets
from konayuki.evaluation.indexed import records_of
from konayuki.evaluation.metrics import ndcg
from konayuki.model import StaticModel
from konayuki.progress import track
from konayuki.scale import QdrantSearch, connect, open_passages, push
from konayuki.search import Index

RESULTS = Path(__file__).parent / "results" / "qdrant.json"
PACKAGES = ("qdrant-client", "tantivy", "numpy")
AT = 10
WHO = ("index", "qdrant sum", "qdrant rrf")
Ask = Callable[[str], Sequence[Any]]


class Postings:
    """The products of a query with all sparse vectors of a collection, term by term.

    Args:
        vectors: The sparse vectors of the local mode.
    """

    def __init__(self, vectors: Sequence[Any]) -> None:
        self.n_vectors = len(vectors)
        indices = [np.asarray(vector.indices, np.int64) for vector in vectors]
        terms = np.concatenate(indices)
        order = np.argsort(terms, kind="stable")
        self.terms = terms[order]
        self.rows = np.repeat(np.arange(len(vectors)), list(map(len, indices)))[order]
        self.values = np.concatenate([np.asarray(v.values) for v in vectors])[order]

    def products(self, query: SparseVector) -> NDArray[np.float32]:
        """Return the product with every vector; -inf without a common term, as local mode does."""
        scores = np.zeros(self.n_vectors)
        met = np.zeros(self.n_vectors, dtype=np.bool_)
        for term, value in zip(query.indices, query.values, strict=True):
            start, stop = np.searchsorted(self.terms, [term, term + 1])
            scores[self.rows[start:stop]] += value * self.values[start:stop]
            met[self.rows[start:stop]] = True
        return np.where(met, scores, -np.inf).astype(np.float32)


def take_products_from_postings() -> None:
    """Replace the loop of the local mode, for as long as this process runs."""
    slow = local_collection.calculate_distance_sparse
    known: dict[tuple[int, int], Postings] = {}

    def products(query: SparseVector, vectors: Sequence[Any]) -> NDArray[np.float32]:
        key = (len(vectors), id(vectors[0]))
        if key not in known:
            known[key] = Postings(vectors)
            np.testing.assert_allclose(known[key].products(query), slow(query, vectors), rtol=1e-5)
        return known[key].products(query)

    local_collection.calculate_distance_sparse = products


def scores_of(source: RetrievalSet, questions: Sequence[str], ask: Ask, label: str) -> list[float]:
    """Return the nDCG@10 of every question."""
    scores = []
    for key in track(questions, f"{source.name} {label}", total=len(questions)):
        ids = [hit.id for hit in ask(source.queries[key])]
        scores.append(ndcg(ids, source.qrels[key], at=AT))
    return scores


def measured(source: RetrievalSet, n_questions: int, who: Sequence[str]) -> dict[str, Any]:
    """Return the scores of one set for the engines that are asked."""
    source = source.sample(n_questions) if n_questions < len(source.queries) else source
    questions = list(source.queries)
    with tempfile.TemporaryDirectory() as folder, Index.create(Path(folder) / "i") as index:
        index.add(records_of(source, titles=True))
        client = connect(":memory:")
        push(client, "passages", open_passages(str(Path(folder) / "i")))
        remote = QdrantSearch(client, "passages")
        everybody: dict[str, Ask] = {
            "index": lambda text: index.search(text, k=AT),
            "qdrant sum": lambda text: remote.search(text, k=AT),
            "qdrant rrf": lambda text: remote.search(text, k=AT, fusion="rrf"),
        }
        scores = {name: scores_of(source, questions, everybody[name], name) for name in who}
        client.close()
    means = {name: round(sum(values) / len(values), 4) for name, values in scores.items()}
    record = {"passages": len(source.corpus), "questions": len(questions), "ndcg@10": means}
    print(source.name, record, flush=True)
    return record


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default="aio-quiz,niilc")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--who", default=",".join(WHO), help="others keep the results they have")
    parser.add_argument("--json", type=Path, default=RESULTS)
    args = parser.parse_args()
    take_products_from_postings()
    who = args.who.split(",")
    known = {} if set(WHO) <= set(who) else json.loads(args.json.read_text("utf-8"))
    kept = known.get("sets", {})
    model = StaticModel.load()
    if kept and known.get("model") != model.fingerprint:
        raise SystemExit(f"{args.json} holds results of another model: run all of them again")
    record: dict[str, Any] = {**environment(PACKAGES), "model": model.fingerprint, "sets": {}}
    for source in read_sets(args.data, only=args.sets.split(",")):
        if isinstance(source, RetrievalSet):
            result = measured(source, args.questions, who)
            earlier = kept.get(source.name, {}).get("ndcg@10", {})
            result["ndcg@10"] = {**earlier, **result["ndcg@10"]}
            record["sets"][source.name] = result
    args.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
