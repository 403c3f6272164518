"""Shards, read by the rules of docs/reference/formats.md, hold what the passages hold."""

import random
from collections import Counter

import numpy as np

from konayuki.site import language
from konayuki.site.postings import COMMON, Field, length_codes, length_steps


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

    def name(self, n_units: int) -> str:
        units = []
        for _ in range(n_units):
            (unit,) = self.bytes(1)
            if unit == 0xFF:
                unit = int.from_bytes(self.bytes(2), "big")
            elif unit >= 0x80:
                unit = 0x3000 + 256 * (unit - 0x80) + self.bytes(1)[0]
            units.append(unit)
        return b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le")


Postings = dict[str, dict[int, tuple[int, int]]]  # of each term by row: count, code of the length


def read_shard(content: bytes, frequent: list[int]) -> Postings:
    reader = Reader(content)
    heads = []
    for _ in range(reader.number()):
        n_holding, n_units = divmod(reader.number(), 4)
        heads.append((n_holding, n_units or reader.number()))
    names = [reader.name(n_units) for _, n_units in heads]
    counted: list[tuple[str, int, int]] = []
    for name, (n_holding, _) in zip(names, heads, strict=True):
        row = 0
        for _ in range(n_holding):
            value = reader.number()
            row += value // 2
            counted.append((name, row, reader.number() if value % 2 else 1))
    halves = reader.bytes(-(-len(counted) // 2)).hex()[: len(counted)]
    postings: Postings = {name: {} for name in names}
    for (name, row, count), half in zip(counted, halves, strict=True):
        code = reader.bytes(1)[0] if half == "f" else frequent[int(half, 16)]
        postings[name][row] = count, code
    assert names == sorted(names)
    assert reader.at == len(content)
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

    parts, _, _, frequent = field.shards()
    found = [read_shard(shard, frequent) for shard in parts]

    held: Postings = {}
    codes = length_codes(field.lengths).tolist()
    for row, terms in enumerate(passages):
        for term, count in Counter(terms).items():
            held.setdefault(term, {})[row] = count, codes[row]
    assert {name: rows for shard in found for name, rows in shard.items()} == held


def test_many_postings_make_many_shards_and_each_term_is_in_its_own():
    field = Field()
    for row in range(200):
        field.add([chr(0x4E00 + row + place) + chr(0x4E00 + place) for place in range(150)])

    parts, _, _, frequent = field.shards()
    shards = [read_shard(shard, frequent) for shard in parts]

    assert len(shards) > 1
    for number, shard in enumerate(shards):
        assert {language.shard_of(term, len(shards)) for term in shard} <= {number}
    assert len(field.shards(most_shards=3).parts) == 3


def test_a_common_term_has_a_file_of_its_own():
    field = Field()
    for row in range(COMMON):
        field.add(["東京", "京都" if row else "京の", str(row)])

    shards = field.shards()

    assert shards.common == ["東京"]
    assert len(shards.parts) == shards.n_hashed + 1
    last = read_shard(shards.parts[-1], shards.frequent)
    assert {term: len(rows) for term, rows in last.items()} == {"東京": COMMON}


def test_no_passages_make_one_empty_shard():
    parts, _, _, frequent = Field().shards()
    assert [read_shard(shard, frequent) for shard in parts] == [{}]


def test_names_of_every_script_and_rare_lengths_come_back():
    field = Field()
    names = [
        "a",
        "\x7f",
        "\x80",
        "é",
        "ねこ",
        "\u2fff",
        "\u3000",
        "\uaeff",
        "\uaf00",
        "𠮷野",
        "Ω" * 9,
    ]
    for size in range(40):
        field.add([*names, *["長さ"] * size])

    parts, _, _, frequent = field.shards(most_shards=1)
    (shard,) = (read_shard(part, frequent) for part in parts)

    assert sorted(shard) == sorted([*names, "長さ"])
    assert [code for _, code in shard["a"].values()] == length_codes(field.lengths).tolist()


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
