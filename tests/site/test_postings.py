"""Shards, read by the rules of docs/reference/formats.md, hold what the passages hold."""

import random
import zlib
from collections import Counter

import numpy as np

from konayuki.site import language
from konayuki.site.postings import Field, length_codes, length_steps


class Reader:
    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.content[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def bytes(self, size: int) -> bytes:
        self.at += size
        return self.content[self.at - size : self.at]


def read_shard(content: bytes) -> dict[str, dict[int, int]]:
    reader = Reader(zlib.decompress(content))
    sizes = [(reader.number(), reader.number(), reader.number()) for _ in range(reader.number())]
    names = [reader.bytes(size).decode() for size, _, _ in sizes]
    postings: dict[str, dict[int, int]] = {}
    for name, (_, n_holding, size) in zip(names, sizes, strict=True):
        part, row = Reader(reader.bytes(size)), 0
        postings[name] = {}
        for _ in range(n_holding):
            value = part.number()
            row += value // 2
            postings[name][row] = part.number() if value % 2 else 1
        assert part.at == size
    assert reader.at == len(reader.content)
    return postings


def test_shards_hold_every_count():
    generator = random.Random(5)  # noqa: S311 - not for secrets
    passages = [
        [generator.choice("あいうえおかきくけこ") * generator.randint(1, 2) for _ in range(size)]
        for size in [0, 1, 3000, 0, 40, 40_000]
    ]
    field = Field()
    for terms in passages:
        field.add(terms)

    found = [read_shard(shard) for shard in field.shards()]

    held: dict[str, dict[int, int]] = {}
    for row, terms in enumerate(passages):
        for term, count in Counter(terms).items():
            held.setdefault(term, {})[row] = count
    assert {name: rows for shard in found for name, rows in shard.items()} == held


def test_many_postings_make_many_shards_and_each_term_is_in_its_own():
    field = Field()
    for row in range(200):
        field.add([chr(0x4E00 + row + place) + chr(0x4E00 + place) for place in range(150)])

    shards = [read_shard(shard) for shard in field.shards()]

    assert len(shards) > 1
    for number, shard in enumerate(shards):
        assert {language.shard_of(term, len(shards)) for term in shard} <= {number}


def test_no_passages_make_one_empty_shard():
    assert [read_shard(shard) for shard in Field().shards()] == [{}]


def test_other_spellings_are_in_one_shard():
    for first, second in (("とま", "トマ"), ("国際", "國際"), ("ジェ", "ジエ")):
        assert language.shard_of(first, 4093) == language.shard_of(second, 4093)
    assert language.shard_of("とま", 4093) != language.shard_of("とめ", 4093)


def test_a_length_loses_what_lies_behind_its_first_four_bits():
    steps = length_steps()
    field = Field()
    for size in (0, 1, 39, 40, 41, 57, 5000):
        field.add(["a"] * size)

    assert (np.diff(steps) > 0).all()
    assert steps[:41].tolist() == list(range(41))
    assert steps[length_codes(field.lengths)].tolist() == [0, 1, 39, 40, 40, 56, 9 * 512 + 24]
