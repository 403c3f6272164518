"""The MCP server, asked by the client of the official package over stdio."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.ingest import update
from konayuki.model import StaticModel
from konayuki.search import Document, Hit, Index
from serving.live import ROOT, command
from serving.records import BIWA, CAT, FUJI

mcp = pytest.importorskip("mcp")

from konayuki.search import FileHits  # noqa: E402
from konayuki.serving.agent import build_agent  # noqa: E402
from konayuki.serving.answers import excerpts, in_full  # noqa: E402
from konayuki.serving.budget import LEAST_TOKENS, cost, estimated_tokens  # noqa: E402
from konayuki.serving.engine import Engine  # noqa: E402
from konayuki.serving.stdio import replace_lone_surrogates  # noqa: E402

READING = {"search", "get", "list_files", "status", "embed", "similarity"}


@pytest.fixture
def index(tmp_path: Path, model_folder: Path) -> Path:
    with Index.create(tmp_path / "i", StaticModel.load(model_folder)) as index:
        index.add([FUJI, BIWA, CAT])
    return tmp_path / "i"


@pytest.fixture(scope="module")
def shared_index(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("property") / "i"
    with Index.create(folder, StaticModel.load(model_folder)) as index:
        yield index


def ask(index: Path, model: Path, act: Callable[[Any], Awaitable[Any]], *arguments: str) -> Any:
    """Run a conversation with `konayuki mcp` and return what it returned."""

    async def conversation() -> Any:
        parameters = mcp.StdioServerParameters(
            command=sys.executable,
            args=["-m", "konayuki", "mcp", str(index), "--model", str(model), *arguments],
            env={"PYTHONPATH": str(ROOT / "src"), "PATH": os.environ["PATH"]},
        )
        async with (
            mcp.stdio_client(parameters) as (read, write),
            mcp.ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await act(session)

    return asyncio.run(conversation())


def test_an_agent_finds_adds_compares_and_embeds(index: Path, model_folder: Path) -> None:
    async def act(session: Any) -> dict[str, Any]:
        new = {"id": "new", "text": "電車で学校に行く。", "metadata": {"lang": "ja"}}
        return {
            "tools": {tool.name for tool in (await session.list_tools()).tools},
            "found": await session.call_tool("search", {"query": "富士山の高さ", "k": 2}),
            "added": await session.call_tool("add", {"documents": [new]}),
            "again": await session.call_tool("search", {"query": "電車", "where": {"lang": "ja"}}),
            "typed": await session.call_tool("search", {"query": '一番 -"琵琶湖は" after:2020'}),
            "plain": await session.call_tool("search", {"query": "雪 -猫", "plain": True}),
            "vectors": await session.call_tool("embed", {"texts": ["雪", "猫"], "dimensions": 8}),
            "close": await session.call_tool("similarity", {"sentences": ["雪", "雪", "猫"]}),
            "wrong": await session.call_tool("search", {"query": "雪", "k": 0}),
            "bad filter": await session.call_tool("search", {"query": "雪", "where": {"a": {}}}),
            "too many": await session.call_tool("embed", {"texts": ["雪"], "dimensions": 99}),
        }

    got = ask(index, model_folder, act)

    assert got["tools"] == {*READING, "add"}
    hits = structured(got["found"])["hits"]
    assert (hits[0]["id"], hits[0]["text"]) == ("fuji", FUJI["text"])
    assert len(hits) == 2
    assert structured(got["added"]) == {"stored": 1, "documents": 4}
    assert structured(got["again"])["hits"][0]["id"] == "new"
    assert structured(got["typed"])["hits"] == []  # nothing has a date
    assert len(structured(got["plain"])["hits"]) == 4
    expected = StaticModel.load(model_folder).encode(["雪", "猫"], dim=8)
    assert np.array_equal(np.float32(structured(got["vectors"])["vectors"]), expected)
    assert structured(got["close"])["similarity"][0][1] == pytest.approx(1.0, abs=1e-6)
    for name in ("wrong", "bad filter", "too many"):
        assert failed(got[name])
    assert "32" in got["too many"].content[0].text  # the error tells how many there are


def test_a_read_only_agent_has_no_tool_that_writes(index: Path, model_folder: Path) -> None:
    async def act(session: Any) -> set[str]:
        return {tool.name for tool in (await session.list_tools()).tools}

    assert ask(index, model_folder, act, "--read-only") == READING


def test_an_agent_reads_around_a_hit_and_looks_about(index: Path, model_folder: Path) -> None:
    async def act(session: Any) -> dict[str, Any]:
        steps = [
            {"id": f"a.md#{n}", "text": f"雪の話 {n}", "chunk_of": "a.md", "position": n,
             "metadata": {"path": "a.md"}}
            for n in range(5)
        ]  # fmt: skip
        tools = (await session.list_tools()).tools
        return {
            "hints": {tool.name: tool.annotations.read_only_hint for tool in tools},
            "schema": next(tool for tool in tools if tool.name == "search").output_schema,
            "added": await session.call_tool("add", {"documents": steps}),
            "around": await session.call_tool("get", {"id": "a.md#2", "neighbours": 1}),
            "file": await session.call_tool("get", {"id": "a.md"}),
            "nobody": await session.call_tool("get", {"id": "nobody"}),
            "files": await session.call_tool("list_files", {"contains": ".md"}),
            "status": await session.call_tool("status", {}),
            "nothing": await session.call_tool("search", {"query": "雪", "where": {"no": 1}}),
        }

    got = ask(index, model_folder, act)

    assert {name for name, hint in got["hints"].items() if hint} == READING
    assert {"hits", "more", "note"} <= got["schema"]["properties"].keys()
    ids = [hit["id"] for hit in structured(got["around"])["hits"]]
    assert ids == ["a.md#1", "a.md#2", "a.md#3"]
    assert "雪の話 2" in got["around"].content[0].text
    assert structured(got["file"])["hits"][0]["id"] == "a.md#0"
    assert failed(got["nobody"])
    assert structured(got["files"]) == {"paths": ["a.md"], "more": 0}
    assert structured(got["status"])["documents"] == 8
    assert structured(got["nothing"])["hits"] == []
    assert got["nothing"].content[0].text.startswith("Nothing relevant")


PASSAGES = [
    {"id": f"{path}#{n}", "text": text, "chunk_of": path, "position": n,
     "metadata": {"path": path, "line": 1 + 10 * n}}
    for path, texts in {
        "山.md": ["富士山の高さは3776メートル。", "富士山に雪が降る。", "富士山から海を見る。"],
        "本.md": ["料理の本。", "法律の本。"],
    }.items()
    for n, text in enumerate(texts)
]  # fmt: skip


def test_an_agent_reads_by_place_and_groups_by_file(index: Path, model_folder: Path) -> None:
    numbered = [
        {"id": f"p{n}", "text": "文", "position": n, "metadata": {"path": "報告.pdf", "page": n}}
        for n in range(3)
    ]

    async def act(session: Any) -> dict[str, Any]:
        await session.call_tool("add", {"documents": [*PASSAGES, *numbered]})
        places = ["山.md:1", "山.md:9-10", "山.md:10-11", "山.md:999", "報告.pdf p.2"]
        return {
            "places": [await session.call_tool("get", {"id": place}) for place in places],
            "around": await session.call_tool("get", {"id": "山.md:12", "neighbours": 1}),
            "nowhere": await session.call_tool("get", {"id": "海.md:3"}),
            "flat": await session.call_tool("search", {"query": "富士山", "k": 4}),
            "later": await session.call_tool("search", {"query": "富士山", "k": 2, "offset": 2}),
            "grouped": await session.call_tool(
                "search", {"query": "富士山", "k": 2, "group_by_file": True}
            ),
        }

    got = ask(index, model_folder, act)

    ids = [[hit["id"] for hit in structured(answer)["hits"]] for answer in got["places"]]
    assert ids == [["山.md#0"], ["山.md#0"], ["山.md#0", "山.md#1"], ["山.md#2"], ["p2"]]
    assert [hit["id"] for hit in structured(got["around"])["hits"]] == [
        "山.md#0", "山.md#1", "山.md#2",
    ]  # fmt: skip
    assert failed(got["nowhere"])
    assert "list_files" in got["nowhere"].content[0].text
    pages = structured(got["flat"])["hits"], structured(got["later"])["hits"]
    assert [hit["id"] for hit in pages[0][2:]] == [hit["id"] for hit in pages[1]]
    flat, grouped = structured(got["flat"])["hits"], structured(got["grouped"])["hits"]
    assert len({hit["id"].partition("#")[0] for hit in flat}) < len(flat)
    assert len({hit["place"].partition(":")[0] for hit in grouped}) == 2
    by_path = {hit["place"].partition(":")[0]: hit for hit in grouped}
    assert by_path["山.md"]["others"] == 2
    assert by_path["山.md"]["place"] in {"山.md:1", "山.md:11", "山.md:21"}
    assert "(+2 in this file)" in got["grouped"].content[0].text


def test_an_agent_reads_resources(index: Path, model_folder: Path) -> None:
    async def act(session: Any) -> dict[str, Any]:
        odd = {"id": "../a b/山.md#1", "text": "雪の本文"}
        await session.call_tool("add", {"documents": [odd]})
        return {
            "listed": (await session.list_resources()).resources,
            "templates": (await session.list_resource_templates()).resource_templates,
            "fuji": await session.read_resource("konayuki://documents/fuji"),
            "odd": await session.read_resource(f"konayuki://documents/{quote(odd['id'])}"),
            "status": await session.read_resource("konayuki://status"),
            "nobody": await refused(session.read_resource("konayuki://documents/nobody")),
        }

    got = ask(index, model_folder, act)

    assert [str(one.uri) for one in got["listed"]] == ["konayuki://status"]
    assert [one.uri_template for one in got["templates"]] == ["konayuki://documents/{+id}"]
    assert got["fuji"].contents[0].text == FUJI["text"]
    assert got["odd"].contents[0].text == "雪の本文"
    assert json.loads(got["status"].contents[0].text)["documents"] == 4
    assert "there is no document 'nobody'" in got["nobody"]


async def refused(request: Awaitable[Any]) -> str:
    try:
        await request
    except Exception as error:
        return str(error)
    return ""


def test_a_scripted_agent_finds_the_answer_within_its_budget(tmp_path: Path) -> None:
    """Search; read on if the excerpt was cut; say so if nothing is relevant."""
    corpus = ROOT / "demo" / "corpus"
    with Index.create(tmp_path / "demo") as built:
        update(built, [corpus])
    index = Index.open(tmp_path / "demo", read_only=True)
    server = build_agent(Engine(StaticModel.load(), index=index, read_only=True))
    lines = (ROOT / "demo" / "questions.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line) for line in lines]

    async def answer(question: str) -> tuple[str, list[dict[str, Any]]]:
        found = await server.call_tool("search", {"query": question, "k": 5, "max_tokens": 1000})
        read, hits = found.content[0].text, found.structured_content["hits"]
        if hits and hits[0].get("cut"):
            more = await server.call_tool("get", {"id": hits[0]["id"], "max_tokens": 1000})
            read += more.content[0].text
        return read, hits

    seen = 0
    for item in questions:
        read, hits = asyncio.run(answer(item["question"]))
        assert estimated_tokens(read) <= 2000
        places = {(Path(hit["place"].partition(":")[0]).name, hit["heading"]) for hit in hits}
        seen += (item["file"], item["heading"]) in places
    nothing, _ = asyncio.run(answer("qwzx vbnm"))
    index.close()

    assert seen >= 0.7 * len(questions)
    assert nothing.startswith(("Nothing relevant", "Probably nothing relevant"))


def test_half_a_character_gets_an_answer(index: Path, model_folder: Path) -> None:
    call = (
        '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":'
        '{"name":"search","arguments":{"query":"\\ud800 富士山 \\ud83d\\ude00"}}}'
    )
    start = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": start}),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        call,
    ]
    process = subprocess.Popen(
        command("mcp", str(index), "--model", str(model_folder)),
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write("\n".join(lines) + "\n")
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()

    [answer] = [answer for answer in answers if answer["id"] == 7]
    assert answer["result"]["structuredContent"]["hits"][0]["id"] == "fuji"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (rb'"\ud800"', rb'"\ufffd"'),
        (rb'"\uDFFF\ud800x"', rb'"\ufffd\ufffdx"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\\ud800"', rb'"\\ud800"'),
        (rb'"\\\ud800"', rb'"\\\ufffd"'),
        (rb'"\n\u96ea"', rb'"\n\u96ea"'),
    ],
)
def test_only_halves_of_characters_are_replaced(line: bytes, expected: bytes) -> None:
    assert replace_lone_surrogates(line) == expected


TEXT = st.text(st.sampled_from("雪富士山がの。、\n abcXYZ 0😀é「」"), min_size=1, max_size=900)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(TEXT, min_size=1, max_size=12),
    keys=st.text("雪a/", max_size=300),
    titles=st.text("題t ", max_size=500),
    query=TEXT,
    max_tokens=st.integers(LEAST_TOKENS, 4000),
    start=st.integers(0, 1000),
)
def test_an_answer_never_exceeds_its_budget(
    texts: list[str], keys: str, titles: str, query: str, max_tokens: int, start: int
) -> None:
    hits = [
        Hit(
            id=f"{keys}{n}", score=1.0 - n, text=text, title=titles, metadata={}, lexical=1.0,
            dense=1.0, document="d", heading=titles, position=n,
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip
    documents = [
        Document(id=hit.id, text=hit.text, title=hit.title, position=hit.position) for hit in hits
    ]

    found = excerpts(query, [FileHits(hit, hits[:n]) for n, hit in enumerate(hits)], max_tokens)
    read = in_full(documents, start, max_tokens)

    for answer in (found, read):
        assert cost(answer) <= max_tokens
        assert len(answer.hits) + answer.more == len(hits)
    assert [hit.id for hit in found.hits] == [hit.id for hit in hits[: len(found.hits)]]
    for hit, passage in zip(hits, found.hits, strict=False):
        assert passage.cut == (passage.text != hit.text)


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(TEXT, min_size=1, max_size=12, unique=True),
    query=TEXT,
    max_tokens=st.integers(LEAST_TOKENS, 3000),
)
def test_the_best_passage_of_a_real_index_comes_first(
    shared_index: Index, texts: list[str], query: str, max_tokens: int
) -> None:
    gone = [document.id for document in shared_index.documents()]
    shared_index.replace(({"id": f"{n}", "text": t} for n, t in enumerate(texts)), ids=gone)

    hits = shared_index.search(query, k=5)
    answer = excerpts(query, [FileHits(hit, []) for hit in hits], max_tokens)

    assert cost(answer) <= max_tokens
    assert [hit.id for hit in hits][: len(answer.hits)] == [hit.id for hit in answer.hits]
    assert bool(answer.hits) == bool(hits)


def test_more_budget_shows_more_of_the_same_hits() -> None:
    hits = [
        Hit(f"{n}", 1.0, "富士山に雪が降る。" * 100, "", {}, 1.0, 1.0, "d", "", n) for n in range(5)
    ]
    small, large = (
        excerpts("富士山", [FileHits(hit, []) for hit in hits], tokens) for tokens in (300, 3000)
    )

    assert len(small.hits) == len(large.hits) == 5
    assert len(small.hits[0].text) < len(large.hits[0].text)
    assert cost(large) > 1500


def structured(result: Any) -> dict[str, Any]:
    assert not failed(result), result
    return result.structured_content


def failed(result: Any) -> bool:
    return bool(result.is_error)


def test_logging_stays_as_it_was(shared_index: Index, model_folder: Path) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level

    build_agent(Engine(StaticModel.load(model_folder), index=shared_index))

    assert (logging.getLogger().handlers, logging.getLogger().level) == before
