"""The MCP server, asked by the client of the official package over stdio."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from konayuki.model import StaticModel
from konayuki.search import Index
from serving.conftest import BIWA, CAT, FUJI
from serving.live import ROOT

mcp = pytest.importorskip("mcp")


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
            "vectors": await session.call_tool("embed", {"texts": ["雪", "猫"], "dimensions": 8}),
            "close": await session.call_tool("similarity", {"sentences": ["雪", "雪", "猫"]}),
            "wrong": await session.call_tool("search", {"query": "雪", "k": 0}),
            "bad filter": await session.call_tool("search", {"query": "雪", "where": {"a": {}}}),
            "too many": await session.call_tool("embed", {"texts": ["雪"], "dimensions": 99}),
        }

    got = ask(index, model_folder, act)

    assert got["tools"] == {"search", "embed", "similarity", "add"}
    hits = structured(got["found"])["hits"]
    assert (hits[0]["id"], hits[0]["text"]) == ("fuji", FUJI["text"])
    assert len(hits) == 2
    assert structured(got["added"]) == {"stored": 1, "documents": 4}
    assert structured(got["again"])["hits"][0]["id"] == "new"
    expected = StaticModel.load(model_folder).encode(["雪", "猫"], dim=8)
    assert np.array_equal(np.float32(structured(got["vectors"])["vectors"]), expected)
    assert structured(got["close"])["similarity"][0][1] == pytest.approx(1.0, abs=1e-6)
    for name in ("wrong", "bad filter", "too many"):
        assert failed(got[name])
    assert "32" in got["too many"].content[0].text  # the error tells how many there are


def test_a_read_only_agent_has_no_tool_that_writes(index: Path, model_folder: Path) -> None:
    async def act(session: Any) -> set[str]:
        return {tool.name for tool in (await session.list_tools()).tools}

    assert ask(index, model_folder, act, "--read-only") == {"search", "embed", "similarity"}


def structured(result: Any) -> dict[str, Any]:
    assert not failed(result), result
    return result.structured_content


def failed(result: Any) -> bool:
    return bool(result.is_error)
