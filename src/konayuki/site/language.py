"""What a runtime needs to cut texts into the terms of an index: read from where it is defined."""

from functools import cache
from typing import Any

from konayuki.search import prepared, respelled, spelling, terms, words
from konayuki.text import fold

_HIRAGANA = range(0x3041, 0x3097)
_TO_KATAKANA = 0x60
_DICTIONARY_SHARDS = 256  # of some 2 KB: a question needs a few of them
_FNV_START, _FNV_PRIME = 0x811C9DC5, 0x01000193


def rules() -> dict[str, Any]:
    """Return classes, patterns and tables as JSON values."""
    table = _alike()
    return {
        "prepared": prepared.rules(),
        "terms": terms.rules(),
        "spelling": spelling.rules(),
        "words": words.rules(),
        "respelled": respelled.rules(),
        "alike": ["".join(table), "".join(table.values())],
    }


def shard_of(term: str, n_shards: int) -> int:
    """Return the shard of a term: FNV-1a over its code points, other spellings taken as one.

    A query that also asks for トマト when it asks for とまと finds both in one file.
    """
    table = _alike()
    return _hash("".join(table.get(character, character) for character in term)) % n_shards


def dictionary() -> list[dict[str, str]]:
    """Return the blocks of the dictionary of words, in the shards of what their words start with.

    Other spellings do not count as one here: each block is looked for as it is.
    """
    shards: list[dict[str, str]] = [{} for _ in range(_DICTIONARY_SHARDS)]
    for start, block in sorted(words.blocks().items()):
        shards[_hash(start) % _DICTIONARY_SHARDS][start] = block
    return shards


def _hash(text: str) -> int:
    digest = _FNV_START
    for character in text:
        digest = ((digest ^ ord(character)) * _FNV_PRIME) & 0xFFFFFFFF
    return digest


@cache
def _alike() -> dict[str, str]:
    """Return what stands for a character when the shard of its term is looked for."""
    tables = spelling.rules()
    table = {c: group[0] for group in tables["forms"] for c in group[1:]}
    large = tables["large"]
    for code in _HIRAGANA:
        hiragana, katakana = chr(code), chr(code + _TO_KATAKANA)
        table[hiragana] = large.get(katakana, katakana)
        if katakana in large:
            table[katakana] = large[katakana]
    return {c: to for c, to in table.items() if fold(c) == c}  # terms are folded
