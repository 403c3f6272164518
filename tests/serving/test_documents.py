"""Searching, storing, reading and deleting documents over HTTP."""

import json
from urllib.parse import quote, urlencode

import pytest

from serving.live import Live
from serving.records import BIWA, FUJI


def test_hits_come_best_first_with_both_parts_of_their_score(shared: Live) -> None:
    hits = shared.search("富士山の高さ")["hits"]

    assert hits[0]["id"] == "fuji"
    assert hits[0]["lexical"] > 0
    assert -1 <= hits[0]["dense"] <= 1
    assert [hit["score"] for hit in hits] == sorted((h["score"] for h in hits), reverse=True)
    assert (hits[0]["title"], hits[0]["metadata"]) == (FUJI["title"], FUJI["metadata"])


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_search_by_url_is_the_search_by_body(shared: Live, mode: str) -> None:
    parameters = {"q": "日本 湖", "k": "2", "mode": mode, "where": '{"lang": ["ja", "en"]}'}
    by_url = shared.call("GET", f"/search?{urlencode(parameters)}").json
    by_body = shared.search("日本 湖", k=2, mode=mode, where={"lang": ["ja", "en"]})

    assert by_url["hits"] == by_body["hits"] != []


def test_a_filter_leaves_out_what_does_not_have_the_metadata(shared: Live) -> None:
    assert {h["id"] for h in shared.search("日本", where={"year": 2023})["hits"]} == {"biwa"}
    assert {h["id"] for h in shared.search("日本", where={"year": [2023, 2024]})["hits"]} == {
        "biwa",
        "fuji",
    }


def test_the_snippet_is_the_text_in_pieces_with_the_matches_marked(shared: Live) -> None:
    hit = shared.search("富士山")["hits"][0]

    assert "".join(piece["text"] for piece in hit["snippet"]) == FUJI["text"]
    assert [piece["text"] for piece in hit["snippet"] if piece["match"]] == ["富士山"]


def test_endings_in_hiragana_are_not_marked_beside_words(live: Live) -> None:
    live.add({"id": "x", "text": "空が白くなる。電車になる。"})

    hit = next(h for h in live.search("電車になる")["hits"] if h["id"] == "x")

    assert [piece["text"] for piece in hit["snippet"] if piece["match"]] == ["電車になる"]


def test_a_document_comes_back_as_it_was_stored(live: Live) -> None:
    metadata = {"a": [1, "二", None, True, {"深い": [0.5]}], "big": 10**30, "": ""}
    stored = {"id": "a/b c#%.?雪", "text": "本文\0\n", "title": "題", "metadata": metadata}
    live.add({**stored, "heading": "節", "chunk_of": "a", "position": 3})

    got = live.call("GET", f"/documents/{quote(stored['id'], safe='')}").json

    assert got == {**stored, "heading": "節", "chunk_of": "a", "position": 3}
    live.delete(stored["id"])


def test_a_second_document_with_an_id_replaces_the_first(live: Live) -> None:
    live.add({**FUJI, "text": "電車"})

    assert live.call("GET", "/documents/fuji").json["text"] == "電車"
    assert live.search("高さ", mode="lexical")["hits"] == []


def test_a_deleted_document_is_gone_and_the_second_time_not_found(live: Live) -> None:
    assert live.delete("biwa").json == {"deleted": 1, "documents": 2}
    assert live.call("GET", "/documents/biwa").code == "document_not_found"
    assert live.delete("biwa").status == 404
    assert "biwa" not in {hit["id"] for hit in live.search(BIWA["text"])["hits"]}


def test_one_bad_document_keeps_all_of_a_request_out(live: Live) -> None:
    documents = [{"id": "new", "text": "雪"}, {"id": "bad", "text": 5}]
    reply = live.call("POST", "/documents", {"documents": documents})

    assert reply.status == 422
    assert reply.json["error"]["param"] == "documents[1].text"
    assert live.call("GET", "/documents/new").status == 404


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc_jp", "utf-16"])
def test_a_markdown_file_becomes_passages_whatever_its_encoding(live: Live, encoding: str) -> None:
    text = "# 旅行の本\n富士山に登る。\n## 電車\n東京から電車で行く。\n"
    reply = live.call("PUT", f"/files/{quote('旅/本.md')}", text.encode(encoding))

    assert reply.json["stored"] == 2
    hit = live.search("電車で行く", where={"path": "旅/本.md"})["hits"][0]
    assert (hit["document"], hit["title"], hit["heading"]) == ("旅/本.md", "旅行の本", "電車")
    assert (hit["id"], hit["position"]) == ("旅/本.md#1", 1)


def test_a_file_that_comes_again_replaces_its_passages(live: Live) -> None:
    live.call("PUT", "/files/a.md", "# 題\n雪\n## 二\n空\n## 三\n海".encode())
    live.call("PUT", "/files/a.md", "# 題\n猫".encode())

    assert live.call("GET", "/documents/a.md%230").json["text"] == "猫"
    assert live.call("GET", "/documents/a.md%231").status == 404


def test_a_text_file_is_called_by_its_name(live: Live) -> None:
    live.call("PUT", "/files/memo.txt", "猫の話".encode())

    assert live.call("GET", "/documents/memo.txt%230").json["title"] == "memo"


def test_tables_and_lines_become_a_document_each(live: Live) -> None:
    rows = "id,text,lang\nc1,電車の話,ja\nc2,空の話,ja\n"
    lines = "\n".join(json.dumps({"id": f"j{n}", "text": "海の話", "n": n}) for n in range(3))

    assert live.call("PUT", "/files/t.csv", rows.encode()).json["stored"] == 2
    assert live.call("PUT", "/files/l.jsonl", lines.encode()).json["stored"] == 3
    first = live.call("GET", "/documents/c1").json["metadata"]
    assert first == {"lang": "ja", "path": "t.csv", "line": 2, "keywords": ["t"]}
    third = live.call("GET", "/documents/j2").json["metadata"]
    assert third == {"n": 2, "path": "l.jsonl", "line": 3, "keywords": ["l"]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n\0\0\0"),
        ("binary.txt", b"\0\1\2"),
        ("broken.jsonl", b'{"text": '),
        ("broken.csv", b"a,b\n1,2\n"),
        ("noise.txt", b"\x81"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_its_name(
    shared: Live, name: str, content: bytes
) -> None:
    reply = shared.call("PUT", f"/files/{name}", content)

    assert reply.status == 422
    assert name in reply.json["error"]["message"]
    assert "konayuki-" not in reply.json["error"]["message"]  # no folder of the server


def test_similarity_is_the_cosine_of_each_pair(shared: Live) -> None:
    sentences = ["富士山", "琵琶湖", ""]
    reply = shared.call("POST", "/similarity", {"sentences": sentences}).json["similarity"]
    across = shared.call("POST", "/similarity", {"sentences": sentences, "others": ["富士山"]}).json

    assert reply[0][0] == pytest.approx(1.0, abs=1e-6)
    assert reply[0][1] == pytest.approx(reply[1][0], abs=1e-6)
    assert reply[2] == [0.0, 0.0, 0.0]
    assert [row[0] for row in across["similarity"]] == pytest.approx(
        [reply[0][0], reply[1][0], 0.0], abs=1e-6
    )


def test_a_server_says_what_it_serves(shared: Live) -> None:
    info = shared.call("GET", "/info").json

    assert (info["documents"], info["writable"], info["model"]) == (3, True, "konayuki")
    assert shared.call("GET", "/health").json == {"status": "ok"}
    assert shared.call("GET", "/ready").json == {"status": "ready"}
