"""Numbers to people: an HTTP service, a search page and an MCP server (extra `serve`).

Public: `Settings` says what to serve, `serve` runs it until a signal, `Engine` and `build_app` make
the ASGI application for a server of your own, `build_agent` makes the MCP server.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from konayuki.serving.settings import Settings

if TYPE_CHECKING:
    from konayuki.serving.agent import build_agent
    from konayuki.serving.app import build_app
    from konayuki.serving.engine import Engine
    from konayuki.serving.service import serve

__all__ = ["Engine", "Settings", "build_agent", "build_app", "serve"]

# Imported when first used: an agent needs no web server, a web server no MCP package.
_MODULES = {"Engine": "engine", "build_agent": "agent", "build_app": "app", "serve": "service"}


def __getattr__(name: str) -> object:
    """Import the module of a public name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
