"""Sentences made of the phrases of others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from konayuki.training.crossing import GROUP, PHRASES, crossed_groups

PAIRS = [
    ("男性が海岸で犬を見ています", "海岸に立つ男が犬を眺める"),
    ("女性が台所で料理を作る", "台所で女の人が調理をしている"),
    ("白い皿の上にケーキがのっている", "ケーキが皿にある"),
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_group_is_a_pair_and_sentences_that_share_phrases_with_it() -> None:
    other = {one: two for pair in PAIRS for one, two in (pair, pair[::-1])}
    beginnings = {text: PHRASES.split(text)[0] for text in other}
    ends = {text: PHRASES.split(text)[-1] for text in other}
    for text, paraphrase, *relatives in crossed_groups(PAIRS, 20, rng()):
        assert paraphrase == other[text]
        assert len(relatives) == GROUP - 2
        assert all(one.startswith(beginnings[text]) for one in relatives[:3])
        assert all(one.endswith(ends[text]) for one in relatives[3:5])
        kept = PHRASES.split(text)
        shorter = {"".join(kept[:n] + kept[n + 1 :]) for n in range(len(kept))}
        assert relatives[5] in shorter


def test_sentences_take_turns_and_the_seed_decides() -> None:
    groups = crossed_groups(PAIRS, 12, rng())
    assert {group[0] for group in groups[:6]} == {text for pair in PAIRS for text in pair}
    assert groups == crossed_groups(PAIRS, 12, rng())
    assert groups != crossed_groups(PAIRS, 12, rng(1))


def test_sentences_of_one_phrase_are_left_out() -> None:
    assert crossed_groups([("はい", "うん")], 5, rng()) == []
    assert crossed_groups([], 5, rng()) == []
    assert crossed_groups(PAIRS, 0, rng()) == []


@given(
    st.lists(st.tuples(*[st.text("がをに、犬海ア b", max_size=12)] * 2), max_size=6),
    st.integers(0, 20),
)
def test_any_pairs_give_groups_of_one_size(pairs: list[tuple[str, str]], n: int) -> None:
    groups = crossed_groups(pairs, n, rng())
    assert len(groups) in (0, n)
    assert all(len(group) == GROUP for group in groups)
