import json
import sys
import unicodedata
from collections.abc import Callable
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import DimensionError, InputError
from konayuki.model.native import Unigram
from konayuki.model.native.tokenizing import WHITE_SPACE, depends_on_context

from .levels import LEVELS, at

pytestmark = pytest.mark.skipif(not LEVELS, reason="the extension is not built")

# Letters of pieces, and characters that become them, compose with them or belong to no piece.
LETTERS = "abかがきん漢é1k"
CHARACTERS = st.one_of(
    st.sampled_from(LETTERS),
    st.sampled_from("ABＡｂｶﾞｷﾝカ\u3099\u0301①㍿ſΣςİK𠮷👩\u200d\u1161가<unk>"),
    st.sampled_from(WHITE_SPACE + "\x1c\x1f\u200b\ufeff"),
    st.characters(exclude_categories=["Cs"]),
)
TEXTS = st.text(CHARACTERS, max_size=40)
# Few different scores, so that paths tie.
SCORES = st.one_of(st.integers(-9, -1), st.floats(-15, -0.5, width=32))
VOCABULARIES = st.dictionaries(st.text(LETTERS, min_size=1, max_size=5), SCORES, max_size=40)


def fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("Σ", "σ").lower()


def unigram(vocabulary: dict[str, float], normalize: Callable[[str], str] = fold) -> Unigram:
    entries = {"<unk>": 0.0, **vocabulary}
    return Unigram(at(LEVELS[0]), list(entries), list(entries.values()), 0, normalize)


def pieces_of(vocabulary: dict[str, float], text: str) -> list[str]:
    names = ["<unk>", *vocabulary]
    ids, _ = unigram(vocabulary).tokenize([text])
    return [names[token] for token in ids]


def split(ids: np.ndarray, offsets: np.ndarray) -> list[list[int]]:
    return [ids[a:b].tolist() for a, b in pairwise(offsets)]


@given(vocabulary=VOCABULARIES, texts=st.lists(TEXTS, max_size=8), threads=st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_segmentation_is_that_of_tokenizers(
    vocabulary: dict[str, float], texts: list[str], threads: int
) -> None:
    library = pytest.importorskip("tokenizers")
    model = {
        "type": "Unigram",
        "unk_id": 0,
        "vocab": [["<unk>", 0.0], *([piece, float(s)] for piece, s in vocabulary.items())],
        "byte_fallback": False,
    }
    steps = {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]}
    definition = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": steps,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": model,
    }
    # Characters newer than one of the two Unicode tables are not the point here.
    texts = ["".join(c for c in text if unicodedata.category(c) != "Cn") for text in texts]
    oracle = library.Tokenizer.from_str(json.dumps(definition))
    wanted = [oracle.encode(text, add_special_tokens=False).ids for text in texts]

    assert split(*unigram(vocabulary).tokenize(texts, threads=threads)) == wanted


@given(vocabulary=VOCABULARIES, word=st.text(LETTERS, min_size=1, max_size=9))
@settings(max_examples=100, deadline=None)
def test_no_other_split_scores_better(vocabulary: dict[str, float], word: str) -> None:
    unknown = min([0.0, *vocabulary.values()]) - 10
    best = max(
        sum(
            vocabulary.get(word[a:b], unknown if b - a == 1 else -np.inf)
            for a, b in zip((0, *cuts), (*cuts, len(word)), strict=True)
        )
        for count in range(len(word))
        for cuts in combinations(range(1, len(word)), count)
    )
    pieces = pieces_of(vocabulary, word)
    known = sum(vocabulary.get(piece, 0.0) for piece in pieces)
    covered = sum(len(piece) for piece in pieces if piece != "<unk>")

    assert known + unknown * (len(word) - covered) == pytest.approx(best, abs=1e-5)


def test_of_two_equal_sums_the_longer_last_piece_wins() -> None:
    assert pieces_of({"aa": -2.0, "a": -1.0, "b": -1.0}, "aab") == ["aa", "b"]
    assert pieces_of({"a": -2.0, "b": -1.0, "ab": -2.5, "ba": -2.5}, "aba") == ["a", "ba"]


def test_unknown_neighbours_are_one_piece_and_words_keep_them_apart() -> None:
    assert pieces_of({"a": -1.0}, "xyzaxy xy") == ["<unk>", "a", "<unk>", "<unk>"]


@pytest.mark.parametrize("piece", [" ", "a b", "\u3000", "か\u2028", " a"])
def test_a_piece_with_white_space_never_matches(piece: str) -> None:
    assert pieces_of({piece: 0.0, "a": -1.0, "b": -2.0}, "a b か\u3000a") == [
        *("a", "b", "<unk>", "a"),
    ]


def test_full_width_half_width_and_capitals_are_folded() -> None:
    vocabulary = {"ab": -1.0, "ガ": -1.0, "カ": -1.0, "株式会社": -1.0}

    assert pieces_of(vocabulary, "ＡＢ\u3000ｶﾞｶ カ\u3099 ㍿") == ["ab", "ガ", "カ", "ガ", "株式会社"]


def test_every_character_that_composes_or_moves_counts_as_depending_on_context() -> None:
    seconds = {chr(c) for c in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}  # of Hangul
    for character in map(chr, range(sys.maxunicode + 1)):
        parts = unicodedata.decomposition(character).split()
        if unicodedata.combining(character):
            seconds.add(character)
        elif len(parts) == 2 and not parts[0].startswith("<"):
            first, second = (chr(int(part, 16)) for part in parts)
            if unicodedata.normalize("NFC", first + second) == character:
                seconds.add(second)

    assert {c for c in seconds if not depends_on_context(c)} == set()


@given(text=TEXTS)
@settings(max_examples=200, deadline=None)
def test_a_warm_table_folds_as_a_cold_one(text: str) -> None:
    vocabulary = {letter: -1.0 - i for i, letter in enumerate(LETTERS)}
    tokenizer = unigram(vocabulary)

    first, second = tokenizer.tokenize([text]), tokenizer.tokenize([text])
    normalized = unigram(vocabulary, str).tokenize([fold(text)])

    assert split(*first) == split(*second) == split(*normalized)


def test_a_known_text_never_comes_back_to_python() -> None:
    calls: list[str] = []

    def counting(text: str) -> str:
        calls.append(text)
        return fold(text)

    tokenizer = unigram({"か": -1.0}, counting)
    tokenizer.tokenize(["ｱｱ漢字"])
    calls.clear()
    tokenizer.tokenize(["ｱ漢字 ABC", "字", ""])

    assert calls == []


@given(parts=st.lists(TEXTS, max_size=5), filler=st.integers(20, 50))
@settings(max_examples=200, deadline=None)
def test_a_long_text_folds_in_parts_as_it_does_whole(parts: list[str], filler: int) -> None:
    vocabulary = {letter: -1.0 - i for i, letter in enumerate(LETTERS)}
    text = ("か" * filler).join(parts)
    tokenizer = unigram(vocabulary)

    first, second = tokenizer.tokenize([text, "き", text]), tokenizer.tokenize([text])
    (normalized,) = split(*unigram(vocabulary, str).tokenize([fold(text)]))

    assert split(*first)[::2] == [normalized, normalized]
    assert split(*second) == [normalized]


def test_python_gets_what_depends_on_context_and_not_the_text_around_it() -> None:
    calls: list[str] = []

    def noting(text: str) -> str:
        calls.append(text)
        return fold(text)

    tokenizer = unigram({"か": -1.0, "が": -1.0, "株式会社": -1.0}, noting)
    text = "か" * 1000 + "\u3099" + "か" * 1000 + "㍿"
    tokenizer.tokenize([text])
    calls.clear()
    ids, _ = tokenizer.tokenize([text])

    assert calls == ["か\u3099", "か㍿"]
    assert ids.tolist() == [1] * 999 + [2] + [1] * 1000 + [3]


def test_encoding_is_pooling_of_the_ids() -> None:
    random = np.random.default_rng(0)
    vocabulary = dict.fromkeys(LETTERS, -1.0) | {"かが": -1.5, "ab": -1.2}
    ones, zeros = np.ones(70, np.float32), np.zeros(70, np.float32)
    codes = random.integers(0, 256, (len(vocabulary) + 1, 35), dtype=np.uint8)
    table = at(LEVELS[0]).packed_table(codes, np.ones(len(codes), np.float32), ones, ones, zeros)
    texts = [
        "".join(random.choice([*LETTERS, " ", "Ａ", "が", "x"], random.integers(0, 90)))
        for _ in range(900)
    ]
    tokenizer = unigram(vocabulary)
    ids, offsets = tokenizer.tokenize(texts)
    for dim, normalize, threads in ((70, True, 1), (33, False, 3)):
        vectors = tokenizer.encode(texts, table, dim, normalize=normalize, threads=threads)

        wanted = table.pool(ids, offsets, dim, normalize=normalize)
        np.testing.assert_array_equal(vectors, wanted)
    with pytest.raises(DimensionError, match="dim is 71"):
        tokenizer.encode(texts, table, 71, normalize=True)
    small = at(LEVELS[0]).packed_table(codes[1:], np.ones(12, np.float32), ones, ones, zeros)
    with pytest.raises(InputError, match=r"13 pieces, but the table has 12 rows"):
        tokenizer.encode(texts, small, 70, normalize=True)


def test_no_texts_and_texts_without_words_own_nothing() -> None:
    tokenizer = unigram({"か": -1.0})

    assert split(*tokenizer.tokenize([])) == []
    assert split(*tokenizer.tokenize(["", " \u3000\n", "か"])) == [[], [], [1]]


def test_a_text_of_a_million_characters_is_cut_like_its_words() -> None:
    vocabulary = {"かき": -3.0, "か": -2.0, "き": -2.5, "きか": -3.5}
    word = "かきかかききか"
    tokenizer = unigram(vocabulary)
    one = split(*tokenizer.tokenize([word]))[0]

    assert split(*tokenizer.tokenize([f"{word} " * 125_000]))[0] == one * 125_000


@pytest.mark.parametrize("text", ["\ud800", "か\udfff漢"])
def test_a_lone_surrogate_is_an_error_every_time(text: str) -> None:
    tokenizer = unigram({"か": -1.0})
    for _ in range(2):
        with pytest.raises(UnicodeEncodeError):
            tokenizer.tokenize(["か", text])


@pytest.mark.parametrize("item", [None, 3, b"bytes"])
def test_what_is_no_string_is_an_error(item: object) -> None:
    with pytest.raises(TypeError):
        unigram({"か": -1.0}).tokenize(["か", item])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("pieces", "scores", "unk_id", "message"),
    [
        (["<unk>", "a"], [0.0], 0, "2 pieces, but 1 scores"),
        (["<unk>", "a"], [0.0, -1.0], 2, "unk_id is 2"),
        (["<unk>", "a"], [0.0, float("nan")], 0, "the score of piece 1 is not finite"),
        (["<unk>", "a"], [0.0, -1e39], 0, "the score of piece 1 is not finite"),
        (list(map(chr, range(0x10000, 0x1FFFF))), [0.0] * 65535, 0, "more than 65532 characters"),
    ],
)
def test_a_vocabulary_that_cannot_be_used_is_refused(
    pieces: list[str], scores: list[float], unk_id: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Unigram(at(LEVELS[0]), pieces, scores, unk_id, fold)
