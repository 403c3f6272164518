"""A hub of our own: the few answers of the Hugging Face API that `datasets` asks for.

It serves FOLDER/owner/name as the data set `owner/name`.
"""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """Answers for the data sets under the class variable `root`."""

    root = Path()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        if path[:2] == ["api", "datasets"] and len(path) >= 4:
            self.answer_api(self.root / path[2] / path[3], path[4:])
        elif path[0] == "datasets" and path[3:4] == ["resolve"]:
            self.send_content(self.root / path[1] / path[2] / "/".join(path[5:]))
        else:
            self.send_json({"error": "not found"}, 404)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        folder = self.root / path[2] / path[3]
        wanted = self.paths_of(body)
        self.send_json(
            [describe(folder, folder / name) for name in wanted if (folder / name).exists()]
        )

    @staticmethod
    def paths_of(body: str) -> list[str]:
        if body.startswith("{"):
            return json.loads(body)["paths"]
        pairs = (pair.partition("=") for pair in body.split("&"))
        return [unquote(value) for name, _, value in pairs if name == "paths"]

    def answer_api(self, folder: Path, rest: list[str]) -> None:
        if not folder.is_dir():
            self.send_json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        elif rest[:1] == ["tree"]:
            below = folder / "/".join(rest[2:])
            if below.is_dir():
                self.send_json([describe(folder, path) for path in sorted(below.rglob("*"))])
            else:
                self.send_json({"error": "no such path"}, 404, {"X-Error-Code": "EntryNotFound"})
        else:
            files = [{"rfilename": one["path"]} for one in map_files(folder)]
            name = f"{folder.parent.name}/{folder.name}"
            self.send_json(
                {
                    "id": name,
                    "sha": COMMIT,
                    "siblings": files,
                    "tags": [],
                    "private": False,
                    "downloads": 0,
                    "likes": 0,
                    "lastModified": "2026-01-01T00:00:00.000Z",
                }
            )

    def send_content(self, path: Path) -> None:
        if not path.is_file():
            self.send_json({"error": "no such file"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        content = path.read_bytes()
        start, end = 0, len(content)
        if asked := self.headers.get("Range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), int(last) + 1 if last else end
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')  # noqa: S324 - as git names a file
        self.send_header("X-Repo-Commit", COMMIT)
        self.finish_with(content[start:end])

    def send_json(self, value: object, status: int = 200, headers: dict | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.finish_with(json.dumps(value).encode())

    def finish_with(self, content: bytes) -> None:
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def describe(folder: Path, path: Path) -> dict:
    """Return an entry of the tree as the hub lists it."""
    name = path.relative_to(folder).as_posix()
    oid = hashlib.sha1(name.encode()).hexdigest()  # noqa: S324 - as git names a file
    if path.is_dir():
        return {"type": "directory", "oid": oid, "size": 0, "path": name}
    return {"type": "file", "oid": oid, "size": path.stat().st_size, "path": name}


def map_files(folder: Path) -> list[dict]:
    """Return the entries of all files of a data set."""
    return [describe(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()]


def serve(root: Path) -> ThreadingHTTPServer:
    """Start a hub for the data sets below `root` and return it; its port is in `server_port`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OurHub", (Hub,), {"root": root}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
