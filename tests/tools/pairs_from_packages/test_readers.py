"""What each reader makes of the files of its packages."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from konayuki.errors import DatasetError
from konayuki.training.sources import Pair
from pairs_from_packages.archives import Member
from pairs_from_packages.manual_pages import manual_sections
from pairs_from_packages.pages import page_sections
from pairs_from_packages.sentences import (
    read_descriptions,
    read_messages,
    read_paraphrases,
    read_translations,
    read_words,
)
from pairs_from_packages.text import (
    Section,
    as_pairs,
    decode,
    is_japanese,
    shortened,
    tidy,
    without_number,
)


def member(text: str) -> list[Member]:
    return [Member("file", text.encode())]


def test_a_page_becomes_its_headings_and_terms():
    page = """<html><head><title>no</title></head><body><div class="navheader">戻る 次へ</div>
      <h1>第3章 消しゴム</h1><p>色を<b>消す</b>
      道具です。</p><pre>code()</pre><p>Untranslated sentence of this page.</p><p>GIMP</p>
      <dl class="toc"><dt>目次</dt><dd>目次の中身</dd></dl>
      <h2>3.1. オプション</h2><p>始めに。<dl><dt>硬さ</dt><dd>縁の硬さです。<p>続き</p></dd>
      <dt>大きさ</dt><dd>筆の大きさ</dd></dl><p>終わりに。</p>
      <script>x</script></body></html>"""

    assert page_sections(page) == [
        Section("", "消しゴム", "色を消す道具です。 GIMP"),
        Section("オプション", "硬さ", "縁の硬さです。続き"),
        Section("オプション", "大きさ", "筆の大きさ"),
        Section("消しゴム", "オプション", "始めに。終わりに。"),
    ]


def test_only_the_named_element_is_read():
    page = "<div id=a><h1>外側</h1><p>読まない</p></div><div id=b><h1>内側</h1><p>読む文</p></div>"
    assert page_sections(page, inside="b") == [Section("", "内側", "読む文")]


@given(st.text(alphabet="<>/dlthp1234 あか\n", max_size=60))
def test_broken_pages_never_fail(page):
    for section in page_sections(page):
        assert section.title
        assert section.body


MANUAL = r""".\" a comment 注釈
.TH LS 1
.SH 名前
ls \- ディレクトリの内容を\fB一覧\fP表示する
.SH 書式
.B ls
[オプション]
.SH 説明
.BR ls (1)
はファイルの情報を
表示する。
.PP
.nf
skipped example
.fi
既定では\(lqここ\(rqを見る。
.SH オプション
.TP
.BI \-w " COLS"
幅を決める。
.SS 終了状態が 0 でない場合
何かが失敗した。
"""


def test_a_manual_page_becomes_its_sections():
    assert list(manual_sections(MANUAL)) == [
        Section(
            "ls",
            "ディレクトリの内容を一覧表示する",
            "ls(1) はファイルの情報を表示する。既定では“ここ”を見る。",
        ),
        Section("", "ls ディレクトリの内容を一覧表示する オプション", "-w COLS 幅を決める。"),
        Section(
            "ls ディレクトリの内容を一覧表示する", "終了状態が 0 でない場合", "何かが失敗した。"
        ),
    ]


@pytest.mark.parametrize("page", [".so man1/ls.1\n", ".SH NAME\nls \\- list files\n.SH 説明\nx"])
def test_manuals_without_a_japanese_purpose_give_nothing(page):
    assert list(manual_sections(page)) == []


def test_a_heading_that_others_bear_too_stands_behind_its_parent():
    sections = [
        Section("筆", "注意", "あ"),
        Section("消しゴム", "注意", "い"),
        Section("筆", "大きさ", "う"),
    ]
    assert list(as_pairs(sections)) == [
        Pair("筆 注意", "あ"),
        Pair("消しゴム 注意", "い"),
        Pair("大きさ", "う"),
    ]


SENTENCES = (
    "1\t雪が降る。\tIt snows.\t-\t-\tIl neige.\t-\t-\ta.mp3\n\n"
    "2\t雪が降っている。\tIt is snowing.\t-\t-\tIl neige.\t-\t-\t-\n"
    "3\t今日は雪だ。\tIt snows.\t-\t-\t-\t-\t-\t-\n"
    "4\t一人だ。\t-\t-\t-\t-\t-\t-\t-\n"
)


def test_paraphrases_share_a_translation_and_the_longer_one_is_the_passage():
    assert list(read_paraphrases(member(SENTENCES))) == [
        Pair("雪が降る。", "今日は雪だ。"),
        Pair("雪が降る。", "雪が降っている。"),
    ]


def test_translations_are_english_to_japanese():
    assert [pair.query for pair in read_translations(member(SENTENCES))] == [
        *("It snows.", "It is snowing.", "It snows.")
    ]
    with pytest.raises(DatasetError, match="line 2: 2 columns"):
        list(read_translations(member("1\t雪\tsnow\t-\t-\t-\t-\t-\t-\n2\t雨\n")))


def test_words_are_common_ones_with_english_glosses():
    text = """<?xml version="1.0"?><!DOCTYPE JMdict [<!ELEMENT a (b)> <!ENTITY n "noun">]><JMdict>
      <entry><k_ele><keb>雪</keb><ke_pri>ichi1</ke_pri></k_ele><r_ele><reb>ゆき</reb></r_ele>
        <sense><pos>&n;</pos><gloss>snow</gloss><gloss xml:lang="ger">Schnee</gloss></sense>
        <sense><gloss xml:lang="ger">Weiß</gloss></sense>
        <sense><gloss>white hair</gloss><gloss>grey hair</gloss></sense></entry>
      <entry><k_ele><keb>霙雪</keb></k_ele><r_ele><reb>みぞれ</reb></r_ele>
        <sense><gloss>rare</gloss></sense></entry>
      <entry><r_ele><reb>カメラ</reb><re_pri>nf01</re_pri></r_ele>
        <sense><gloss>camera</gloss></sense></entry></JMdict>"""
    assert list(read_words(member(text))) == [
        Pair("雪（ゆき）", "snow; white hair, grey hair"),
        Pair("カメラ", "camera"),
    ]


def catalogue(messages: dict[str, str]) -> bytes:
    """Return a compiled catalogue: a table of messages, one of translations, then the strings."""
    pairs = sorted((key.encode(), value.encode()) for key, value in messages.items())
    place = 28 + 16 * len(pairs)
    tables, strings = [b"", b""], b""
    for side in (0, 1):
        for pair in pairs:
            tables[side] += struct.pack("<II", len(pair[side]), place + len(strings))
            strings += pair[side] + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return header + tables[0] + tables[1] + strings


def test_messages_pair_paragraph_with_paragraph():
    content = catalogue(
        {
            "": "Content-Type: text/plain; charset=UTF-8\n",
            "Save _File": "ファイルを保存(_F)",
            "one\nline\n\ntwo": "一つ\n目\n\n二つ目",
        }
    )
    assert list(read_messages([Member("hg.mo", content)])) == [
        Pair("Save File", "ファイルを保存F"),
        Pair("one line", "一つ目"),
        Pair("two", "二つ目"),
    ]


def test_descriptions_name_the_package_every_fourth_time():
    stanza = "Package: p{0}\nDescription-md5: x\nDescription-ja: 道具{0}\n"
    stanza += " 長い説明\n の続き{0}。\n .\n 終わり。"
    english = "Package: e\nDescription-en: tool\n long text"
    text = "\n\n".join([*(stanza.format(n) for n in range(4)), english])
    assert list(read_descriptions(member(text))) == [
        *(Pair(f"道具{n}", f"長い説明の続き{n}。終わり。") for n in range(3)),
        Pair("p3 道具3", "長い説明の続き3。終わり。"),
    ]


@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("3.1. 消しゴム", "消しゴム"),
        ("第16章 メニュー", "メニュー"),
        ("A. 付録", "付録"),
        ("7.2 新しいレイヤー", "新しいレイヤー"),
        ("2 桁の記号", "2 桁の記号"),
        ("9.0.7リリース¶", "9.0.7リリース"),
    ],
)
def test_numbers_of_headings_go(title, short):
    assert without_number(title) == short


@given(st.text(alphabet="あ漢a。 \n", max_size=80), st.integers(4, 40))
def test_tidy_and_shortened_keep_to_their_promises(text, longest):
    assert tidy(tidy(text)) == tidy(text)
    assert "".join(tidy(text).split()) == "".join(text.split())
    short = shortened(text, longest)
    assert len(short) <= longest
    assert text.startswith(short)


def test_japanese_needs_kana_and_a_share():
    assert is_japanese("雪が降る")
    assert not is_japanese("中文没有假名")
    assert not is_japanese("a very long English sentence with の in it")


@pytest.mark.parametrize("encoding", ["utf-8", "euc_jp", "shift_jis", "iso2022_jp"])
def test_encodings_are_found(encoding):
    text = "雪国の、長いトンネル"
    assert decode(text.encode(encoding)) == text


def test_the_sources_have_names_of_their_own_and_licences():
    from pairs_from_packages.declared import SOURCES

    assert len({source.name for source in SOURCES}) == len(SOURCES) >= 10
    assert all(source.licence and source.contents for source in SOURCES)
    assert not Path(SOURCES[0].name).suffix
