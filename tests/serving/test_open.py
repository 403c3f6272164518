"""A server on one's own machine: files opened from the page, notes refreshed while it runs."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chromium import CHROMIUM, launched
from konayuki.cli import main
from konayuki.ingest import update
from konayuki.search import Index
from serving.browsing import Opened, until
from serving.live import Live, serving

OPENER = '#!/bin/sh\nprintf "%s\\n" "$1" >> "$OPENED"\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("open")
    (place / "notes").mkdir()
    (place / "notes" / "富士 山.md").write_text("富士山は高い。", "utf-8")
    (place / "notes" / "湖.md").write_text("琵琶湖は広い。", "utf-8")
    (place / "bin").mkdir()
    (place / "bin" / "xdg-open").write_text(OPENER)
    (place / "bin" / "xdg-open").chmod(0o700)
    with Index.create(place / "i") as index:
        update(index, [place / "notes"])
    return place


@pytest.fixture(scope="module")
def site(place: Path) -> Iterator[Live]:
    environment = {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "OPENED": str(place / "opened")}
    flags = ("--open-files", "--share-index")
    with serving(str(place / "i"), *flags, environment=environment) as live:
        yield live


def identity(place: Path, name: str) -> str:
    return f"{(place / 'notes' / name).as_posix()}#0"


def test_the_file_of_a_passage_is_opened(site: Live, place: Path) -> None:
    reply = site.call("POST", "/open", {"id": identity(place, "富士 山.md")})
    assert reply.json == {"path": str(place / "notes" / "富士 山.md")}
    assert (place / "opened").read_text("utf-8").splitlines()[-1].endswith("富士 山.md")
    assert site.call("GET", "/info").json["opens_files"] is True


def test_only_files_that_were_indexed_are_opened(site: Live, place: Path) -> None:
    (place / "secret.txt").write_text("x")
    fake = {"id": "x", "text": "偽", "metadata": {"path": str(place / "secret.txt")}}
    assert site.call("POST", "/documents", {"documents": [fake]}).status == 200
    before = (place / "opened").read_text("utf-8") if (place / "opened").exists() else ""
    reply = site.call("POST", "/open", {"id": "x"})
    assert reply.code == "no_file"
    assert "expected one that was indexed" in reply.json["error"]["message"]
    assert site.call("POST", "/open", {"id": "y"}).code == "document_not_found"
    after = (place / "opened").read_text("utf-8") if (place / "opened").exists() else ""
    assert after == before


def test_notes_are_refreshed_while_the_server_shares_the_index(
    site: Live, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert site.call("POST", "/documents", {"documents": [{"id": "z", "text": "猫"}]}).status == 200
    (place / "notes" / "川.md").write_text("信濃川は長い。", "utf-8")
    assert main(["index", str(place / "notes"), "--out", str(place / "i")]) == 0
    hit = site.call("POST", "/search", {"query": "信濃川", "k": 1}).json["hits"][0]
    assert hit["metadata"]["path"].endswith("川.md")


def test_a_server_opens_nothing_unless_it_was_told_to(place: Path) -> None:
    with serving(str(place / "i"), "--read-only") as live:
        reply = live.call("POST", "/open", {"id": identity(place, "湖.md")})
        assert (reply.status, reply.code) == (403, "opens_no_files")


def test_files_are_opened_for_this_machine_only(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(place / "i"), "--open-files", "--host", "0.0.0.0"]) == 2  # noqa: S104
    assert "expected an address of this machine alone" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no playwright or no Chromium on this machine")
def test_the_page_opens_the_file_of_a_hit(site: Live, place: Path) -> None:
    (place / "opened").write_text("")
    with launched() as browser:
        opened = Opened(browser, site)
        opened.ask("琵琶湖")
        until(opened.page, "document.querySelectorAll('.hit .file-open').length > 0")
        opened.page.locator(".hit .file-open").first.click()
        deadline = time.monotonic() + 20
        while not (place / "opened").read_text("utf-8"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (place / "opened").read_text("utf-8").strip().endswith("湖.md")
        assert opened.page.locator(".file-open").first.inner_text() == "ファイルを開く"
        opened.context.close()
        assert opened.wrongs == []
