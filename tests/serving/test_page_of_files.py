"""The page with files of every kind: dropped, found, put together, narrowed down and read."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chromium import CHROMIUM, launched
from konayuki.ingest.kinds import KINDS, kind_of
from serving.browsing import Opened, until
from serving.dropped import files
from serving.live import Live, serving

if CHROMIUM is None:
    pytest.skip("no playwright or no Chromium on this machine", allow_module_level=True)

pytestmark = pytest.mark.slow
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    pytest.importorskip("pypdfium2")
    index = tmp_path_factory.mktemp("files") / "notes.konayuki"
    with serving(str(index), "--create", "--max-body-mb", "0.1") as live:
        yield live


@pytest.fixture
def opened(browser: Any, site: Live) -> Iterator[Opened]:
    opened = Opened(browser, site)
    yield opened
    opened.context.close()
    assert opened.wrongs == []


def add(opened: Opened, folder: Path, contents: dict[str, bytes]) -> None:
    """Choose files in the dialog and wait until all are through."""
    page = opened.page
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    page.click("#tab-add")
    page.set_input_files("#files", [folder / name for name in contents])
    until(
        page,
        f"document.querySelectorAll('.uploads .done, .uploads .bad').length >= {len(contents)}",
    )


def hits(page: Any) -> list[str]:
    """Return the files of the hits, without page or line."""
    places = page.locator(".hit .place .file").all_inner_texts()
    return [re.split(r":\d+$| p\.\d+$", place)[0] for place in places]


def test_an_empty_index_says_so_and_leads_to_adding(opened: Opened) -> None:
    opened.ask("富士山")
    opened.page.get_by_text("まだ文章がありません").wait_for()
    opened.page.get_by_text("文章を加える").click()
    until(opened.page, "!document.getElementById('add').hidden")


def test_a_file_of_each_kind_is_taken_and_found_by_what_it_says(
    opened: Opened, tmp_path: Path
) -> None:
    page = opened.page
    known = {name: made for name, made in files().items() if kind_of(name)}
    assert {kind_of(name) for name in known} == set(KINDS)
    add(opened, tmp_path, {name: content for name, (content, _) in known.items()})
    assert page.locator(".uploads .bad").all_inner_texts() == []
    assert page.locator(".uploads progress").count() == 0

    page.click("#tab-search")
    for name, (_, phrase) in known.items():
        opened.ask(f'"{phrase}"')
        page.locator(".hit .place .file").first.get_by_text(name).wait_for()
        assert page.locator(".hit").count() == 1, name
        assert phrase[:2] in "".join(page.locator(".hit mark").all_inner_texts())
    opened.ask(f'"{files()["報告.pdf"][1]}"')
    page.locator(".hit .place .file").get_by_text("報告.pdf p.1").wait_for()


def test_a_folder_dropped_on_the_page_keeps_its_paths(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    folder = tmp_path / "会社"
    (folder / "議事録").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "議事録" / "四月.md").write_text(
        "# 四月\n旅費の話。\n## 次回\n五月に旅費を決める。", "utf-8"
    )
    (folder / "旅費.txt").write_text("旅費は後で払う。", "utf-8")
    (folder / "絵.png").write_bytes(b"\x89PNG")
    (folder / ".git" / "config.txt").write_text("x", "utf-8")
    page.click("#tab-add")
    drop_folder(page, folder)
    until(page, "document.querySelectorAll('.uploads .done').length === 2")
    assert "1 個" in page.inner_text(".uploads .skipped")

    page.click("#tab-search")
    opened.ask("旅費")
    until(page, "document.querySelectorAll('.hit .folder').length >= 2")
    page.locator(".hit .folder", has_text="会社/議事録/").first.click()
    assert page.input_value("#query") == "旅費 path:会社/議事録/"
    until(page, "document.querySelectorAll('.hit').length === 1")
    assert hits(page) == ["四月.md"]
    page.locator(".hit .fold").click()
    assert "五月に" in page.locator(".others .snippet").inner_text() + page.inner_text(
        ".hit .snippet"
    )


def drop_folder(page: Any, folder: Path) -> None:
    """Drop a folder; no test can make a real drag, so its entries are written in JavaScript."""
    tree = entry(folder)
    page.evaluate(
        """tree => {
          const make = node => node.children ? {
            isDirectory: true, name: node.name,
            createReader: () => {
              let rest = node.children.map(make);
              return {readEntries: done => done(rest.splice(0, 1))};
            },
          } : {isDirectory: false, name: node.name,
               file: done => done(new File([node.text], node.name))};
          const root = make(tree);
          const transfer = {types: ["Files"], files: [], items: [{webkitGetAsEntry: () => root}]};
          const event = new Event("drop", {bubbles: true, cancelable: true});
          Object.defineProperty(event, "dataTransfer", {value: transfer});
          document.body.dispatchEvent(event);
        }""",
        tree,
    )


def entry(path: Path) -> dict[str, Any]:
    if path.is_dir():
        return {"name": path.name, "children": [entry(child) for child in sorted(path.iterdir())]}
    return {"name": path.name, "text": path.read_text("utf-8", errors="replace")}


def test_what_cannot_be_taken_is_told_in_the_language_of_the_page(
    opened: Opened, tmp_path: Path
) -> None:
    bad = {"壊れた.docx": b"PK", "空.txt": b"", "大きい.txt": b"x" * 200_000}
    add(opened, tmp_path, bad)
    told = " ".join(opened.page.locator(".uploads .bad .note").all_inner_texts())
    for part in ("中身を読めません", "文章がありません", "大きすぎます"):
        assert part in told
    assert "expected" not in told
    assert "docx" in (opened.page.locator(".bad .note[title*=docx]").get_attribute("title") or "")
    opened.page.click("#language")
    add(opened, tmp_path, {"broken.docx": b"PK"})
    opened.page.locator(".uploads .bad .note", has_text="cannot be read").first.wait_for()


def test_a_query_goes_on_by_a_press(opened: Opened) -> None:
    page = opened.page
    page.fill("#query", "tag:")
    page.locator(".suggestion", has_text="tag:料理").click()
    assert page.input_value("#query") == "tag:料理"
    until(page, "document.querySelector('.hit .file')?.textContent.startsWith('料理.md')")
    assert hits(page) == ["料理.md"]
    page.click("#syntax-open")
    page.locator("#syntax .example", has_text="kind:").click()
    assert page.input_value("#query") == "tag:料理 kind:"
    page.fill("#query", "kind:pdf")
    until(page, "document.querySelector('.hit .file')?.textContent.startsWith('報告.pdf')")


def test_the_newest_come_first_on_request(opened: Opened) -> None:
    page = opened.page
    page.select_option("#sort", "date")
    opened.ask("after:2024")
    page.locator(".hit time").first.wait_for()
    assert page.locator(".hit time").first.inner_text() == "2024年4月1日"
    assert "sort=date" in page.url


def test_a_passage_is_read_whole_with_marks_and_with_its_neighbours(
    opened: Opened, tmp_path: Path
) -> None:
    page = opened.page
    lines = "一行目に鯨の話。\n- 二行目\n- 三行目に鯨の歌。"
    text = f"# 海\n## 前\n前の文章。\n## 中\n{lines}\n## 後\n後の文章。"
    add(opened, tmp_path, {"海.md": text.encode()})
    page.click("#tab-search")
    opened.ask("鯨")
    page.locator(".hit .open").first.click()
    until(page, "document.querySelectorAll('.hit .snippet.whole mark').length === 2")
    assert page.locator(".hit .snippet.whole").inner_text() == lines
    page.locator(".hit .near").first.click()
    until(page, "document.querySelectorAll('.hit .neighbour').length === 2")
    assert page.locator(".hit .neighbour").all_inner_texts() == ["前の文章。", "後の文章。"]
    page.locator(".hit .near").first.click()
    until(page, "document.querySelectorAll('.hit .neighbour').length === 0")


def test_what_is_like_a_hit_is_shown_and_left_again(opened: Opened) -> None:
    page = opened.page
    opened.ask('"白菜"')
    until(page, "document.querySelectorAll('.hit').length === 1")
    page.locator(".hit .like").click()
    until(page, "document.querySelectorAll('.hit').length > 1")
    assert "料理.md" not in hits(page)
    page.locator(".chip.on", has_text="に似た文章").click()
    until(page, "document.querySelectorAll('.hit').length === 1")


def test_nothing_relevant_is_said_plainly(opened: Opened) -> None:
    page = opened.page
    opened.ask("zzzzqqqq")
    page.get_by_text("関係のありそうな文章はありません").wait_for()
    assert page.locator(".hit").count() == 0
    page.locator(".anyway").click()
    assert page.locator(".hit").count() > 0
    opened.ask('"白菜" -白菜')
    page.get_by_text("見つかりませんでした").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_cards_fit_a_phone_and_words_do_not_overlap(
    browser: Any, site: Live, scheme: str, language: str
) -> None:
    opened = Opened(browser, site, color_scheme=scheme)
    page = opened.page
    if language == "en":
        page.click("#language")
    opened.ask("旅費")
    page.locator(".hit").first.wait_for()
    page.locator(".hit .near").first.click()
    page.click("#syntax-open")
    for size in (PHONE, {"width": 320, "height": 700}, {"width": 1280, "height": 900}):
        page.set_viewport_size(size)
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
        overlapping = page.evaluate(
            """() => [...document.querySelectorAll(".reason")].filter(line => {
              const [label, bar, number] = [...line.children].map(n => n.getBoundingClientRect());
              return label.right > bar.left || bar.right > number.left || bar.width < 10;
            }).length"""
        )
        assert overlapping == 0, size
    opened.context.close()
    assert opened.wrongs == []
