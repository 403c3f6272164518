"""What vectors in fewer bytes cost in nDCG@10.

    python benchmarks/dtypes.py SETS [--model FOLDER] [--json FILE]

SETS is a folder of sets in BEIR layout. Questions and passages are encoded with the same dtype.
Codes of int8 are compared by cosine, codes in ranges (calibrated on the passages of the set) by
inner product as sentence-transformers does, bits by Hamming distance.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from environment import environment
from konayuki.arrays import FloatMatrix, unit_rows
from konayuki.evaluation import RetrievalSet, read_sets
from konayuki.evaluation.metrics import retrieval_metrics
from konayuki.evaluation.rank import rank_vectors, rankings
from konayuki.model import StaticModel, calibrate, quantize_vectors

RESULTS = Path(__file__).parent / "results"
DTYPES = ("float32", "float16", "int8", "int8 in ranges", "ubinary")


def comparable(vectors: FloatMatrix, dtype: str, passages: FloatMatrix) -> FloatMatrix:
    """Return vectors whose inner products order as the codes of a dtype do."""
    if dtype == "int8 in ranges":
        codes = quantize_vectors(vectors, "int8", ranges=calibrate(passages))
        return codes.astype(np.float32)
    codes = quantize_vectors(vectors, dtype)  # type: ignore[arg-type]
    if dtype == "ubinary":
        return signs(codes, vectors.shape[1])
    return unit_rows(codes.astype(np.float32))


def signs(bits: NDArray[np.uint8], dim: int) -> FloatMatrix:
    """Return 1 and -1 for the bits: their products fall as the Hamming distance grows."""
    return np.unpackbits(bits, axis=1, count=dim).astype(np.float32) * 2 - 1


def scores_of(model: StaticModel, one: RetrievalSet) -> Iterator[dict[str, object]]:
    """Yield the nDCG@10 of a set for each dimension and dtype."""
    query_ids, doc_ids = list(one.queries), list(one.corpus)
    texts = [f"{passage.title}\n{passage.text}".strip() for passage in one.corpus.values()]
    questions, passages = model.encode(list(one.queries.values())), model.encode(texts)
    for dim in (512, 256, 128):
        cut = [unit_rows(vectors, dim) for vectors in (questions, passages)]
        for dtype in DTYPES:
            asked, held = (comparable(vectors, dtype, cut[1]) for vectors in cut)
            run = rankings(rank_vectors(query_ids, asked, doc_ids, held))
            ndcg = retrieval_metrics(run, one.qrels)["ndcg@10"]
            yield {"set": one.name, "dim": dim, "dtype": dtype, "ndcg@10": round(ndcg, 4)}


def bytes_of(dtype: str, dim: int) -> int:
    """Return the bytes of a vector."""
    return {"float32": 4 * dim, "float16": 2 * dim, "ubinary": dim // 8}.get(dtype, dim)


def main() -> None:
    """Measure all sets; print the means and write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sets", type=Path)
    parser.add_argument("--model", help="folder or hub id (default: the bundled model)")
    parser.add_argument("--json", type=Path, default=RESULTS / "dtypes.json")
    args = parser.parse_args()
    model = StaticModel.load(args.model)
    sets = (
        retrieval_set
        for retrieval_set in read_sets(args.sets)
        if isinstance(retrieval_set, RetrievalSet)
    )
    scores = [score for retrieval_set in sets for score in scores_of(model, retrieval_set)]
    means = []
    for dim, dtype in dict.fromkeys((score["dim"], score["dtype"]) for score in scores):
        found = [s["ndcg@10"] for s in scores if (s["dim"], s["dtype"]) == (dim, dtype)]
        mean = round(float(np.mean(found)), 4)
        means.append({"dim": dim, "dtype": dtype, "bytes": bytes_of(dtype, dim), "ndcg@10": mean})
        print(f"{dim:4} {dtype:15} {means[-1]['bytes']:5} bytes  {mean:.4f}")
    record = {"case": "dtypes", "model": model.fingerprint, "means": means, "sets": scores}
    record |= {"environment": environment(["numpy"])}
    args.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
