"""The page in a real browser: typing, keys, filters, adding, comparing, and attacks."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chromium import CHROMIUM, launched
from serving.browsing import Opened, until
from serving.live import Live, serving
from serving.records import BIWA, CAT, FUJI, KEY

if CHROMIUM is None:
    pytest.skip("no playwright or no Chromium on this machine", allow_module_level=True)

pytestmark = pytest.mark.slow
ATTACKS = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    '"><svg onload="document.title=\'owned\'">',
    "javascript:document.title='owned'",
    "</mark></p><iframe srcdoc=\"<script>parent.document.title='owned'</script>\">",
    "{{constructor.constructor('document.title=1')()}}",
    "<a href=\"javascript:document.title='owned'\" autofocus onfocus=\"document.title='owned'\">雪",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Live]:
    index = tmp_path_factory.mktemp("page") / "notes.konayuki"
    with serving(str(index), "--create", "--model", str(model_folder)) as live:
        live.add(FUJI, BIWA, CAT)
        yield live


@pytest.fixture
def opened(browser: Any, site: Live) -> Iterator[Opened]:
    opened = Opened(browser, site)
    yield opened
    opened.context.close()
    assert opened.wrongs == []
    assert {re.match(r"\w+://[^/]+", url)[0] for url in opened.requested} == {site.url}  # type: ignore[index]


def test_hits_come_while_typing_with_marks_and_reasons(opened: Opened) -> None:
    page = opened.page
    page.locator("#query").press_sequentially("富士山の高さ", delay=30)
    page.locator(".hit h2").first.get_by_text("富士山", exact=True).wait_for()

    hit = page.locator(".hit").first
    hit.locator("mark").get_by_text("富士山の高さ", exact=True).wait_for()
    assert [label.strip() for label in hit.locator(".reason .label").all_inner_texts()] == [
        "関連度",
        "ことば",
        "意味",
    ]
    assert float(hit.locator(".reason .number").first.inner_text()) > 0
    full = hit.locator(".part.words i").evaluate(
        "bar => bar.offsetWidth / bar.parentNode.offsetWidth"
    )
    assert full == pytest.approx(1.0, abs=0.02)


def test_an_answer_is_there_within_100_ms_of_the_last_key(opened: Opened) -> None:
    opened.ask("雪")
    opened.page.locator(".hit").first.wait_for()
    waits = []
    for query in ("富士山の高さ", "日本の湖", "snow", "一番大きな"):
        waits.append(
            opened.page.evaluate(
                """query => new Promise(resolve => {
                  const field = document.getElementById("query");
                  const start = performance.now();
                  const list = document.getElementById("hits");
                  new MutationObserver((_, observer) => {
                    observer.disconnect();
                    resolve(performance.now() - start);
                  }).observe(list, {childList: true});
                  field.value = query;
                  field.dispatchEvent(new InputEvent("input"));
                })""",
                query,
            )
        )

    # The best of a few: what the page adds, not what else this machine does meanwhile.
    assert min(waits) < 100


def test_an_old_answer_never_replaces_a_newer_one(opened: Opened) -> None:
    page = opened.page

    def hold(route: Any) -> None:
        if "湖" in (route.request.post_data_json or {}).get("query", ""):
            time.sleep(0.4)
        route.continue_()

    page.route("**/search", hold)
    page.fill("#query", "琵琶湖")
    page.wait_for_timeout(120)
    page.fill("#query", "snow")
    page.wait_for_timeout(900)

    assert page.locator(".hit h2").first.inner_text() == "cat"


def test_keys_lead_from_the_field_through_the_hits_and_back(opened: Opened) -> None:
    page = opened.page
    opened.ask("日本で一番")
    page.locator(".hit").nth(1).wait_for()
    page.locator("#theme").focus()
    page.keyboard.press("/")
    focused = "document.activeElement.id || document.activeElement.querySelector('h2').textContent"
    assert page.evaluate(focused) == "query"
    order = page.locator(".hit h2").all_inner_texts()
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == order[0]
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == order[1]
    page.keyboard.press("Enter")
    assert page.locator(".hit").nth(1).locator(".open").get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == "query"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "query"
    page.keyboard.press("Escape")
    assert page.input_value("#query") == ""


def test_the_mode_and_the_filter_change_what_is_found(opened: Opened) -> None:
    page = opened.page
    opened.ask("富士山", first="富士山")
    assert page.locator(".hit").count() == 3
    page.check("input[value=lexical]")
    until(page, "document.querySelectorAll('.hit').length === 1")
    page.check("input[value=hybrid]")
    until(page, "document.querySelectorAll('.hit').length === 3")

    page.locator(".chip", has_text="year: 2023").click()
    until(page, "document.querySelectorAll('.hit').length === 1")
    assert page.locator(".hit h2").inner_text() == "琵琶湖"
    page.locator(".chip.on").click()
    until(page, "document.querySelectorAll('.hit').length === 3")

    page.click("#filter-open")
    page.fill("#filter-key", "year")
    page.fill("#filter-value", "2024")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('.hit').length === 1")
    assert page.locator(".hit h2").inner_text() == "富士山"


def test_the_language_switches_and_is_remembered(opened: Opened) -> None:
    page = opened.page
    assert page.inner_text("#tab-search") == "さがす"
    page.click("#language")
    assert page.inner_text("#tab-search") == "Search"
    assert page.get_attribute("html", "lang") == "en"
    assert "Ask" in (page.get_attribute("#query", "placeholder") or "")
    page.reload()
    until(page, "document.getElementById('about').textContent")
    assert page.inner_text("#tab-search") == "Search"
    assert not re.search("[ぁ-ん]", page.inner_text("main"))


def test_light_and_dark_switch_and_text_stays_readable(opened: Opened) -> None:
    page = opened.page
    opened.ask("富士山", first="富士山")
    grounds = set()
    for _ in range(2):
        page.click("#theme")
        grounds.add(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        for selector in (
            ".snippet",
            ".status",
            ".reason .label",
            "#tab-add",
            ".chip",
            "footer",
            ".open",
        ):
            assert contrast(page, selector) >= 4.5, selector
    assert len(grounds) == 2


def contrast(page: Any, selector: str) -> float:
    """Contrast of a text against the nearest painted ground, as WCAG 2 defines it."""
    return float(
        page.locator(selector).first.evaluate(
            """node => {
              const rgb = text => text.match(/[\\d.]+/g).map(Number);
              const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
                .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
              let ground = node;
              while (ground && (rgb(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0)
                ground = ground.parentElement;
              const a = light(rgb(getComputedStyle(node).color));
              ground ??= document.documentElement;
              const b = light(rgb(getComputedStyle(ground).backgroundColor));
              return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            }"""
        )
    )


def test_every_control_has_a_name(opened: Opened) -> None:
    opened.ask("富士山", first="富士山")
    nameless = opened.page.evaluate(
        """() => [...document.querySelectorAll("button, input, textarea, a, progress, img")]
          .filter(node => !(node.getAttribute("aria-label") || node.textContent.trim()
            || node.labels?.length || node.hasAttribute("alt")))
          .map(node => node.outerHTML)"""
    )

    assert nameless == []


def test_a_phone_needs_no_sideways_scrolling(browser: Any, site: Live) -> None:
    opened = Opened(browser, site)
    opened.page.set_viewport_size({"width": 390, "height": 844})
    opened.ask("富士山", first="富士山")
    for tab in ("search", "add", "compare"):
        opened.page.click(f"#tab-{tab}")
        opened.page.wait_for_timeout(100)
        assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab
    opened.context.close()
    assert opened.wrongs == []


def test_dropped_and_pasted_text_is_added_and_found(
    opened: Opened, site: Live, tmp_path: Path
) -> None:
    page = opened.page
    (tmp_path / "旅.md").write_bytes("# 旅行\n電車で空港に行く。".encode("cp932"))
    (tmp_path / "表.csv").write_text("id,text\nrow1,学校の料理\n", "utf-8")
    (tmp_path / "壊れた.jsonl").write_text("{", "utf-8")
    page.click("#tab-add")
    page.set_input_files("#files", [tmp_path / n for n in ("旅.md", "表.csv", "壊れた.jsonl")])
    page.locator(".uploads .bad").wait_for()
    assert page.locator(".uploads .done").count() == 2
    assert "壊れた.jsonl" in page.locator(".uploads .bad").inner_text()

    page.fill("#paste-title", "猫の話")
    page.fill("#paste-text", "猫が電車を見る。")
    page.click("#paste button")
    until(page, "document.querySelectorAll('.uploads .done').length === 3")
    assert "6" in page.inner_text("#about")

    page.click("#tab-search")
    opened.ask("猫が電車", first="猫の話")
    page.locator(".hit").first.locator(".remove").click()
    page.locator(".hit").first.locator(".remove.sure").click()
    until(page, "!document.querySelector('.hit h2').textContent.includes('猫の話')")
    assert site.call("GET", "/info").json["documents"] == 5
    for name in ("旅.md#0", "row1"):
        site.delete(name)


def test_a_file_dropped_anywhere_is_taken(opened: Opened, site: Live) -> None:
    opened.page.evaluate(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["空の本"], "drop.txt", {type: "text/plain"}));
          for (const kind of ["dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(kind,
              {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }"""
    )
    until(opened.page, "document.querySelectorAll('.uploads .done').length === 1")

    assert site.delete("drop.txt").json["deleted"] == 1


def test_the_playground_shows_each_pair(opened: Opened) -> None:
    page = opened.page
    page.click("#tab-compare")
    page.fill("#sentences", "富士山\n琵琶湖\n富士山")
    until(page, "document.querySelectorAll('#map tbody tr').length === 3")
    rows = [row.locator("td").all_inner_texts() for row in page.locator("#map tbody tr").all()]

    assert [rows[i][i] for i in range(3)] == ["1.00"] * 3
    assert rows[0][2] == "1.00"
    assert rows[0][1] == rows[1][0] != "1.00"
    colours = page.locator("#map tbody td").evaluate_all(
        "cells => cells.slice(0, 2).map(cell => getComputedStyle(cell).backgroundColor)"
    )
    assert colours[0] != colours[1]
    page.fill("#sentences", "一つ")
    page.get_by_text("二つ以上").wait_for()


def test_an_address_with_a_question_opens_with_its_answer(browser: Any, site: Live) -> None:
    opened = Opened(browser, site)
    opened.ask("琵琶湖", first="琵琶湖")
    address = opened.page.url
    other = opened.context.new_page()
    other.goto(address)
    other.locator(".hit h2").first.get_by_text("琵琶湖", exact=True).wait_for()
    assert other.input_value("#query") == "琵琶湖"
    opened.context.close()


def test_attacks_in_documents_and_queries_are_text(opened: Opened, site: Live) -> None:
    page = opened.page
    for number, attack in enumerate(ATTACKS):
        metadata = {attack: attack, "list": [attack]}
        record = {"id": f"{attack}{number}", "text": f"雪 {attack}", "heading": attack}
        site.add({**record, "title": attack, "metadata": metadata})
    try:
        for attack in ATTACKS:
            opened.ask(f"雪 {attack}")
            until(page, "document.querySelectorAll('.hit').length > 5")
            page.locator(".hit .open").first.click()
            page.wait_for_timeout(60)
        page.locator(".chip").first.click()
        page.wait_for_timeout(150)
        page.goto(f"{site.url}/#search?q={ATTACKS[1]}&mode={ATTACKS[0]}")
        page.reload()
        page.wait_for_timeout(300)
        page.click("#tab-compare")
        page.fill("#sentences", "\n".join(ATTACKS))
        until(page, f"document.querySelectorAll('#map tbody tr').length === {len(ATTACKS)}")
        assert page.title() == "粉雪 konayuki"
        # Nothing of it became an element, and no link leads to a script.
        assert (
            page.locator(
                "main script, main iframe, main img, main [onerror], main a[href^=javascript]"
            ).count()
            == 0
        )
    finally:
        for number, attack in enumerate(ATTACKS):
            site.delete(f"{attack}{number}")


def test_attacks_in_file_names_and_errors_are_text(opened: Opened, tmp_path: Path) -> None:
    bad = tmp_path / "<img src=x onerror=document.title=1>.jsonl"
    bad.write_text("{", "utf-8")
    opened.page.click("#tab-add")
    opened.page.set_input_files("#files", bad)
    opened.page.locator(".uploads .bad").wait_for()

    assert opened.page.title() == "粉雪 konayuki"
    assert opened.page.locator("#uploads img").count() == 0


def test_the_policy_stops_a_script_that_got_in_all_the_same(browser: Any, site: Live) -> None:
    opened = Opened(browser, site)
    opened.page.evaluate(
        """() => {
          const node = document.createElement("script");
          try { node.text = "document.title = 'owned'"; document.body.append(node); } catch {}
          const image = "<img src=x onerror=alert(1)>";
          try { document.body.insertAdjacentHTML("beforeend", image); } catch {}
        }"""
    )
    assert opened.page.title() == "粉雪 konayuki"
    assert opened.page.locator("body > img").count() == 0
    opened.context.close()


def test_a_server_with_a_key_asks_for_it_once(browser: Any, keyed: Live) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto(keyed.url)
    page.locator("#key-dialog").wait_for()
    page.fill("#key", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    page.locator("#key-dialog").wait_for()
    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    until(page, "document.getElementById('about').textContent")
    page.fill("#query", "富士山")
    page.locator(".hit").first.wait_for()
    assert page.evaluate("JSON.stringify(localStorage).includes('key')") is False
    context.close()


def test_the_description_of_the_api_is_readable(opened: Opened) -> None:
    opened.page.click("footer a")
    opened.page.locator("#embeddings").wait_for()

    assert opened.page.locator(".operation").count() >= 12
    assert "dimensions" in opened.page.inner_text("#embeddings")
