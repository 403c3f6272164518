"""A hub of models of our own: what huggingface_hub asks of one, to read and to write.

Files that end as in `LARGE` go through Git LFS, as on the real hub: asked for in a batch, put to
an address of their own, named in the commit by their digest.
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".png")
WRITER, READER = "hf_writer", "hf_reader"


@dataclass
class Commit:
    sha: str
    summary: str
    files: dict[str, bytes]


@dataclass
class Repo:
    private: bool
    branches: dict[str, list[Commit]] = field(default_factory=dict)

    def find(self, revision: str) -> Commit | None:
        if revision in self.branches:
            return self.branches[revision][-1]
        commits = (commit for branch in self.branches.values() for commit in branch)
        return next((commit for commit in commits if commit.sha == revision), None)

    def commit(self, branch: str, summary: str, files: dict[str, bytes]) -> Commit:
        history = self.branches.setdefault(branch, [])
        names = [summary, branch, str(len(history)), *sorted(files)]
        history.append(Commit(sha1("\n".join(names).encode()), summary, files))
        return history[-1]


class ModelHub(ThreadingHTTPServer):
    """The hub: its repositories, and what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}  # LFS, by digest
        self.requests: list[str] = []
        self.broken = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, name: str, files: dict[str, bytes], *, private: bool = False) -> Repo:
        repo = self.repos[name] = Repo(private)
        repo.commit("main", "initial commit", files)
        return repo

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: ModelHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.route(b"")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.route(self.read_chunks())
        else:
            self.route(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    do_PUT = do_POST

    def read_chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def route(self, body: bytes) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        if self.server.broken:
            return self.send({"error": "out of order"}, 503)
        for method, pattern, answer in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and self.command in method:
                return answer(self, body, **found.groupdict())
        return self.send({"error": "not found"}, 404)

    # Who asks

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def repo(self, name: str) -> Repo | None:
        """Return a repository that the asker may read; answer for it otherwise."""
        repo = self.server.repos.get(name)
        if repo is None or (repo.private and self.token not in {WRITER, READER}):
            self.send({"error": "Repository not found"}, 401, {"X-Error-Code": "RepoNotFound"})
            return None
        return repo

    def commit_of(self, name: str, revision: str) -> Commit | None:
        repo = self.repo(name)
        found = repo and repo.find(revision)
        if repo and not found:
            error = {"X-Error-Code": "RevisionNotFound"}
            self.send({"error": "Invalid rev id"}, 404, error)
        return found

    def may_write(self) -> bool:
        if self.token != WRITER:
            self.send({"error": "You don't have the rights to write"}, 403)
        return self.token == WRITER

    # Reading

    def info(self, body: bytes, repo: str, revision: str = "main") -> None:
        if commit := self.commit_of(repo, revision):
            self.send(
                {
                    "id": repo,
                    "sha": commit.sha,
                    "private": self.server.repos[repo].private,
                    "siblings": [{"rfilename": path} for path in commit.files],
                    "tags": [],
                    "downloads": 0,
                    "likes": 0,
                }
            )

    def tree(self, body: bytes, repo: str, revision: str) -> None:
        if commit := self.commit_of(repo, revision):
            self.send([describe(path, content) for path, content in commit.files.items()])

    def resolve(self, body: bytes, repo: str, revision: str, path: str) -> None:
        commit = self.commit_of(repo, revision)
        if commit is None:
            return
        if path not in commit.files:
            self.send({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        content = commit.files[path]
        entry = describe(path, content)
        etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
        self.send_bytes(content, 200, {"ETag": f'"{etag}"', "X-Repo-Commit": commit.sha})

    # Writing

    def create_repo(self, body: bytes) -> None:
        if not self.may_write():
            return
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        url = f"{self.server.address}/{name}"
        if name in self.server.repos:
            self.send({"error": "You already created this model repo", "url": url}, 409)
            return
        private = bool(asked.get("private")) or asked.get("visibility") == "private"
        self.server.add(name, {".gitattributes": b""}, private=private)
        self.send({"url": url, "name": name})

    def create_branch(self, body: bytes, repo: str, branch: str) -> None:
        if not self.may_write():
            return
        branches = self.server.repos[repo].branches
        if branch in branches:
            self.send({"error": "Reference already exists"}, 409)
            return
        branches[branch] = list(branches["main"])
        self.send({})

    def preupload(self, body: bytes, repo: str, revision: str) -> None:
        if self.may_write() and (commit := self.commit_of(repo, revision)):
            asked = json.loads(body)["files"]
            self.send({"files": [upload_mode(file["path"], commit) for file in asked]})

    def lfs_batch(self, body: bytes, repo: str) -> None:
        if not self.may_write():
            return
        asked = json.loads(body)
        objects = []
        for one in asked["objects"]:
            upload = {"upload": {"href": f"{self.server.address}/lfs/{one['oid']}"}}
            known = one["oid"] in self.server.objects
            objects.append(one if known else {**one, "actions": upload})
        self.send({"transfer": "basic", "objects": objects})

    def lfs_put(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            self.send({"error": "the digest is another"}, 400)
            return
        self.server.objects[oid] = body
        self.send({})

    def validate_card(self, body: bytes) -> None:
        content = json.loads(body)["content"]
        errors = [] if content.startswith("---\n") else [{"message": "no metadata"}]
        self.send({"errors": errors, "warnings": []}, 400 if errors else 200)

    def commit(self, body: bytes, repo: str, revision: str) -> None:
        if not self.may_write():
            return
        held = self.server.repos[repo]
        files = dict(held.branches[revision][-1].files)
        summary = ""
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                summary = value["summary"]
            elif entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        made = held.commit(revision, summary, files)
        url = f"{self.server.address}/{repo}/commit/{made.sha}"
        self.send({"success": True, "commitOid": made.sha, "commitUrl": url})

    # Answering

    def send(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        head = {"Content-Type": "application/json", **(headers or {})}
        self.send_bytes(json.dumps(value).encode(), status, head)

    def send_bytes(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


REPO = r"(?P<repo>[^/]+/[^/]+)"
ROUTES = (
    ("GET", rf"/api/models/{REPO}", Handler.info),
    ("GET", rf"/api/models/{REPO}/revision/(?P<revision>.+)", Handler.info),
    ("GET", rf"/api/models/{REPO}/tree/(?P<revision>[^/]+)", Handler.tree),
    ("GET HEAD", rf"/{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", Handler.resolve),
    ("POST", r"/api/repos/create", Handler.create_repo),
    ("POST", rf"/api/models/{REPO}/branch/(?P<branch>.+)", Handler.create_branch),
    ("POST", rf"/api/models/{REPO}/preupload/(?P<revision>.+)", Handler.preupload),
    ("POST", rf"/{REPO}\.git/info/lfs/objects/batch", Handler.lfs_batch),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]+)", Handler.lfs_put),
    ("POST", r"/api/validate-yaml", Handler.validate_card),
    ("POST", rf"/api/models/{REPO}/commit/(?P<revision>.+)", Handler.commit),
)


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()  # noqa: S324 - as git names things


def describe(path: str, content: bytes) -> dict[str, Any]:
    """Return an entry of a tree as the hub lists it."""
    oid = sha1(b"blob %d\0" % len(content) + content)
    entry = {"type": "file", "oid": oid, "size": len(content), "path": path}
    if path.endswith(LARGE):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return entry


def upload_mode(path: str, commit: Commit) -> dict[str, Any]:
    """Return how a file is to be sent, and the digest of what is there under its name."""
    mode = "lfs" if path.endswith(LARGE) else "regular"
    there = commit.files.get(path)
    entry = None if there is None else describe(path, there)
    oid = entry and (entry["lfs"]["oid"] if "lfs" in entry else entry["oid"])
    return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid}
