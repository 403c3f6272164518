"""The MCP server, asked by the client of the official package over stdio."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.model import StaticModel
from konayuki.search import Document, Hit, Index
from serving.live import ROOT, command
from serving.records import BIWA, CAT, FUJI

mcp = pytest.importorskip("mcp")

from konayuki.serving.agent import excerpts, in_full, replace_lone_surrogates  # noqa: E402
from konayuki.serving.budget import LEAST_TOKENS, cost  # noqa: E402

READING = {"search", "get", "list_files", "status", "embed", "similarity"}


@pytest.fixture
def index(tmp_path: Path, model_folder: Path) -> Path:
    with Index.create(tmp_path / "i", StaticModel.load(model_folder)) as index:
        index.add([FUJI, BIWA, CAT])
    return tmp_path / "i"


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

    found = excerpts(query, hits, max_tokens)
    read = in_full(documents, start, max_tokens)

    for answer in (found, read):
        assert cost(answer) <= max_tokens
        assert len(answer.hits) + answer.more == len(hits)
    assert [hit.id for hit in found.hits] == [hit.id for hit in hits[: len(found.hits)]]
    for hit, passage in zip(hits, found.hits, strict=False):
        assert passage.cut == (passage.text != hit.text)


def test_more_budget_shows_more_of_the_same_hits() -> None:
    hits = [
        Hit(f"{n}", 1.0, "富士山に雪が降る。" * 100, "", {}, 1.0, 1.0, "d", "", n) for n in range(5)
    ]
    small, large = (excerpts("富士山", hits, tokens) for tokens in (300, 3000))

    assert len(small.hits) == len(large.hits) == 5
    assert len(small.hits[0].text) < len(large.hits[0].text)
    assert cost(large) > 1500


def structured(result: Any) -> dict[str, Any]:
    assert not failed(result), result
    return result.structured_content


def failed(result: Any) -> bool:
    return bool(result.is_error)
