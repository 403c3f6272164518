"""The JavaScript runtime against the Python package: ids, vectors, terms, hits, highlights."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from konayuki.search import Document, Index, highlight
from konayuki.search.prepared import prepared
from konayuki.search.respelled import respelled
from konayuki.search.terms import (
    other_spellings,
    query_terms,
    query_words,
)
from konayuki.site import Settings, build_site
from konayuki.site.model_file import site_model
from shared_data import data_folder

# Blocks that tokenizers and analysers treat in a special way.
BLOCKS = [
    *((0x20, 0x7F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x5D0, 0x5EA), (0x600, 0x6FF)),
    *((0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x2000, 0x206F), (0x20A0, 0x20CF)),
    *((0x2100, 0x23FF), (0x2460, 0x27BF), (0x3000, 0x303F), (0x3041, 0x30FF), (0x3130, 0x318F)),
    *((0x31F0, 0x33FF), (0x3400, 0x3500), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF)),
    *((0xFB00, 0xFB4F), (0xFDF0, 0xFDFF), (0xFE00, 0xFE0F), (0xFE30, 0xFE4F), (0xFF01, 0xFFEE)),
    *((0x1F300, 0x1F64F), (0x20000, 0x20400), (0xE0100, 0xE01EF), (0x1D400, 0x1D4FF)),
]
CASES = [
    "",
    " ",
    "\u3000",
    "富士山",
    "ｶﾞｷﾞｸﾞ",
    "e\u0301\u0301",
    "ｅ\u0301",
    "\r\n",
    "a\r\nb",
    "㋿㍻㌔",
    "<unk>",
    "＜ｕｎｋ＞",
    "☃<unk>☃",
    "ΑΣ ΑΣΑ",
    "İstanbul",
    "ﷺ",
    "葛\U000e0100城",
    "👨\u200d👩\u200d👧",
    "ヴァイオリン",
    "デヴィッド",
    "インタフェース",
    "とまとジュース",
    "引っ越し",
    "申込み",
    "人々",
    "学問のすゝめ",
    "國際連盟の渡邊さん",
    "𠮷野家",
    "ソフト\u200bウェア",
    "改\n行された文",
    "a" * 200,
    "TypeError: x is undefined",
    "C++とC#",
    "1,000円",
    "２０２４年１月",
    "\u1100\u1161\u11a8",
    "ラーメン\u0000屋",
    "ーー",
    "ッー",
    "゛",
    "。！？",
    "🙂",
    "한국어 문장",
    "ภาษาไทย",
    "q" * 70 + "山",
]


def made_up(number: int, seed: int = 7) -> list[str]:
    generator = random.Random(seed)  # noqa: S311 - not for secrets
    texts = []
    for _ in range(number):
        blocks = generator.choices(BLOCKS, k=generator.randint(1, 3))
        size = generator.randint(1, 24)
        codes = [generator.randint(*generator.choice(blocks)) for _ in range(size)]
        texts.append("".join(chr(code) for code in codes))
    return texts


def check_ids(ask, built: Path, model, texts: list[str]) -> None:
    batch = model.tokenize(texts)
    answer = ask(built, texts=texts)
    for number, (text, ids) in enumerate(zip(texts, answer["ids"], strict=True)):
        start, end = batch.offsets[number : number + 2]
        assert ids == batch.ids[start:end].tolist(), repr(text)


def check_hits(ask, built: Path, index: Index, questions: list[str]) -> None:
    answer = ask(built, questions=questions, words=questions, k=10)
    for question, found, by_words in zip(questions, answer["hits"], answer["words"], strict=True):
        for mode, hits in (("hybrid", found), ("lexical", by_words)):
            expected = index.search(question, 10, mode, distinct=True)  # type: ignore[arg-type]
            scores = np.array([hit["score"] for hit in hits])
            np.testing.assert_allclose(scores, [hit.score for hit in expected], 1e-4, 1e-4)
            for place, (hit, other) in enumerate(zip(hits, expected, strict=True)):
                near = np.abs(scores - scores[place]) < 1e-4  # rounding may order these
                assert hit["id"] == other.id or near.sum() > 1, (question, mode)
        for hit in found:
            assert 0 <= hit["relevance"] <= 1


def test_ids_are_those_of_python(ask, built, narrow_model, documents, questions):
    texts = [*CASES, *made_up(300), *questions, *(document.text for document in documents[:50])]

    check_ids(ask, built, narrow_model, texts)


def test_vectors_are_those_of_python(ask, built, narrow_model, documents, questions):
    texts = [*CASES, *questions[:20], *(document.text for document in documents[:20])]
    vectors = np.array(ask(built, texts=texts, vectors=True)["vectors"])

    np.testing.assert_allclose(vectors, narrow_model.encode(texts), rtol=0, atol=1e-5)


def test_terms_and_other_spellings_are_those_of_python(ask, built, narrow_model, questions):
    texts = [*CASES, *questions, *made_up(300, seed=8)]
    answer = ask(built, terms=texts)["terms"]

    for text, terms in zip(texts, answer, strict=True):
        query = prepared(text)
        expected = query_terms(query)
        assert terms["grams"] == expected.grams, repr(text)
        assert terms["lone"] == expected.lone, repr(text)
        others = {gram: list(spellings) for gram, spellings in other_spellings(query).items()}
        assert terms["others"] == others, repr(text)
        words = [[word, [list(s) for s in spellings]] for word, spellings in query_words(query)]
        assert terms["words"] == words, repr(text)
        assert terms["respelled"] == respelled(query, narrow_model.encode), repr(text)


def test_hits_scores_and_order_are_those_of_python(ask, built, index, questions):
    more = [
        "京",
        "雪",
        "茶",
        "眠れない夜",
        "とまと",
        "データベース",
        "ngram",
        "the",
        "何もない 宇宙 酒",
        "　",
    ]

    check_hits(ask, built, index, [*questions, *more])


def test_the_first_words_do_not_wait_for_the_dictionary(ask, built, questions):
    asked = ["眠れない夜", "インターネットの安全", *questions[:20]]
    answer = ask(built, quick=asked, words=asked, k=6)

    for found, slowly in zip(answer["quick"], answer["words"], strict=True):
        assert found["hits"]
        assert {hit["id"] for hit in found["hits"]} & {hit["id"] for hit in slowly}
        kinds = Counter(name.partition("-")[0] for name in found["names"])
        assert kinds["passages"] <= len(found["hits"]) <= 6


def test_a_question_loads_few_files_of_the_dictionary(ask, built):
    (answer,) = ask(built, quick=["インターネットの安全な使い方"], k=6)["quick"]
    starts = [name for name in answer["names"] if name.startswith("dictionary-")]

    assert 0 < len(starts) <= 8  # of 14 characters in two kinds of kana


def test_equal_passages_are_one_hit(tmp_path, ask, as_site, narrow_model):
    texts = ["雪が降る。", "雨が降る。", "雪が降る。", "雪が積もる。"]
    documents = [Document(id=str(number), text=text) for number, text in enumerate(texts)]
    build_site(documents, tmp_path / "site")
    with Index.create(tmp_path / "i", narrow_model) as index:
        index.add({"id": document.id, "text": document.text} for document in documents)
        check_hits(ask, tmp_path / "site", as_site(index), ["雪が降る", "雪", "雨"])


@pytest.mark.slow
def test_four_bits_find_nearly_the_same(tmp_path, ask, built, documents, questions):
    questions = questions[:40]
    build_site(documents, tmp_path, settings=Settings(bits=4))
    eight, four = (ask(base, questions=questions, k=1)["hits"] for base in (built, tmp_path))

    same = [a[0]["id"] == b[0]["id"] for a, b in zip(eight, four, strict=True)]
    assert np.mean(same) > 0.9
    vectors = {
        base: json.loads((base / "manifest.json").read_bytes())["vectors"]["bytes"]
        for base in (built, tmp_path)
    }
    assert vectors[tmp_path] < 0.75 * vectors[built]


def test_highlights_are_those_of_python(ask, built, documents, questions):
    pairs = [
        (document.text, question)
        for document, question in zip(documents, questions * 9, strict=False)
    ]
    pairs += [
        ("ｶﾞｯｺｳのデータ", "ガッコウ"),
        ("½fraction 20℃です", "20"),
        ("葛\U000e0100城市の𠮷野家", "葛城市 𠮷野家"),
        ("改\n行された長い言葉", "改行"),
        ("か\u3099くせい", "がくせい"),
        ("IPv6とIPv4", "ipv4"),
        ("PostgreSQLのPostmanとpost", "postg post"),
        ("JavaScriptと20240401", "java 2024 javasc"),
    ]
    answer = ask(built, highlights=pairs)["highlights"]

    for (text, question), spans in zip(pairs, answer, strict=True):
        marked = [utf16_slice(text, start, end) for start, end in spans]
        assert marked == [text[start:end] for start, end in highlight(text, question)], question


def utf16_slice(text: str, start: int, end: int) -> str:
    return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")


def test_snippets_mark_what_they_show(ask, built, questions):
    for hits in ask(built, words=questions[:30], k=5)["words"]:
        for hit in hits:
            snippet = hit["snippet"]
            assert len(snippet["text"]) <= 122
            assert all(0 <= a < b <= len(snippet["text"]) for a, b in snippet["spans"])


def test_files_of_another_format_are_refused(tmp_path, built, node, ask):
    copy = Path(shutil.copytree(built, tmp_path / "site"))
    manifest = json.loads((copy / "manifest.json").read_bytes())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "format": 99}), encoding="utf-8")

    with pytest.raises(AssertionError, match="format 99: expected 2"):
        ask(copy, questions=["雪"], k=1)


@pytest.mark.slow
def test_ids_of_a_hundred_thousand_texts_are_those_of_python(ask, built, narrow_model):
    folder = data_folder()
    if folder is None:
        pytest.skip("no shared data: KONAYUKI_DATA names no folder")
    texts = made_up(30_000, seed=9)
    for name in ("jaquad-dev", "niilc", "aio-quiz", "sql_docs_ja"):
        texts += corpus(folder, name)[: 70_000 - (len(texts) - 30_000)]
    sentences = [sentence for text in texts[30_000:] for sentence in text.split("。")]
    texts = (texts + sentences)[:100_000]
    assert len(texts) == 100_000

    for start in range(0, len(texts), 20_000):
        check_ids(ask, built, narrow_model, texts[start : start + 20_000])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dim"), [("jaquad-dev", 128), ("niilc", 256), ("aio-quiz", 128)])
def test_hits_of_three_hundred_questions_are_those_of_python(tmp_path, ask, as_site, name, dim):
    folder = data_folder()
    if folder is None:
        pytest.skip("no shared data: KONAYUKI_DATA names no folder")
    import konayuki

    documents = [
        Document(id=str(number), text=text) for number, text in enumerate(corpus(folder, name))
    ]
    model = site_model(konayuki.StaticModel.load(), dim)
    build_site(documents, tmp_path / "site", settings=Settings(dim=dim))
    with Index.create(tmp_path / "i", model) as index:
        index.add({"id": document.id, "text": document.text} for document in documents)
        check_hits(ask, tmp_path / "site", as_site(index), column(folder, name, "queries")[:300])


def corpus(folder: Path, name: str) -> list[str]:
    return column(folder, name, "corpus")


def column(folder: Path, name: str, file: str) -> list[str]:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table = parquet.read_table(folder / "eval" / name / f"{file}.parquet")
    texts: list[str] = table.column("text").to_pylist()
    return texts
