"""The page in a real browser, and whatever goes wrong in it."""

import time
from typing import Any

from serving.live import Live


def until(page: Any, expression: str) -> None:
    """Wait until an expression holds; the policy of the page forbids playwright's own way."""
    deadline = time.monotonic() + 10
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


class Opened:
    """A page and whatever went wrong in it."""

    def __init__(self, browser: Any, live: Live, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.wrongs: list[str] = []
        self.requested: list[str] = []
        self.page.on("pageerror", lambda error: self.wrongs.append(str(error)))
        self.page.on("console", self._note)
        self.page.on("dialog", self._refuse)
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.goto(live.url)
        until(self.page, "document.getElementById('about').textContent")

    def _note(self, message: Any) -> None:
        # The browser tells of every answer that is not 200.
        refused = any(f"status of {status}" in message.text for status in (413, 422))
        if message.type in {"error", "warning"} and not refused:
            self.wrongs.append(message.text)

    def _refuse(self, dialog: Any) -> None:
        self.wrongs.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def ask(self, query: str, *, first: str | None = None) -> None:
        self.page.fill("#query", query)
        if first is not None:
            self.page.locator(".hit h2").first.get_by_text(first, exact=True).wait_for()
