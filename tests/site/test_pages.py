"""Built HTML into passages: addresses, anchors, titles, and pages that are made to hurt."""

from pathlib import Path

import pytest

from konayuki.errors import InputError, NotFoundError
from konayuki.ingest import Cutting
from konayuki.search import Document
from konayuki.site.pages import passages_of, read_pages

PAGE = """<!doctype html><html lang="ja"><head><title>{title}</title>{head}</head>
<body><nav>目次</nav>
<main><h1 id="top">{heading}<a class="headerlink" href="#top">¶</a></h1>{body}</main>
</body></html>"""


def page(
    heading: str, body: str = "<p>本文です。</p>", head: str = "", site: str = " - 手引き"
) -> str:
    return PAGE.format(title=heading + site, heading=heading, body=body, head=head)


def write(folder: Path, pages: dict[str, str]) -> Path:
    for name, content in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def passages(folder: Path, **options: object) -> list[Document]:
    reading = read_pages(folder, **options)  # type: ignore[arg-type]
    return list(passages_of(reading.pages, Cutting()))


def test_passages_know_their_address_and_anchor(tmp_path: Path):
    body = (
        '<p>前書き。</p><section id="設定"><h2>設定<a class="headerlink">¶</a></h2>'
        "<p>手順。</p></section>"
    )
    write(
        tmp_path,
        {
            "index.html": page("はじめに"),
            "guide/index.html": page("手順", body),
            "guide/a b.html": page("空白"),
        },
    )
    found = {
        (p.metadata["url"], p.metadata["anchor"], p.heading, p.title) for p in passages(tmp_path)
    }

    assert found == {
        ("./", "top", "", "はじめに"),
        ("guide/", "top", "", "手順"),
        ("guide/", "設定", "設定", "手順"),
        ("guide/a%20b.html", "top", "", "空白"),
    }


def test_the_name_of_the_site_stays_if_few_pages_have_it(tmp_path: Path):
    write(tmp_path, {"a.html": page("甲"), "b.html": page("乙", site="")})
    write(tmp_path, {"c.html": page("丙", site="")})

    assert [p.title for p in passages(tmp_path)] == ["甲 - 手引き", "乙", "丙"]


def test_pages_that_nobody_looks_for_are_left_out(tmp_path: Path):
    write(
        tmp_path,
        {
            "a.html": page("残る"),
            "b.html": page("転送", head='<meta http-equiv="Refresh" content="0; url=a.html">'),
            "c.html": page("秘密", head='<meta name="robots" content="NOINDEX, follow">'),
            "404.html": page("なし"),
            "search.html": page("検索"),
            "genindex-all.html": page("索引"),
            "konayuki/x.html": page("自分"),
            "drafts/d.html": page("下書き"),
            "notes.txt": "文章",
        },
    )
    reading = read_pages(tmp_path, exclude=["drafts/"])

    assert [found.path for found in reading.pages] == ["a.html"]
    assert reading.left_out == {"redirections": 1, "noindex": 1, "excluded": 5}


def test_what_is_no_site_is_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")

    with pytest.raises(NotFoundError):
        read_pages(tmp_path / "missing")
    with pytest.raises(InputError, match="holds no page: expected HTML files"):
        read_pages(tmp_path / "empty")
    with pytest.raises(InputError, match="is a file: expected the folder"):
        read_pages(tmp_path / "a.txt")


def test_a_page_that_cannot_be_read_is_named_and_the_others_are_read(tmp_path: Path):
    write(tmp_path, {"a.html": page("甲")})
    (tmp_path / "b.html").write_bytes(b"\0\1\2")
    reading = read_pages(tmp_path)

    assert [found.path for found in reading.pages] == ["a.html"]
    assert len(reading.skipped) == 1
    assert "b.html" in reading.skipped[0]


def test_broken_markup_gives_what_can_be_read(tmp_path: Path):
    write(
        tmp_path,
        {
            "a.html": "<h1>題<p>段落<div><div><b>太字<table><td>表",
            "b.html": "<title>題</title><h2><script>alert(1)</script>見出し</h2>"
            + "<div>" * 5000
            + "深い",
            "c.html": "<p>" + "長い文章です。" * 20_000,
            "d.html": "<!-- 閉じない",
        },
    )
    found = passages(tmp_path)

    assert {p.metadata["path"] for p in found} == {"a.html", "b.html", "c.html"}
    assert not any("alert" in p.text + p.heading + p.title for p in found)
    assert max(len(p.text) for p in found) <= 400
