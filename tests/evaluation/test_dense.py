"""Dense, lexical and hybrid scores; dimensions and bit widths."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.layouts import CORPUS, PAIRS, QRELS, QUERIES
from evaluation.tiny_model import save_tiny_model, tiny_model
from konayuki.errors import DimensionError, InputError
from konayuki.evaluation import Plan, RetrievalSet, Setting, SimilaritySet, evaluate, evaluate_dense
from konayuki.evaluation.bits import model_with_bits, round_rows
from konayuki.evaluation.indexed import CutEncoder, evaluate_indexed
from konayuki.evaluation.metrics import retrieval_metrics
from konayuki.evaluation.sets import build_retrieval_set, build_similarity_set
from konayuki.model import StaticModel
from konayuki.rows import Row
from konayuki.search import Index


def rows(table: list[dict]) -> list[Row]:
    return [Row(values, "table", number) for number, values in enumerate(table, start=1)]


@pytest.fixture
def lakes() -> RetrievalSet:
    return build_retrieval_set("lakes", rows(CORPUS), rows(QUERIES), rows(QRELS))


@pytest.fixture
def pairs() -> SimilaritySet:
    return build_similarity_set("pairs", rows(PAIRS))


def test_every_dimension_scores_as_a_model_cut_to_it(lakes: RetrievalSet, tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path)

    together = evaluate_dense(StaticModel.load(folder), lakes, (32, 8, 3))

    for one in together:
        dim = one.setting.dim
        (alone,) = evaluate_dense(StaticModel.load(folder, dim=dim), lakes)
        assert alone == one


def test_dense_scores_equal_a_search_by_brute_force(lakes: RetrievalSet) -> None:
    model = tiny_model()
    cosines = model.similarity(
        list(lakes.queries.values()), [one.full_text(titles=True) for one in lakes.corpus.values()]
    )
    order = np.argsort(-cosines, axis=1, kind="stable")
    doc_ids = list(lakes.corpus)

    (ours,) = evaluate_dense(model, lakes)

    ranked = {
        query_id: [doc_ids[column] for column in line]
        for query_id, line in zip(lakes.queries, order, strict=True)
    }
    assert ours.metrics == retrieval_metrics(ranked, lakes.qrels)
    assert (ours.n_queries, ours.n_documents) == (2, 3)


def test_titles_change_what_is_ranked(lakes: RetrievalSet) -> None:
    seen: list[str] = []

    class Listening:
        dim = 32

        def encode(self, texts: list[str], *, dim: int, **_: object) -> np.ndarray:
            seen.extend(texts)
            return np.zeros((len(texts), dim), np.float32)

    evaluate_dense(Listening(), lakes, titles=False)
    evaluate_dense(Listening(), lakes, titles=True)

    assert CORPUS[0]["text"] in seen
    assert "富士山\n" + CORPUS[0]["text"] in seen


def test_similarity_pairs_are_scored_by_cosine(pairs: SimilaritySet) -> None:
    stats = pytest.importorskip("scipy.stats")
    model = tiny_model()
    cosines = [
        float(model.similarity(a, b)[0, 0]) for a, b in zip(pairs.first, pairs.second, strict=True)
    ]

    (ours,) = evaluate_dense(model, pairs)

    assert ours.metrics["pearson_cosine"] == pytest.approx(
        stats.pearsonr(cosines, pairs.scores).statistic, abs=1e-6
    )


def test_lexical_and_hybrid_scores_are_those_of_the_index(
    lakes: RetrievalSet, tmp_path: Path
) -> None:
    model = tiny_model()

    scores = evaluate_indexed(model, lakes, ["lexical", "hybrid", "dense"])

    with Index.create(tmp_path / "index", model) as index:
        index.add({"id": key, **passage._asdict()} for key, passage in lakes.corpus.items())
        for one in scores:
            ranked = {
                query_id: [hit.id for hit in index.search(text, k=100, mode=one.setting.mode)]
                for query_id, text in lakes.queries.items()
            }
            assert one.metrics == retrieval_metrics(ranked, lakes.qrels)
    assert scores[0].metrics["accuracy@1"] == 1.0  # the words decide


def test_a_cut_model_names_itself_and_gives_the_first_dimensions() -> None:
    model = tiny_model()
    cut = CutEncoder(model, 8)

    assert cut.fingerprint != model.fingerprint
    assert (cut.encode(["富士山"]) == model.encode(["富士山"], dim=8)).all()
    with pytest.raises(InputError, match="cannot cut to 64 dimensions: the model has 32"):
        CutEncoder(model, 64)


def test_a_plan_measures_each_setting_once(lakes: RetrievalSet, pairs: SimilaritySet) -> None:
    pytest.importorskip("safetensors")
    plan = Plan(modes=("dense", "lexical", "hybrid"), dims=(32, 8), bits=(32, 4))

    scores = list(evaluate(tiny_model(), iter([lakes, pairs]), plan))

    settings = [one.setting for one in scores if one.set_name == "lakes"]
    assert len(settings) == len(set(settings)) == 9
    assert settings.count(Setting("lexical")) == 1
    assert {(s.dim, s.bits) for s in settings if s.mode == "hybrid"} == {
        (32, 32), (8, 32), (32, 4), (8, 4),
    }  # fmt: skip
    assert len([one for one in scores if one.set_name == "pairs"]) == 4


@pytest.mark.parametrize(
    ("plan", "error", "message"),
    [
        ({"bits": (9,)}, InputError, "cannot evaluate 9 bits: expected 1 to 8, or 32"),
        ({"dims": (33,)}, DimensionError, "33"),
        ({"dims": (33,), "modes": ("hybrid",)}, InputError, "the model has 32"),
    ],
)
def test_a_plan_that_the_model_cannot_follow(
    lakes: RetrievalSet, plan: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        list(evaluate(tiny_model(), [lakes], Plan(**plan)))


def test_a_mode_that_does_not_exist() -> None:
    with pytest.raises(InputError, match="mode is 'fuzzy': expected one of hybrid, dense, lexical"):
        Plan(modes=("fuzzy",))


def test_four_bits_are_those_of_the_four_bit_layout(tmp_path: Path) -> None:
    packed = StaticModel.load(save_tiny_model(tmp_path, layout="q4"))
    texts = ["富士山は日本一高い", "abc 123", ""]

    rounded = model_with_bits(tiny_model(), 4)
    assert rounded.encode(texts) == pytest.approx(packed.encode(texts), abs=2e-6)
    again = model_with_bits(packed, 4)
    assert again.encode(texts) == pytest.approx(packed.encode(texts), abs=2e-6)
    untouched = model_with_bits(tiny_model(), 32)
    assert (untouched.encode(texts) == tiny_model().encode(texts)).all()


def test_a_packed_model_has_no_more_bits_to_give(tmp_path: Path) -> None:
    packed = StaticModel.load(save_tiny_model(tmp_path, layout="q4"))

    with pytest.raises(InputError, match="cannot evaluate 8 bits: the model is stored with 4"):
        model_with_bits(packed, 8)


@pytest.mark.parametrize("bits", range(1, 9))
def test_the_error_of_rounding_is_at_most_half_a_step(bits: int) -> None:
    table = np.random.default_rng(bits).normal(size=(50, 16)).astype(np.float32)
    table[0] = 0

    error = np.abs(round_rows(table, bits) - table)

    step = 2 * np.abs(table).max(axis=1) / (2**bits - 1)
    assert (error <= 0.5001 * step[:, None] + 2e-8).all()
