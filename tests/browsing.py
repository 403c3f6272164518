"""A searched site served on this machine and opened in a real browser, for tests."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'; "
    "style-src 'self'; img-src 'self'; require-trusted-types-for 'script'; trusted-types konayuki"
)


class Handler(SimpleHTTPRequestHandler):
    policy = ""

    def end_headers(self) -> None:
        if self.policy:
            self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *arguments: object) -> None:
        pass  # a browser that leaves in the middle of an answer


class Strict(Handler):
    policy = POLICY


@contextmanager
def servers(handler: type[Handler] = Strict) -> Iterator[Callable[[Path], str]]:
    """Give a function that serves a folder and returns its address."""
    running = []

    def start(folder: Path) -> str:
        server = Quiet(("127.0.0.1", 0), partial(handler, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


class Opened:
    """A page, what it asked for and what went wrong in it."""

    def __init__(
        self, browser: Any, url: str, script: str = "", context: Any = None, **options: Any
    ) -> None:
        self.context = context or browser.new_context(
            viewport={"width": 1280, "height": 800}, **options
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.wrongs: list[str] = []
        self.requested: list[str] = []
        self.page.on("pageerror", lambda error: self.wrongs.append(str(error)))
        self.page.on("console", self._note)
        self.page.on("dialog", lambda dialog: (self.wrongs.append("a dialog"), dialog.dismiss()))
        self.context.on("request", lambda request: self.requested.append(request.url))
        if script:
            self.page.add_init_script(script)
        self.page.goto(url)
        self.until("!!document.querySelector('konayuki-search')?.shadowRoot")
        self.page.evaluate(
            "window.stages = [];"
            "document.querySelector('konayuki-search').addEventListener('konayuki-hits',"
            "(event) => window.stages.push([event.detail.stage, event.detail.hits.length,"
            " event.detail.last]))"
        )

    def _note(self, message: Any) -> None:
        if message.type == "error" and "favicon" not in message.location.get("url", ""):
            self.wrongs.append(message.text)

    def until(self, expression: str) -> None:
        """Wait until an expression holds; the policy of the page forbids playwright's own way."""
        deadline = time.monotonic() + 20
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, (expression, self.wrongs)
            self.page.wait_for_timeout(20)

    def inside(self, expression: str) -> Any:
        return self.page.evaluate(
            f"(({{shadowRoot}}) => {expression})(document.querySelector('konayuki-search'))"
        )

    def ask(self, query: str, *, last: bool = True) -> None:
        self.page.evaluate("window.stages.length = 0")
        self.page.evaluate("document.querySelector('konayuki-search').open('')")
        self.page.keyboard.type(query)
        self.until(
            "window.stages.some(([, , last]) => last)" if last else "window.stages.length > 0"
        )

    @property
    def stages(self) -> list[Any]:
        stages: list[Any] = self.page.evaluate("window.stages")
        return stages

    @property
    def hits(self) -> list[str]:
        texts: list[str] = self.inside(
            "[...shadowRoot.querySelectorAll('.hit')].map((hit) => hit.textContent)"
        )
        return texts

    @property
    def is_open(self) -> bool:
        return bool(self.inside("shadowRoot.querySelector('dialog').open"))
