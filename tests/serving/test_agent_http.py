"""The MCP server at /mcp of a running server, asked by the client of the official package."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from serving.live import Live, serving
from serving.records import KEY

mcp = pytest.importorskip("mcp")
httpx = pytest.importorskip("httpx")
streamable_http_client = pytest.importorskip("mcp.client.streamable_http").streamable_http_client


def ask(live: Live, act: Callable[[Any], Awaitable[Any]], key: str = "") -> Any:
    """Run a conversation over HTTP and return what it returned."""

    async def conversation() -> Any:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with (
            httpx.AsyncClient(headers=headers) as client,
            streamable_http_client(f"{live.url}/mcp", http_client=client) as streams,
            mcp.ClientSession(*streams[:2]) as session,
        ):
            await session.initialize()
            return await act(session)

    return asyncio.run(conversation())


def test_the_tools_are_those_over_stdio_and_one_writes(live: Live) -> None:
    async def act(session: Any) -> dict[str, Any]:
        new = {"id": "new", "text": "電車で学校に行く。"}
        return {
            "tools": {tool.name for tool in (await session.list_tools()).tools},
            "found": await session.call_tool("search", {"query": "富士山の高さ"}),
            "added": await session.call_tool("add", {"documents": [new]}),
            "read": await session.read_resource("konayuki://documents/new"),
        }

    got = ask(live, act)

    assert {"search", "get", "list_files", "status", "add"} <= got["tools"]
    assert got["found"].structured_content["hits"][0]["id"] == "fuji"
    assert live.call("GET", "/documents/new").json["text"] == "電車で学校に行く。"
    assert got["read"].contents[0].text == "電車で学校に行く。"


def test_a_read_only_server_has_no_tool_that_writes(tmp_path: Path, model_folder: Path) -> None:
    arguments = (str(tmp_path / "i"), "--create", "--model", str(model_folder))
    with serving(*arguments):
        pass

    async def act(session: Any) -> set[str]:
        return {tool.name for tool in (await session.list_tools()).tools}

    with serving(*arguments, "--read-only") as live:
        assert "add" not in ask(live, act)


def test_a_key_is_asked_for(keyed: Live) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

    assert keyed.call("POST", "/mcp", call).status == 401

    async def act(session: Any) -> Any:
        return await session.call_tool("status", {})

    assert ask(keyed, act, KEY).structured_content["documents"] == 1


def test_a_page_of_another_site_cannot_use_it(shared: Live) -> None:
    call = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'
    accept = {"Accept": "application/json, text/event-stream"}

    plain = shared.call("POST", "/mcp", call, headers={**accept, "Content-Type": "text/plain"})
    elsewhere = shared.call(
        "POST", "/mcp", call,
        headers={**accept, "Content-Type": "application/json", "Host": "evil.example"},
    )  # fmt: skip

    assert plain.status in {400, 415}
    assert elsewhere.status == 421


def test_a_body_beyond_the_limit_is_refused(shared: Live) -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"x" * 2_000_000 + b'"}'
    headers = {"Accept": "application/json", "Content-Type": "application/json"}

    assert shared.call("POST", "/mcp", body, headers=headers).status == 413


def test_requests_are_counted_by_their_path(shared: Live) -> None:
    shared.call("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})

    assert 'route="/mcp"' in shared.call("GET", "/metrics").body.decode()
