"""Our tokenizers against the library `tokenizers`, id by id."""

import json
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import CheckpointError, InputError, MissingExtraError
from konayuki.model.kernel_tokenizer import KernelTokenizer
from konayuki.model.native import kernel
from konayuki.model.tokenizer import build_tokenizer
from konayuki.model.tokens import Tokenizer
from konayuki.model.unigram_definition import read_unigram
from konayuki.model.unigram_reference import UnigramReference
from shared_data import data_folder

from .samples import DEFINITIONS, TEXT, as_bytes, ours, roberta, small_model, word_piece

tokenizers = pytest.importorskip("tokenizers")

FRAGMENTS = [
    *TEXT.split(),
    *("あ", "ー", "。", "w", "0", "の", "ABC", "Ｗｅｂ", "１２", "🗻"),
    *("👨\u200d👩\u200d👧", "👍🏽", "🇯🇵", "1\ufe0f\u20e3", "©\u200d", "\u200d"),  # clusters
    *("ｶﾞ", "ﾊﾟ", "ﾞ", "か\u3099", "\u3099", "e\u0301", "ｅ\u0301", "ª\u0903", "\u0301"),  # marks
    *("\r\n", "\r", "\n", "\t", " ", "  ", "\u3000", "\x85", "\u2028", "\x1c", "\x1f", "\u00a0"),
    *("\0", "\x07", "\ufeff", "\u00ad", "\u200b", "\u0600", "\u061c"),  # control and format
    *("word", " word ", "words", "[both]", " [both] ", "<sep> ", "<norm>", "＜Norm＞"),
    *("山の日", "web", "!"),
    *("▁", "▁▁", "<unk>", "<s>", "<mask>", " <mask> ", "＜ｕｎｋ＞", "＜ｓ＞"),
    *(
        "㋿",
        "㍿",
        "①",
        "㌔",
        "ﷺ",
        "word",
        " word ",
        "words",
        "[both]",
        " [both] ",
        "<sep> ",
        "<norm>",
        "＜Norm＞",
        "山の日",
        "web",
        "!",
        "Σας",
        "İ",
        "ß",
        "ẛ\u0323",
        "한",
        "\u1112\u1161\u11ab",
    ),
    *("\u0378", "\U000e0001", "\ufdd0", "\U0010ffff", "\U00010781", "\u07fda", "\U00020bb7"),
]
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
runs = st.builds(lambda part, n: part * n, st.sampled_from(FRAGMENTS), st.integers(1, 12))
adversarial = st.lists(st.sampled_from(FRAGMENTS) | runs | any_text, max_size=8).map("".join)
each_kind = pytest.mark.parametrize("kind", DEFINITIONS)
ENGINES = ["python"] if kernel() is None else ["kernel", "python"]
each_engine = pytest.mark.parametrize("engine", ENGINES)


@cache
def both(kind: str, engine: str) -> tuple[Tokenizer, Any]:
    content = as_bytes(DEFINITIONS[kind]())
    library = tokenizers.Tokenizer.from_str(content.decode())
    library.no_truncation()
    definition = read_unigram(json.loads(content))
    compiled = kernel()
    if engine == "python" or compiled is None:
        return UnigramReference(definition), library
    return KernelTokenizer(definition, compiled), library


def check(kind: str, engine: str, texts: list[str]) -> None:
    own, library = both(kind, engine)
    ids, offsets = own.tokenize(texts)
    assert offsets[0] == 0
    assert offsets[-1] == len(ids)
    for index, text in enumerate(texts):
        # Whether an added token ends at a letter depends on the version of Unicode, here Python's.
        if "added token" in kind and any(category(character) == "Cn" for character in text):
            continue
        expected = library.encode(text, add_special_tokens=False).ids
        assert ids[offsets[index] : offsets[index + 1]].tolist() == expected, ascii(text)[:200]


@each_kind
def test_every_kind_runs_without_the_library(kind: str) -> None:
    tokenizer = build_tokenizer(as_bytes(DEFINITIONS[kind]()), Path("tokenizer.json"))
    assert tokenizer.backend == ENGINES[0]
    assert tokenizer.vocab_size == both(kind, "python")[1].get_vocab_size()


@each_engine
@each_kind
@given(texts=st.lists(adversarial, max_size=4))
@settings(max_examples=60, deadline=None)
def test_adversarial_texts_have_the_ids_of_the_library(
    kind: str, engine: str, texts: list[str]
) -> None:
    check(kind, engine, texts)


@each_engine
@each_kind
def test_every_pair_of_fragments_has_the_ids_of_the_library(kind: str, engine: str) -> None:
    check(kind, engine, [first + second for first in FRAGMENTS for second in FRAGMENTS])


@each_engine
@each_kind
def test_very_long_texts_have_the_ids_of_the_library(kind: str, engine: str) -> None:
    without_blanks = "".join(TEXT.split())
    check(
        kind,
        engine,
        [TEXT * 50, without_blanks * 20, "あ" * 5000, "w " * 6000, "\u0378" * 4000, " " * 9],
    )


@pytest.mark.slow
@each_engine
@each_kind
def test_every_code_point_has_the_ids_of_the_library(kind: str, engine: str) -> None:
    characters = [chr(code) for code in range(0x32000) if not 0xD800 <= code <= 0xDFFF]
    check(kind, engine, [f"山{character}の" for character in characters])
    check(kind, engine, [f"ª{character}" for character in characters])


@each_engine
@each_kind
def test_real_text_has_the_ids_of_the_library(kind: str, engine: str) -> None:
    folder = data_folder()
    if folder is None:
        pytest.skip("the shared data is not here")
    parquet = pytest.importorskip("pyarrow.parquet")
    for path in sorted(folder.glob("pairs/*.parquet"))[::3]:
        texts = parquet.read_table(path, columns=["positive"]).slice(50, 15)["positive"].to_pylist()
        check(kind, engine, texts)


def test_word_piece_runs_on_the_library() -> None:
    content = as_bytes(word_piece())
    tokenizer = build_tokenizer(content, Path("tokenizer.json"))

    ids, offsets = tokenizer.tokenize(["Fujiyama is high", "", "the ？"])

    assert tokenizer.backend == "tokenizers"
    assert ids.tolist() == [1, 2, 3, 4, 5, 0]
    assert offsets.tolist() == [0, 4, 4, 6]


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "StripAccents"}},
        {"pre_tokenizer": {"type": "Punctuation", "behavior": "Isolated"}},
        {"normalizer": {"type": "Replace", "pattern": {"Regex": "[0-9]+"}, "content": "0"}},
        {"added_tokens": [{**roberta()["added_tokens"][0], "id": 77}]},
    ],
)
def test_parts_that_are_not_emulated_run_on_the_library(change: dict[str, Any]) -> None:
    content = as_bytes({**roberta(), **change})
    tokenizer = build_tokenizer(content, Path("tokenizer.json"))
    library = tokenizers.Tokenizer.from_str(content.decode())
    library.no_truncation()

    assert tokenizer.backend == "tokenizers"
    assert tokenizer.tokenize(["café, <s> 123"]).ids.tolist() == library.encode("café, <s> 123").ids


def test_a_piece_that_crosses_words_is_never_used() -> None:
    parts = roberta()
    parts["model"]["vocab"].append(("山▁は", -1.0))
    content = as_bytes(parts)
    library = tokenizers.Tokenizer.from_str(content.decode())

    ids = build_tokenizer(content, Path("tokenizer.json")).tokenize(["山▁は", "山 は"]).ids
    expected = [library.encode(text, add_special_tokens=False).ids for text in ("山▁は", "山 は")]
    assert ids.tolist() == [*expected[0], *expected[1]]
    assert len(parts["model"]["vocab"]) - 1 not in ids


def test_without_the_library_the_error_gives_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)

    with pytest.raises(MissingExtraError, match=r"konayuki\[hub\]"):
        build_tokenizer(as_bytes(word_piece()), Path("tokenizer.json"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"model": 3}',
        b'{"model": {"type": "Unigram"}}',
    ]
    + [as_bytes(ours())[:size] for size in (100, 5000)]
    + [
        as_bytes({**ours(), "model": {**ours()["model"], **change}})
        for change in ({"vocab": []}, {"vocab": 3}, {"vocab": [["a"]]}, {"unk_id": 10**6})
    ]
    + [as_bytes({**ours(), "normalizer": {"type": "Precompiled", "precompiled_charsmap": "????"}})],
)
def test_a_damaged_file_is_named(content: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"models.tokenizer\.json"):
        build_tokenizer(content, Path("models/tokenizer.json"))


@pytest.mark.parametrize("texts", [["山", "a\ud800b"], ["山", "\udc00" * 3], ["山", "<unk>\ud800"]])
def test_a_lone_surrogate_is_refused_by_index(texts: list[str]) -> None:
    with pytest.raises(InputError, match=r"text 1 holds a lone surrogate(.|\n)*hint: "):
        small_model().encode(texts)


def test_settings_for_padding_and_truncation_are_ignored() -> None:
    assert json.loads(as_bytes(ours()))["truncation"]["max_length"] == 4
    assert len(both("ours", "python")[0].tokenize([TEXT]).ids) > 50
