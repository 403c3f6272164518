"""The search page: a few files, read once, each under the one name that it has."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from konayuki.ingest.kinds import KINDS
from konayuki.serving.observe import ROUTE

FOLDER = "/page/"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Everything from this server, nothing written into the page itself.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
_AT = {"index.html": "/", "docs.html": "/docs"}


@dataclass(frozen=True)
class PageFile:
    """One file of the page."""

    path: str
    content: bytes
    media_type: str

    @property
    def etag(self) -> str:
        """The name of this content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


def page_files() -> list[PageFile]:
    """Return the files of the page, by the paths that they are served at."""
    folder = files("konayuki.serving").joinpath("page")
    served = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        kind = _TYPES.get("." + entry.name.rpartition(".")[2])
        if kind is not None:
            path = _AT.get(entry.name, FOLDER + entry.name)
            served.append(PageFile(path, _with_kinds(entry.read_bytes()), kind))
    return served


def _with_kinds(content: bytes) -> bytes:
    """Return a file of the page with the kinds of files that can be added."""
    accept = ",".join(suffix for kind in KINDS for suffix in kind.suffixes)
    shown = " ".join(kind.suffixes[0] for kind in KINDS)
    return content.replace(b"{{ACCEPT}}", accept.encode()).replace(b"{{KINDS}}", shown.encode())


def page_route(file: PageFile) -> Route:
    """Return the route of one file: there is no other way to a file."""
    headers = {
        "ETag": file.etag,
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY,
        "Content-Type": file.media_type,
    }

    async def endpoint(request: Request) -> Response:
        request.scope[ROUTE] = file.path
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers)

    return Route(file.path, endpoint, methods=["GET"])
