"""What keeps evaluation sets out of training."""

import json
import unicodedata
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from hypothesis import given
from hypothesis import strategies as st

from konayuki.evaluation import Passage, RetrievalSet, SimilaritySet
from konayuki.training.decontamination import SHINGLE, Decontaminator, folded
from konayuki.training.recipe_file import recipe_from
from konayuki.training.sources import Pair

PASSAGE = "".join(chr(0x4E00 + 7 * n) for n in range(3 * SHINGLE))
LETTERS = "あ雪aAａ１1 \n　ｱ㈱"


def guard_of(passage: str, query: str = "山の高さは") -> Decontaminator:
    guard = Decontaminator()
    guard.add(RetrievalSet("set", {"d": Passage(passage)}, {"q": query}, {"q": {"d": 1}}))
    return guard


@given(
    st.integers(0, 2 * SHINGLE),
    st.text(alphabet=LETTERS, max_size=30),
    st.text(alphabet=LETTERS, max_size=30),
)
def test_a_run_of_a_relevant_passage_is_found_wherever_it_stands(start, before, after):
    guard = guard_of(PASSAGE)
    shown = before + PASSAGE[start : start + SHINGLE] + after
    assert guard.reason(Pair("問い", shown)) == "passage"
    assert guard.reason(Pair("問い", "答え", shown)) == "passage"
    assert guard.reason(Pair(shown, "答え")) == "passage"
    # One character less, with strangers around it, is what two texts may share.
    assert guard.reason(Pair("問い", "甲" + PASSAGE[start + 1 : start + SHINGLE] + "乙")) == ""


@given(st.text(alphabet=LETTERS, min_size=1, max_size=20).filter(folded))
def test_width_case_and_white_space_hide_no_query(query):
    guard = guard_of(PASSAGE, query)
    disguised = " " + unicodedata.normalize("NFKC", query).upper() + "\n"
    assert folded(disguised) == folded(query)
    assert guard.reason(Pair(disguised, "答え")) == "query"
    assert guard.reason(Pair("問い", disguised)) == "query"


def test_pairs_that_show_an_evaluation_text_are_dropped_and_counted():
    passage = "".join(chr(0x4E00 + n) for n in range(60))
    hay = "".join(chr(0x5E00 + n) for n in range(60))
    guard = Decontaminator()
    guard.add(
        RetrievalSet(
            "set",
            {"d1": Passage(passage), "d2": Passage(hay)},
            {"q": "ＡＢＣ とは"},
            {"q": {"d1": 1}},
        )
    )
    good = [Pair("問い", "答え"), Pair("干し草", hay), Pair("短い", passage[:39])]
    bad = [Pair("abcとは", "答え"), Pair("問い", "前置き" + passage[5:45]), Pair("x", "y", passage)]

    assert list(guard.clean([*good, *bad], "s")) == good
    assert guard.report() == [
        {"source": "s", "reason": "passage", "dropped": 2},
        {"source": "s", "reason": "query", "dropped": 1},
    ]


def test_both_sides_of_a_similarity_set_are_queries():
    guard = Decontaminator()
    guard.add(SimilaritySet("sts", ("犬が走る",), ("猫が寝る",), (1.0,)))
    assert guard.reason(Pair("犬が走る", "x")) == guard.reason(Pair("x", "猫が寝る")) == "query"
    assert guard.reason(Pair("犬が寝る", "猫が走る")) == ""


def test_a_short_relevant_passage_is_found_where_it_is_the_whole_text():
    guard = guard_of("㈱ ユキは Yuki", query="")
    for pair in (
        Pair("題", "(株)ユキはyuki"),
        Pair("題", "x", "(株)ユキは YUKI"),
        Pair("(株)ユキはYuki", "x"),
    ):
        assert guard.reason(pair) == "passage"
    assert guard.reason(Pair("題", "(株)ユキはyuki。")) == ""
    assert guard_of(" ", query="").whole == set()


def test_an_edited_evaluation_set_is_kept_out_of_an_old_cache(tmp_path: Path):
    pytest.importorskip("torch")
    from konayuki.training.preparation import prepare

    held = tmp_path / "eval" / "one"
    held.mkdir(parents=True)
    (tmp_path / "a.jsonl").write_text(
        '{"query": "q1", "positive": "p1"}\n{"query": "q2", "positive": "p2"}\n', encoding="utf-8"
    )
    (held / "corpus.jsonl").write_text('{"_id": "d", "text": "none"}\n', encoding="utf-8")
    (held / "qrels.jsonl").write_text(
        '{"query-id": "q", "corpus-id": "d", "score": 1}\n', encoding="utf-8"
    )
    recipe = recipe_from({"sources": [{"files": "a.jsonl"}], "decontaminate": ["eval"]})
    for asked, left in (("q1", ["q2", "p2"]), ("q2", ["q1", "p1"]), ("q1", ["q2", "p2"])):
        (held / "queries.jsonl").write_text(f'{{"_id": "q", "text": "{asked}"}}\n', "utf-8")
        assert prepare(recipe, tmp_path, tmp_path / "cache", tmp_path).store.texts() == left
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_record_of_a_run_tells_what_was_dropped(tmp_path: Path):
    held = tmp_path / "eval" / "one"
    held.mkdir(parents=True)
    rows = {
        "corpus": [{"_id": "d", "text": PASSAGE}, {"_id": "hay", "text": PASSAGE[::-1]}],
        "queries": [{"_id": "q", "text": "山の高さは"}],
        "qrels": [{"query-id": "q", "corpus-id": "d", "score": 1}],
        "../../a": [
            {"query": "山の高さは", "positive": "高い"},
            {"query": "題", "positive": PASSAGE[5:70]},
            {"query": "干し草", "positive": PASSAGE[::-1]},
            {"query": "雪", "positive": "冬"},
        ],
    }
    for name, values in rows.items():
        lines = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
        (held / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    pytest.importorskip("torch")
    from konayuki.training.preparation import prepare

    values = {"sources": [{"files": "a.jsonl"}], "decontaminate": ["eval"]}
    prepared = prepare(recipe_from(values), tmp_path, tmp_path / "cache", tmp_path)

    assert list(prepared.store.dropped) == [
        {"source": "a", "reason": "passage", "dropped": 1},
        {"source": "a", "reason": "query", "dropped": 1},
    ]
    assert prepared.store.texts() == ["干し草", PASSAGE[::-1], "雪", "冬"]
