"""The main text of HTML pages."""

import pytest

from konayuki.ingest.html import html_outline

FRAME = (
    "<body><header><h1>サイト</h1></header><nav>案内</nav>{}"
    "<div id='cookie-banner'>クッキーに同意</div><footer>著作権</footer></body>"
)


def text_of(html: str) -> str:
    return "\n".join(section.text for section in html_outline(html).sections)


def test_the_frame_of_a_page_is_left_out():
    article = (
        "<article><header><h1>題</h1></header><p>本文。</p><footer>筆者より</footer></article>"
    )
    outline = html_outline(f"<title>題 - サイト</title>{FRAME.format(article)}")
    assert outline.title == "題 - サイト"
    assert [section.headings for section in outline.sections] == [("題",)]
    assert text_of(FRAME.format(article)).split() == ["本文。", "筆者より"]


def test_asides_and_buttons_around_the_text_are_left_out_but_not_in_it():
    page = (
        "<article><h1>燻製</h1><p>桜のチップ。</p><aside>注: 火に注意。</aside>"
        '<ul class="sns-share-buttons"><li>共有する</ul></article><aside>人気の記事</aside>'
    )
    text = html_outline(page).sections[0].text
    assert "注: 火に注意。" in text and "人気" not in text and "共有" not in text
    assert "売上" in html_outline('<div class="market-share">売上の割合</div>').sections[0].text


def test_only_the_main_element_is_read_if_there_is_one():
    html = FRAME.format("<div>広告</div><main><p>本文。</p></main><div>関連</div>")
    assert text_of(html) == "本文。"


@pytest.mark.parametrize(
    "attributes",
    [
        "hidden", "aria-hidden='true'", "style='color: red; DISPLAY : none'", "role=navigation",
        "style=visibility:hidden", "class='x cookie-note'",
    ],
)  # fmt: skip
def test_hidden_elements_are_left_out(attributes: str):
    assert text_of(f"<p>前</p><div {attributes}><p>見えない<br></div><p>後") == "前\n\n後"
    assert text_of(f"<p>前<p {attributes}>見えない<p>後").split() == ["前", "後"]
    assert text_of(f"<img {attributes}>本文") == "本文"


def test_a_page_that_would_be_empty_is_read_whole():
    assert text_of("<header>これだけ</header>") == "これだけ"
    assert text_of("<main></main><p>本文") == "本文"
    assert text_of("<div hidden><p>本文</div>") == "本文"


def test_hidden_elements_that_nobody_closed_end_with_their_parent():
    assert text_of("<div><nav>案内</div><p>本文") == "本文"
    assert text_of("<head><title>題</title><body>本文") == "本文"
    assert text_of("<svg><svg></svg>図</svg>本文") == "本文"


def test_marked_sections_comments_and_bare_signs_are_read_through():
    assert text_of("a <![CDATA[x]]> b <!-- <p> --> c < d & e &lt;p&gt; &#x5c71;").split() == (
        ["a", "b", "c", "<", "d", "&", "e", "<p>", "山"]
    )
    assert text_of("<p title='a > b'>本文</p>") == "本文"
    assert text_of("<script>if (a < b) '</p>'</script>本文") == "本文"
    assert text_of("本文<![<![x") == "本文<![<![x"


def test_headings_tell_how_to_link_to_them():
    page = (
        '<h1 id="top">山<a class="headerlink" href="#top">¶</a></h1><p>序</p>'
        '<section id="setup"><h2>設定</h2><p>甲</p><h3>細部</h3><p>乙</p></section>'
        '<h2><a name="old"></a>古い書き方</h2><p>丙</p><h2>目印なし</h2><p>丁</p>'
    )
    sections = html_outline(page).sections

    assert [(section.headings, section.metadata.get("anchor", "")) for section in sections] == [
        ((), "top"),
        (("設定",), "setup"),
        (("設定", "細部"), "setup"),
        (("古い書き方",), "old"),
        (("目印なし",), ""),
    ]


def test_an_element_with_the_role_main_is_the_text_of_the_page():
    page = '<div>目次<article role="main"><h1>山</h1><p>富士山</p></article>上へ</div>'

    assert [section.text for section in html_outline(page).sections] == ["富士山"]


def test_a_long_id_is_not_repeated_in_every_passage():
    sections = html_outline(
        f'<h1 id="{"a" * 10_000}">x</h1><p>y</p><h2>z</h2><p>w</p><h2 id="b">c</h2><p>d</p>'
    ).sections
    assert [section.metadata for section in sections] == [{}, {}, {"anchor": "b"}]
