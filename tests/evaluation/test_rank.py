"""Rankings: ties, brute force, and the run that sentence-transformers makes of the same vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from konayuki.arrays import FloatMatrix, top_k, unit_rows
from konayuki.evaluation import rank
from konayuki.evaluation.datasets import read_sets
from konayuki.evaluation.metrics import retrieval_metrics
from konayuki.evaluation.rank import Scored, rank_vectors, rankings
from konayuki.evaluation.sets import RetrievalSet
from shared_data import data_folder


def test_equal_scores_keep_the_order_of_the_ids_whatever_the_order_of_the_corpus() -> None:
    vectors = np.array([[0.5, 0], [1, 0], [0.5, 0], [0.5, 0], [0, 1]], np.float32)
    query = np.array([[1, 0]], np.float32)

    run = rank_vectors(["q"], query, ["b", "z", "a", "B", "c"], vectors, depth=3)

    assert run == {"q": [Scored("z", 1.0), Scored("B", 0.5), Scored("a", 0.5)]}


def test_golden_metrics_of_a_ranking_with_ties_across_the_cut_off() -> None:
    # 12 documents share the score of the 9th place: ids decide which two stand at 9 and 10.
    scores = np.array([[0.9 - 0.01 * row for row in range(8)] + [0.5] * 12], np.float32)
    doc_ids = [f"top{row}" for row in range(8)] + [f"tie{row:02d}" for row in reversed(range(12))]

    run = rankings(rank_vectors(["q"], np.ones((1, 1), np.float32), doc_ids, scores.T))
    metrics = retrieval_metrics(run, {"q": {"tie01": 1, "tie02": 1, "top1": 1}})

    assert run["q"][8:11] == ["tie00", "tie01", "tie02"]
    assert metrics["recall@10"] == pytest.approx(2 / 3)
    assert metrics["mrr@10"] == 0.5
    assert metrics["ndcg@10"] == pytest.approx(
        (1 / np.log2(3) + 1 / np.log2(11)) / (1 + 1 / np.log2(3) + 1 / np.log2(4))
    )
    assert metrics["map@100"] == pytest.approx((1 / 2 + 2 / 10 + 3 / 11) / 3)


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(0, 30)),
        elements=st.sampled_from([0, 0.5, 1]),
    ),
    st.integers(1, 40),
)
def test_top_k_equals_a_stable_sort(scores: FloatMatrix, k: int) -> None:
    columns, values = top_k(scores, k)

    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert (columns == expected).all()
    assert (values == np.take_along_axis(scores, expected, axis=1)).all()


def test_the_size_of_a_block_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(3)
    queries, documents = draw.integers(-2, 3, (17, 6)), draw.integers(-2, 3, (50, 6))
    arguments = (
        [f"q{row}" for row in range(17)],
        queries.astype(np.float32),
        [f"d{row}" for row in range(50)],
        documents.astype(np.float32),
    )
    whole = rank_vectors(*arguments)

    monkeypatch.setattr(rank, "BLOCK_BYTES", 1)

    assert rank_vectors(*arguments) == whole


def test_zero_rows_stay_zero() -> None:
    assert not np.isnan(unit_rows(np.zeros((2, 4), np.float32))).any()


class BigramVectors:
    """A model for both sides: bigrams counted in 64 buckets, so that ties abound."""

    similarity_fn_name = "cosine"
    dim = 64

    def vectors(self, texts: list[str]) -> FloatMatrix:
        out = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
            np.add.at(out[row], (codes[:-1] * 31 + codes[1:]) % self.dim, 1)
        return unit_rows(out)


def scores_by_sentence_transformers(
    evaluation_set: RetrievalSet, model: BigramVectors
) -> dict[str, float]:
    """Return their metrics on our vectors and our scores, ties resolved by their code."""
    torch = pytest.importorskip("torch")
    evaluation = pytest.importorskip("sentence_transformers.evaluation")

    class Model:
        similarity_fn_name = "cosine"
        model_card_data = type("Card", (), {"set_evaluation_metrics": lambda *_, **__: None})()

        def encode_query(self, texts: list[str], **_: object) -> object:
            return torch.from_numpy(model.vectors(texts))

        encode_document = encode_query

    evaluator = evaluation.InformationRetrievalEvaluator(
        queries=dict(evaluation_set.queries),
        corpus={
            key: passage.full_text(titles=True) for key, passage in evaluation_set.corpus.items()
        },
        relevant_docs={key: set(gains) for key, gains in evaluation_set.qrels.items()},
        score_functions={"cosine": lambda a, b: torch.from_numpy(a.numpy() @ b.numpy().T)},
        write_csv=False,
    )
    return {name.removeprefix("cosine_"): value for name, value in evaluator(Model()).items()}


@pytest.mark.parametrize("name", ["aio-quiz", "niilc", "sql_docs_ja"])
def test_a_real_run_scores_as_in_sentence_transformers(name: str) -> None:
    folder = data_folder()
    if folder is None:
        pytest.skip("the shared evaluation sets are not here")
    (one,) = read_sets(folder / "eval", only=[name])
    one, model = one.sample(150), BigramVectors()
    documents = [passage.full_text(titles=True) for passage in one.corpus.values()]

    run = rank_vectors(
        list(one.queries),
        model.vectors(list(one.queries.values())),
        list(one.corpus),
        model.vectors(documents),
    )

    ours = retrieval_metrics(rankings(run), one.qrels)
    assert ours == pytest.approx(scores_by_sentence_transformers(one, model), abs=1e-9)
