"""The grammar of queries, suggestions, similar passages and marks over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from serving.live import Live, serving

NOTES = [
    (
        "a.md#0",
        "鍋の本",
        "白菜と豚の鍋。",
        {"path": "料理/a.md", "tags": ["料理"], "date": "2024-03-01"},
    ),
    (
        "a.md#1",
        "鍋の本",
        "鍋のしめは雑炊。",
        {"path": "料理/a.md", "tags": ["料理"], "date": "2024-03-01"},
    ),
    (
        "b.pdf#0",
        "",
        "鍋を買う。PostgreSQLも。",
        {"path": "b.pdf", "page": 12, "date": "2025-01-01"},
    ),
    ("c.txt#0", "旅行", "京都へ行く。", {"path": "c.txt", "line": 7}),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Live]:
    index = tmp_path_factory.mktemp("searching") / "notes.konayuki"
    with serving(str(index), "--create", "--model", str(model_folder)) as live:
        live.add(
            *(
                {"id": name, "title": title, "text": text, "metadata": metadata,
                 "chunk_of": name[:-2], "position": int(name[-1])}
                for name, title, text, metadata in NOTES
            )
        )  # fmt: skip
        yield live


def ids(answer: dict) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"鍋のしめ"', {"a.md#1"}),
        ("鍋 -白菜 -雑炊", {"b.pdf#0", "c.txt#0"}),
        ("鍋 tag:料理", {"a.md#0", "a.md#1"}),
        ("path:料理", {"a.md#0", "a.md#1"}),
        ("kind:pdf", {"b.pdf#0"}),
        ("after:2024-04", {"b.pdf#0"}),
        ("tag:nothing", set()),
    ],
)
def test_a_query_is_taken_apart(site: Live, query: str, expected: set[str]) -> None:
    assert set(ids(site.search(query))) == expected
    assert set(ids(site.call("GET", f"/search?{urlencode({'q': query})}").json)) == expected


def test_a_plain_query_is_text(site: Live) -> None:
    assert len(site.search("鍋 tag:料理", plain=True)["hits"]) == 4
    assert (
        len(
            site.call("GET", f"/search?{urlencode({'q': '鍋 -京都', 'plain': 'true'})}").json[
                "hits"
            ]
        )
        == 4
    )


def test_a_hit_says_where_it_stands_and_what_its_score_is_made_of(site: Live) -> None:
    hits = {hit["id"]: hit for hit in site.search("鍋の本")["hits"]}

    assert (hits["b.pdf#0"]["place"], hits["c.txt#0"]["place"]) == ("b.pdf p.12", "c.txt:7")
    assert (hits["b.pdf#0"]["date"], hits["c.txt#0"]["date"]) == ("2025-01-01", None)
    best = hits["a.md#0"]
    assert sum(best["parts"].values()) == pytest.approx(best["score"], abs=1e-4)
    assert 0 <= best["relevance"] <= 1
    assert best["title_pieces"] == [{"text": "鍋の本", "match": True}]


def test_hits_come_by_date_and_by_file(site: Live) -> None:
    assert ids(site.search("鍋", sort="date"))[0] == "b.pdf#0"
    files = site.search("鍋", by_file=True)["hits"]
    assert [hit["metadata"]["path"] for hit in files].count("料理/a.md") == 1
    [pot] = [hit for hit in files if hit["metadata"]["path"] == "料理/a.md"]
    assert pot["more"] == len(pot["others"]) == 1
    assert {pot["id"], pot["others"][0]["id"]} == {"a.md#0", "a.md#1"}
    assert len(site.search("鍋", by_file=True, k=2)["hits"]) == 2


def test_less_relevant_hits_are_left_out_and_the_answer_says_so(site: Live) -> None:
    everything = site.search("鍋")
    relevance = sorted(hit["relevance"] for hit in everything["hits"])
    some = site.search("鍋", min_relevance=relevance[-1])
    assert len(some["hits"]) == relevance.count(relevance[-1])
    assert site.search("zzzz qqqq", min_relevance=1.0)["verdict"] == "nothing"
    assert everything["verdict"] in {"relevant", "doubtful", "nothing"}
    assert site.search("鍋", mode="lexical")["verdict"] == "relevant"
    reply = site.call("POST", "/search", {"query": "鍋", "mode": "dense", "min_relevance": 0.5})
    assert (reply.status, reply.code) == (422, "invalid_value")
    reply = site.call("POST", "/search", {"query": "鍋", "min_relevance": 2})
    assert reply.json["error"]["param"] == "min_relevance"
    assert site.call("GET", "/search?q=x&sort=size").json["error"]["param"] == "sort"


def test_a_query_goes_on(site: Live) -> None:
    def suggested(typed: str, **more: int) -> list[str]:
        reply = site.call("GET", f"/suggest?{urlencode({'q': typed, **more})}")
        assert reply.status == 200, reply.body
        return [suggestion["text"] for suggestion in reply.json["suggestions"]]

    assert suggested("Postg") == ["PostgreSQL"]
    assert suggested("鍋 tag:") == ["鍋 tag:料理"]
    assert suggested("path:", k=1) == ["path:料理/a.md"] or suggested("path:", k=1) == [
        "path:料理/"
    ]
    assert site.call("GET", "/suggest").status == 422
    assert site.call("GET", "/suggest?q=a&k=x").json["error"]["param"] == "k"
    assert site.call("GET", "/suggest?q=a&mode=dense").json["error"]["param"] == "mode"


def test_what_is_like_a_passage_comes_from_other_documents(site: Live) -> None:
    reply = site.call("GET", f"/similar?{urlencode({'id': 'a.md#0', 'k': 2})}")
    assert set(ids(reply.json)) == {"b.pdf#0", "c.txt#0"}
    where = {"id": "a.md#0", "where": '{"path": "c.txt"}'}
    assert ids(site.call("GET", f"/similar?{urlencode(where)}").json) == ["c.txt#0"]
    assert site.call("GET", "/similar?id=none").code == "document_not_found"


def test_texts_come_back_whole_with_marks(site: Live) -> None:
    body = {"query": '"鍋の" tag:x', "texts": ["白い\n鍋の\n話", ""]}
    texts = site.call("POST", "/mark", body).json["texts"]

    assert ["".join(piece["text"] for piece in text) for text in texts] == body["texts"]
    assert [piece["text"] for piece in texts[0] if piece["match"]] == ["鍋の"]


def test_a_passage_has_neighbours(site: Live) -> None:
    answer = site.call("GET", f"/context?{urlencode({'id': 'a.md#0', 'q': 'しめ'})}").json
    assert answer["before"] == []
    [behind] = answer["behind"]
    assert (behind["id"], behind["position"]) == ("a.md#1", 1)
    assert [piece["text"] for piece in behind["text"] if piece["match"]] == ["しめ"]
    assert site.call("GET", "/context?id=c.txt%230").json == {"before": [], "behind": []}
    assert site.call("GET", "/context?id=none").code == "document_not_found"
    assert site.call("GET", "/context?id=a.md%230&n=0").json["error"]["param"] == "n"
