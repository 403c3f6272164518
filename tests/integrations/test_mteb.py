"""mteb runs our encoder and our Index on tasks over local sets, and finds what we find."""

from pathlib import Path

import pytest

mteb = pytest.importorskip("mteb")

from evaluation.layouts import CORPUS, QRELS, QUERIES  # noqa: E402 - after the skip
from evaluation.tiny_model import tiny_model  # noqa: E402
from konayuki.errors import InputError  # noqa: E402
from konayuki.evaluation import RetrievalSet, evaluate_dense, read_sets  # noqa: E402
from konayuki.evaluation.indexed import evaluate_indexed  # noqa: E402
from konayuki.evaluation.sets import build_retrieval_set  # noqa: E402
from konayuki.integrations.mteb import (  # noqa: E402
    MtebBm25,
    MtebEncoder,
    MtebSearch,
    model_meta,
    retrieval_task,
)
from konayuki.rows import Row  # noqa: E402
from shared_data import data_folder  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # mteb and what it imports warn freely
]


def rows(table: list[dict]) -> list[Row]:
    return [Row(values, "table", number) for number, values in enumerate(table, start=1)]


@pytest.fixture
def lakes() -> RetrievalSet:
    return build_retrieval_set("lakes-and-山", rows(CORPUS), rows(QUERIES), rows(QRELS))


def scores_of(model: object, one: RetrievalSet) -> dict[str, float]:
    result = mteb.evaluate(
        model, [retrieval_task(one)], cache=None, show_progress_bar=False, co2_tracker=False
    )
    return result.task_results[0].scores["test"][0]


def assert_same(theirs: dict[str, float], ours: dict[str, float]) -> None:
    for at in (1, 3, 5, 10):
        assert theirs[f"recall_at_{at}"] == pytest.approx(ours[f"recall@{at}"], abs=1e-5)
        assert theirs[f"precision_at_{at}"] == pytest.approx(ours[f"precision@{at}"], abs=1e-5)
    ndcg = ours.get("graded_ndcg@10", ours["ndcg@10"])
    assert theirs["ndcg_at_10"] == pytest.approx(ndcg, abs=1e-5)


def test_the_encoder_scores_as_in_our_own_evaluation(lakes: RetrievalSet) -> None:
    (ours,) = evaluate_dense(tiny_model(), lakes)

    assert_same(scores_of(MtebEncoder(tiny_model()), lakes), ours.metrics)


def test_a_cut_encoder_scores_as_the_cut_model(lakes: RetrievalSet) -> None:
    encoder = MtebEncoder(tiny_model(), dim=8)
    (ours,) = evaluate_dense(tiny_model(), lakes, (8,))

    assert_same(scores_of(encoder, lakes), ours.metrics)
    assert encoder.mteb_model_meta.name == "konayuki/konayuki-8"


@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
def test_the_index_scores_as_in_our_own_evaluation(lakes: RetrievalSet, mode: str) -> None:
    (ours,) = evaluate_indexed(tiny_model(), lakes, [mode])
    searcher = MtebSearch(tiny_model(), mode=mode)

    theirs = scores_of(searcher, lakes)
    searcher.close()

    assert_same(theirs, ours.metrics)


def test_bm25_is_the_words_of_the_index(lakes: RetrievalSet) -> None:
    (ours,) = evaluate_indexed(tiny_model(), lakes, ["lexical"])
    searcher = MtebBm25()

    theirs = scores_of(searcher, lakes)
    searcher.close()

    assert_same(theirs, ours.metrics)
    assert searcher.mteb_model_meta.name == "konayuki/bm25-japanese"


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "dense"])
def test_documents_that_were_asked_about_all_get_a_score(lakes: RetrievalSet, mode: str) -> None:
    known = {"task_metadata": None, "hf_split": "", "hf_subset": "", "encode_kwargs": {}}
    corpus = [{"id": key, **passage._asdict()} for key, passage in lakes.corpus.items()]
    asked = list(lakes.corpus)[:2]
    searcher = MtebSearch(tiny_model(), mode=mode)
    searcher.index(corpus, **known)
    question = {"id": "q", "text": lakes.corpus[asked[1]].text}

    scores = searcher.search([question], top_k=1, top_ranked={"q": asked}, **known)["q"]
    searcher.close()

    assert set(scores) == set(asked)
    assert scores[asked[1]] > scores[asked[0]]


def test_the_meta_describes_the_model_and_loads_it(lakes: RetrievalSet) -> None:
    meta = model_meta(tiny_model(), name="owner/tiny")

    assert meta.n_parameters == tiny_model().vocab_size * 32 + 96
    assert meta.revision == tiny_model().fingerprint
    assert meta.embed_dim == [32]
    assert_same(scores_of(meta, lakes), evaluate_dense(tiny_model(), lakes)[0].metrics)


def test_protocols_of_mteb_are_kept() -> None:
    protocols = pytest.importorskip("mteb.models.models_protocols")

    assert isinstance(MtebEncoder(tiny_model()), protocols.EncoderProtocol)
    assert isinstance(MtebSearch(tiny_model()), protocols.SearchProtocol)
    assert isinstance(MtebBm25(), protocols.SearchProtocol)


def test_wrong_use_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of hybrid, dense, lexical"):
        MtebSearch(tiny_model(), mode="fuzzy")
    with pytest.raises(InputError, match="nothing to search"):
        MtebSearch(tiny_model()).search(
            [], task_metadata=None, hf_split="", hf_subset="", top_k=1, encode_kwargs={}
        )


def test_a_real_set_scores_as_in_our_own_evaluation() -> None:
    folder = data_folder()
    if folder is None:
        pytest.skip("the shared evaluation sets are not here")
    (one,) = read_sets(folder / "eval", only=["aio-quiz"])
    assert isinstance(one, RetrievalSet)
    (ours,) = evaluate_dense(tiny_model(), one)

    theirs = scores_of(MtebEncoder(tiny_model()), one)

    # mteb breaks ties its own way, and a model of single characters has a few.
    assert theirs["ndcg_at_10"] == pytest.approx(ours.metrics["ndcg@10"], abs=2e-3)
