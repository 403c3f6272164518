"""The MCP server on the running HTTP server, at /mcp: the same tools, over streamable HTTP.

Every request stands alone (no session), so any worker process answers it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from konayuki.serving.agent import build_agent
from konayuki.serving.engine import Engine
from konayuki.serving.observe import ROUTE

PATH = "/mcp"


class AgentEndpoint:
    """The MCP server as an ASGI application.

    Hosts, keys and connections are looked after by the guards around every route.

    Args:
        engine: Model and index to serve.
        most_bytes: Size of the longest request body.
    """

    def __init__(self, engine: Engine, most_bytes: int) -> None:
        self._server = build_agent(engine)
        # Making the application of the package makes the manager that this one uses.
        self._server.streamable_http_app(
            json_response=True,
            stateless_http=True,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=most_bytes,
        )

    @property
    def manager(self) -> StreamableHTTPSessionManager:
        """What answers requests."""
        return self._server.session_manager

    @property
    def route(self) -> Route:
        """The route of the endpoint."""
        return Route(PATH, self, methods=["GET", "POST", "DELETE"], name="mcp")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer requests in the block."""
        async with self.manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope[ROUTE] = PATH
        await self.manager.asgi_app(scope, receive, send)
