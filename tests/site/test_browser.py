"""A searched site in a real browser: typing, IME, keys, phones, policies, failures, attacks."""

from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest

from browsing import Opened, servers
from chromium import CHROMIUM, launched
from konayuki.search import Document
from konayuki.site import add_search, build_site

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
if CHROMIUM is None:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

pytestmark = pytest.mark.slow
HEAD = (
    '<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>{title}</title>'
    '<script type="module" src="/konayuki/konayuki-search.js" data-auto></script></head>'
)
ATTACKS = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    '"><svg onload="document.title=\'owned\'">',
    "</mark></span><iframe srcdoc=\"<script>parent.document.title='owned'</script>\"></iframe>",
    "{{constructor.constructor('document.title=1')()}}",
    "$&$1$`</a><a href=\"javascript:document.title='owned'\">",
]


def page(title: str, body: str, lang: str = "ja") -> str:
    return f"{HEAD.format(title=escape(title), lang=lang)}<body><main>{body}</main></body></html>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    with servers() as start:
        yield start


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, documents: list[Document]) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    by_page: dict[str, list[Document]] = {}
    for document in documents:
        by_page.setdefault(str(document.chunk_of), []).append(document)
    for number, (_, parts) in enumerate(by_page.items()):
        body = f"<h1>{escape(parts[0].title)}</h1>"
        for place, part in enumerate(parts):
            body += f'<h2 id="part-{place}">{escape(part.heading)}</h2><p>{escape(part.text)}</p>'
        (folder / f"{number}.html").write_text(page(parts[0].title, body), encoding="utf-8")
    (folder / "index.html").write_text(page("目次", "<h1>目次</h1><p>始まり</p>"), encoding="utf-8")
    add_search(folder)
    return folder


def test_words_come_first_and_meaning_joins(browser, serve, site):
    url = serve(site)
    opened = Opened(browser, url)
    before = [address for address in opened.requested if ".bin" in address]
    opened.ask("布団の中でスマホを見ていると目がさえる")

    assert before == []  # nothing of the index before the dialog opens
    assert opened.stages[-1][0] == "meaning"
    assert "眠" in opened.hits[0]
    assert opened.wrongs == []
    assert all(address.startswith(url) for address in opened.requested)


def test_enter_opens_the_chosen_hit_at_its_heading(browser, serve, site):
    opened = Opened(browser, serve(site))
    opened.page.keyboard.press("/")
    assert opened.is_open
    opened.ask("熱中症の応急手当")
    href = opened.inside("shadowRoot.querySelector('.hit').href")
    opened.page.keyboard.press("ArrowDown")
    assert (
        opened.inside("shadowRoot.querySelector('input').getAttribute('aria-activedescendant')")
        == "hit-0"
    )
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_url(href)

    assert "#part-" in href
    target = href.partition("#")[2]
    assert "熱中症" in opened.page.evaluate(f"document.getElementById('{target}').textContent")


def test_nothing_is_asked_or_opened_while_kana_are_converted(browser, serve, site):
    opened = Opened(browser, serve(site))
    opened.page.evaluate("document.querySelector('konayuki-search').open('')")
    protocol = opened.context.new_cdp_session(opened.page)
    for text in ("ね", "ねこ", "猫"):
        protocol.send(
            "Input.imeSetComposition", {"text": text, "selectionStart": 1, "selectionEnd": 1}
        )
    enter = (
        "new KeyboardEvent('keydown',"
        " {key: 'Enter', keyCode: 229, bubbles: true, cancelable: true})"
    )
    free = opened.inside(f"shadowRoot.querySelector('input').dispatchEvent({enter})")
    opened.page.wait_for_timeout(400)

    assert free  # the keystroke is left to the conversion
    assert opened.stages == []
    protocol.send("Input.insertText", {"text": "猫"})
    opened.until("window.stages.some(([, , last]) => last)")
    assert any("猫" in hit for hit in opened.hits)


def test_the_dialog_has_roles_and_gives_the_focus_back(browser, serve, site):
    opened = Opened(browser, serve(site))
    opened.page.locator("konayuki-search .open").click()
    opened.ask("雪")
    roles = opened.inside(
        "['input', '.results', '.hit', '.group', '.status', 'form']"
        ".map((name) => shadowRoot.querySelector(name).getAttribute('role'))"
    )
    status = opened.inside("shadowRoot.querySelector('.status').textContent")
    opened.page.keyboard.press("Escape")

    assert roles == ["combobox", "listbox", "option", "group", "status", "search"]
    assert "件" in status
    assert not opened.is_open
    assert opened.inside("shadowRoot.activeElement?.className") == "open"


def test_the_model_is_loaded_once(browser, serve, site):
    url = serve(site)
    first = Opened(browser, url)
    first.ask("雪の結晶")
    second = Opened(browser, f"{url}1.html", context=first.context)
    first.requested.clear()
    second.ask("台風の目")

    assert second.stages[-1][0] == "meaning"
    assert not any("/model-" in address for address in [*first.requested, *second.requested])


def test_without_a_worker_and_with_data_saving_words_answer_alone(browser, serve, site):
    script = (
        "window.Worker = class { constructor() { throw new Error('refused'); } };"
        "Object.defineProperty(navigator, 'connection', {value: {saveData: true}});"
    )
    opened = Opened(browser, serve(site), script)
    opened.ask("台風")

    assert opened.stages[-1][0] == "words"
    assert opened.hits
    assert not any("/model-" in address for address in opened.requested)
    assert opened.wrongs == []


def test_a_model_that_does_not_come_leaves_words(browser, serve, site):
    opened = Opened(browser, serve(site))
    opened.context.route("**/model-*.bin", lambda route: route.abort())
    opened.ask("台風")

    assert opened.stages[-1][0] == "words"
    assert opened.stages[-1][2]
    assert opened.hits


def test_a_site_that_was_published_anew_meanwhile_is_opened_again(browser, serve, tmp_path):
    (tmp_path / "a.html").write_text(page("山", "<p>富士山は高い山です。</p>"), encoding="utf-8")
    add_search(tmp_path)
    opened = Opened(browser, f"{serve(tmp_path)}a.html")
    opened.page.evaluate("document.querySelector('konayuki-search').open('')")
    while not any("/start-" in address for address in opened.requested):
        opened.page.wait_for_timeout(20)
    opened.page.wait_for_timeout(300)
    (tmp_path / "b.html").write_text(page("湖", "<p>琵琶湖は広い湖です。</p>"), encoding="utf-8")
    add_search(tmp_path)
    opened.ask("琵琶湖")

    assert any("琵琶湖" in hit for hit in opened.hits)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(browser, serve, site, scheme):
    opened = Opened(browser, serve(site), color_scheme=scheme)
    opened.page.set_viewport_size({"width": 360, "height": 640})
    opened.ask("パスワードを使い回すと危ない理由")
    wide = opened.inside(
        "[...shadowRoot.querySelectorAll('dialog *')].filter((element) =>"
        " element.getBoundingClientRect().right > innerWidth + 1)"
        ".map((element) => element.outerHTML)"
    )
    color = opened.inside("getComputedStyle(shadowRoot.querySelector('dialog')).backgroundColor")

    assert wide == []
    assert color == ("rgb(23, 32, 42)" if scheme == "dark" else "rgb(255, 255, 255)")


def test_a_page_in_english_is_searched_in_english(browser, serve, tmp_path):
    body = "<h2 id='x'>Snow</h2><p>Powder snow falls in Hokkaido.</p>"
    (tmp_path / "index.html").write_text(page("Snow", body, "en"), encoding="utf-8")
    add_search(tmp_path)
    opened = Opened(browser, serve(tmp_path))
    opened.ask("powder snow")

    assert opened.inside("shadowRoot.querySelector('.open').textContent") == "Search/"
    assert "1 result on 1 page" in opened.inside("shadowRoot.querySelector('.status').textContent")
    opened.page.keyboard.press("Control+a")
    opened.page.keyboard.type("zzzz qqqq")
    opened.page.wait_for_timeout(1500)
    assert opened.wrongs == []


def test_attacks_in_pages_and_metadata_are_text(browser, serve, tmp_path):
    for number, attack in enumerate(ATTACKS):
        body = f'<h2 id="{escape(attack)}">{escape(attack)}</h2><p>雪 {escape(attack)} 雪</p>'
        (tmp_path / f"{number}.html").write_text(page(attack, body), encoding="utf-8")
    huge = "<p>" + "雪が降る。" * 40_000 + "<div>" * 3_000
    (tmp_path / "huge.html").write_text(page("巨大", huge), encoding="utf-8")
    (tmp_path / "broken.html").write_text("<h1>雪<p>壊れた<a href='<b", encoding="utf-8")
    add_search(tmp_path)
    opened = Opened(browser, f"{serve(tmp_path)}0.html")
    title = opened.page.title()
    for query in ("雪", "document.title owned", *ATTACKS):
        opened.ask(query)
        for _ in range(3):
            opened.page.keyboard.press("ArrowDown")

    assert opened.page.title() == title
    assert opened.inside("shadowRoot.querySelectorAll('script, iframe, img').length") == 0
    assert opened.wrongs == []


def test_addresses_of_an_index_lead_to_web_pages_only(browser, serve, tmp_path):
    addresses = ["javascript:document.title='owned'", "data:text/html,x", "a.html", "http://["]
    build_site(
        (
            Document(id=str(number), text=f"雪 {number}", metadata={"url": address})
            for number, address in enumerate(addresses)
        ),
        tmp_path / "konayuki",
    )
    (tmp_path / "index.html").write_text(page("雪", ""), encoding="utf-8")
    url = serve(tmp_path)
    opened = Opened(browser, url)
    opened.ask("雪")
    hrefs = opened.inside(
        "[...shadowRoot.querySelectorAll('.hit')].map((hit) => hit.getAttribute('href'))"
    )

    assert sorted(hrefs, key=str) == sorted([None, None, f"{url}a.html", None], key=str)
