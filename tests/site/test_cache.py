"""A second build takes what has not changed from the cache, and gives the bytes of a fresh one."""

import sqlite3
from pathlib import Path

import pytest

from konayuki import StaticModel
from konayuki.errors import InputError, WriteError
from konayuki.site import Settings, add_search, pages
from konayuki.site.cache import opened
from serving.tiny import DIM, tiny_model

NARROW = Settings(dim=DIM)
PAGES = {
    "fuji.html": "<title>山</title><h2 id='h'>高さ</h2><p>富士山は高い。とても高い。</p>",
    "biwa.html": "<title>湖</title><p>琵琶湖は広い湖です。</p>",
    "moved.html": "<meta http-equiv='refresh' content='0; url=fuji.html'>",
}


def write(folder: Path, **pages: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, html in (PAGES | pages).items():
        (folder / name).write_text(html, encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages that are parsed and the passages that are encoded."""
    done: list[str] = []
    parse, encode = pages.html_outline, StaticModel.encode

    def parsing(html: str):
        done.append(html)
        return parse(html)

    def encoding(model: StaticModel, texts: list[str], *args, **kwargs):
        done.extend(texts)
        return encode(model, texts, *args, **kwargs)

    monkeypatch.setattr(pages, "html_outline", parsing)
    monkeypatch.setattr(StaticModel, "encode", encoding)
    return done


def test_only_what_changed_is_parsed_and_encoded(tmp_path: Path, work: list[str]):
    cache = tmp_path / "kept" / "site.sqlite"
    site, changed = write(tmp_path / "site"), "<title>湖</title><p>湖は静かです。</p>"
    add_search(site, model=tiny_model(), settings=NARROW, cache=cache)
    n_first = len(work)
    work.clear()
    add_search(site, model=tiny_model(), settings=NARROW, cache=cache)
    assert work == []

    write(site, **{"biwa.html": changed})
    summary = add_search(site, model=tiny_model(), settings=NARROW, cache=cache)
    assert len(work) == 2 < n_first
    assert work[0] == changed
    assert "湖は静かです。" in work[1]

    fresh = write(tmp_path / "fresh", **{"biwa.html": changed})
    other = add_search(fresh, model=tiny_model(), settings=NARROW)
    assert contents(site / "konayuki") == contents(fresh / "konayuki")
    assert summary.left_out["redirections"] == other.left_out["redirections"] == 1


def test_another_model_encodes_again_and_what_is_not_used_is_forgotten(
    tmp_path: Path, work: list[str]
):
    cache, site = tmp_path / "site.sqlite", write(tmp_path / "site")
    add_search(site, model=tiny_model(), settings=NARROW, cache=cache)
    work.clear()
    add_search(site, model=StaticModel.load(), settings=NARROW, cache=cache)

    assert len(work) == 2
    with opened(cache) as kept:
        assert kept.get("page", PAGES["fuji.html"].encode()) is not None
    connection = sqlite3.connect(cache)
    kinds = [kind for (kind,) in connection.execute("SELECT kind FROM parts")]
    connection.close()
    assert len(kinds) == 1  # of the last opening, which asked for one page


@pytest.mark.parametrize("what", ["text", "database"])
def test_a_file_of_somebody_else_is_refused_and_left_alone(tmp_path: Path, what: str):
    path = tmp_path / "notes"
    if what == "text":
        path.write_text("notes\n" * 200, encoding="utf-8")
    else:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE notes (text)")
        connection.commit()
        connection.close()
    before = path.read_bytes()

    with pytest.raises(InputError, match="cannot be used as the cache of a site"):
        add_search(write(tmp_path / "site"), model=tiny_model(), settings=NARROW, cache=path)
    assert path.read_bytes() == before


def test_a_build_that_fails_keeps_the_cache_as_it_was(tmp_path: Path):
    cache, site = tmp_path / "site.sqlite", write(tmp_path / "site")
    add_search(site, model=tiny_model(), settings=NARROW, cache=cache)
    before = cache.read_bytes()

    with pytest.raises(InputError, match="no page"):
        add_search(site, model=tiny_model(), settings=NARROW, include=["none.html"], cache=cache)
    assert cache.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE parts SET value = x''",
        "UPDATE parts SET value = substr(value, 1, 20)",
        "UPDATE parts SET value = x'00' || substr(value, 2)",
        "UPDATE parts SET value = CAST(value AS TEXT)",
        "UPDATE parts SET value = NULL",
        "DROP TABLE parts",
    ],
)
def test_parts_that_are_damaged_are_made_again(tmp_path: Path, damage: str):
    cache, site = tmp_path / "site.sqlite", write(tmp_path / "site")
    add_search(site, model=tiny_model(), settings=NARROW, cache=cache)
    whole = contents(site / "konayuki")
    connection = sqlite3.connect(cache)
    connection.execute(damage)
    connection.commit()
    connection.close()

    for _ in range(2):
        summary = add_search(site, model=tiny_model(), settings=NARROW, cache=cache)
        assert summary.skipped == []
        assert contents(site / "konayuki") == whole


def test_a_cache_that_another_build_holds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cache, site = tmp_path / "site.sqlite", write(tmp_path / "site")
    add_search(site, model=tiny_model(), settings=NARROW, cache=cache)
    other = sqlite3.connect(cache, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path: connect(path, timeout=0.0))
    write(site, **{"biwa.html": "<p>新しい</p>"})
    with pytest.raises(WriteError, match="each build that runs needs a file of its own"):
        add_search(site, model=tiny_model(), settings=NARROW, cache=cache)
    other.close()
