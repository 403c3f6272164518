"""The grammar of queries: nothing is an error, and what is quoted comes back."""

import dataclasses
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from konayuki.errors import InputError
from konayuki.search import Condition, Index, Query, quoted
from konayuki.search.query import MOST_PARTS, has_tokens

# Pieces that are likely to make sense together, or nearly.
PIECES = st.sampled_from(
    [
        *'"“”＂\\-－−:： \u3000\n,、「」',
        *("tag:", "path：", "kind:", "after:2024", "before:", "2024-04", "ＴＡＧ：", "--help"),
        *("猫", "の", "Cat", "24", "3776", "５", "https://a.b/c?d=e", "。", "😀"),
    ]
)
TYPED = st.one_of(st.lists(PIECES, max_size=30).map("".join), st.text(max_size=60))


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("猫のえさ", Query("猫のえさ")),
        ('"猫のえさ" 安い', Query("猫のえさ 安い", ("猫のえさ",))),
        ('猫の"えさ箱"について', Query("猫のえさ箱について", ("えさ箱",))),
        ("”猫のえさ” 安い", Query("猫のえさ 安い", ("猫のえさ",))),
        ("“猫”", Query("猫", ("猫",))),
        ("東京 -大阪", Query("東京", (), ("大阪",))),
        ("東京\u3000－大阪 −京都", Query("東京", (), ("大阪", "京都"))),
        ('-"猫 の えさ" 犬', Query("犬", (), ("猫 の えさ",))),
        ("-foo:bar x", Query("x", (), ("foo:bar",))),
        ("tag:料理 鍋", Query("鍋", (), (), (Condition("tag", ("料理",)),))),
        ("tag:料理,旅行、本", Query("", (), (), (Condition("tag", ("料理", "旅行", "本")),))),
        ("ｔａｇ：料理", Query("", (), (), (Condition("tag", ("料理",)),))),
        ('path:"a, b"', Query("", (), (), (Condition("path", ("a, b",)),))),
        ("-kind:pdf 請求書", Query("請求書", (), (), (Condition("kind", ("pdf",), True),))),
        ("after:2024-04", Query("", (), (), (Condition("after", ("2024-04-01",)),))),
        ("before:２０２４年５月", Query("", (), (), (Condition("before", ("2024-05-01",)),))),
        (r'"a\"b\\"', Query('a"b\\', ('a"b\\',))),
    ],
)
def test_what_people_type_is_understood(typed: str, query: Query) -> None:
    assert Query.parse(typed) == query


@pytest.mark.parametrize(
    "text",
    [
        "「もののけ姫」の監督は誰？",
        "富士山の高さ",
        'モニター 24" と 27"',
        'a "b',
        "気温 -5度",
        "--help の使い方",
        "- 牛乳\n- 卵",
        "e-mail C-3PO ビール－ル",
        "foo:bar https://example.com/a:b",
        "tag:",
        'tag:""',
        "after:昨日 after:2024-13 -after:2024",
        'a"b" c',
        '"。"',
        '""',
        " 二  つ ",
        "",
    ],
)
def test_all_else_is_text_and_stays_as_it_is(text: str) -> None:
    assert Query.parse(text) == Query(text)


@settings(max_examples=500, deadline=None)
@given(TYPED)
@example('"' * 1000)
@example('\\"' * 1000)
def test_no_input_is_an_error(typed: str) -> None:
    query = Query.parse(typed)

    assert all(map(has_tokens, (*query.phrases, *query.exclusions)))
    assert all(condition.values for condition in query.conditions)
    assert query.restricts or query.text == typed


@settings(max_examples=500, deadline=None)
@given(TYPED.filter(has_tokens), TYPED)
def test_what_is_quoted_comes_back(text: str, other: str) -> None:
    assert Query.parse(quoted(text)) == Query(text.strip(), (text,))
    assert Query.parse(f"-{quoted(text)}").exclusions == (text,)
    if text.strip():
        assert Query.parse(f"path:{quoted(text)}").conditions == (
            Condition("path", (text.strip(),)),
        )
    assert Query.parse(f"{quoted(text)} {other}").phrases[0] == text


def test_a_long_query_takes_linear_time_and_has_a_limited_number_of_parts() -> None:
    for piece in ('"', '\\"', "-", "tag:", '"。', '-"', "a:", '"a" '):
        Query.parse(piece * 50_000)
    query = Query.parse('"a" ' * 1000)

    assert len(query.phrases) == MOST_PARTS
    assert query.text.endswith('"a"')


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (Query("a", ("。",)), "expected a letter"),
        (Query("a", ("",)), "expected a letter"),
        (Query(5), "query is a int"),  # type: ignore[arg-type]
        (Query("a\ud800"), "lone surrogate"),
        (Query("", (), (), (Condition("colour", ("red",)),)), "expected a Condition"),  # type: ignore[arg-type]
        (Query("", (), (), (Condition("after", ("2024",)),)), "YYYY-MM-DD"),
    ],
)
def test_a_query_made_by_hand_is_checked(fresh, query: Query, message: str) -> None:
    from search.stand_in import HashEncoder

    with Index.open(fresh(), HashEncoder()) as index, pytest.raises(InputError, match=message):
        index.search(query)


def test_a_query_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Query("a").text = "b"  # type: ignore[misc]


def test_quotes_in_a_phrase_of_signs_are_looked_at_once() -> None:
    start = time.process_time()
    text = '"' + r"\"" * 50_000 + '"'
    assert Query.parse(text) == Query(text)
    assert time.process_time() - start < 2  # one look for each quote takes minutes
    assert Query.parse('"!"犬"').phrases == ("犬",)
