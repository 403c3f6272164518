"""Words of a query that have other spellings, from a dictionary: とうきょう is 東京.

`words.txt` was made from JMdict, the Japanese-Multilingual Dictionary of the Electronic Dictionary
Research and Development Group (CC BY-SA 4.0, see `words.NOTICE.md`), by tools/spelling/readings.py.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

WORDS_FILE = "words.txt"
LONGEST = 10
_SHORTEST_READING = 2
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc]+")
_HIRAGANA_RUN = re.compile("[\u3041-\u3096\u30fc]+")
_KATAKANA_RUN = re.compile("[\u30a1-\u30fa\u30fc]+")
_KANJI_OR_KATAKANA = re.compile("[\u3400-\u9fff\u30a1-\u30fa]")
_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
# What may stand before and behind a word in kana: particles, ends of verbs, starts of する and だ.
_PARTICLES = "のをにはがでともやかへな"
_BEFORE = frozenset(_PARTICLES + "おごてただらるいぶむ")
_BEHIND = frozenset(_PARTICLES + "だすしさけてよね")
_FUNCTION_WORDS = re.compile(
    "(?:でし|まし|だろ)(?:ょう|た|う)|しない|できない|ません|ます|です|ください|において|における|について|によって|"
    "により|による|として|とともに|という|といった|ている|ていた|ための|ために|なければ|ならない|"
    "ことが|こと|もの|どの|なんで|なぜ|どうして|どうやって|どんな|どれ|どちら|だれ|いつ|いくつ|から|まで|より"
)
_LONG = 5  # from here on a reading is hardly part of something else
_KANJI = re.compile("[\u3005\u3400-\u9fff]")
_SMALL = frozenset("ゃゅょ")


class Spelling(NamedTuple):
    """Another spelling of a word.

    Attributes:
        text: The spelling.
        share: In which share of the cases it is the word that is meant, 0 to 1.
    """

    text: str
    share: float


class Word(NamedTuple):
    """A word in a run of kana and kanji.

    Attributes:
        start: Offset of its first character.
        end: Offset behind its last one.
        spellings: The usual ones, the most frequent first; may hold the one in the run.
    """

    start: int
    end: int
    spellings: Sequence[Spelling]


def rules() -> dict[str, str | int]:
    """Return the constants and patterns by which words are found, for runtimes that do the same."""
    return {
        "longest": LONGEST,
        "shortest_reading": _SHORTEST_READING,
        "long": _LONG,
        "hiragana_run": _HIRAGANA_RUN.pattern,
        "katakana_run": _KATAKANA_RUN.pattern,
        "kanji_or_katakana": _KANJI_OR_KATAKANA.pattern,
        "kanji": _KANJI.pattern,
        "particles": _PARTICLES,
        "before": "".join(sorted(_BEFORE)),
        "behind": "".join(sorted(_BEHIND)),
        "small": "".join(sorted(_SMALL)),
        "function_words": _FUNCTION_WORDS.pattern,
    }


def blocks() -> dict[str, str]:
    """Return the dictionary: words with their spellings by what the words start with."""
    return dict(_blocks())


@lru_cache(maxsize=64)
def words_in(run: str) -> Sequence[Word]:
    """Return the words of a folded run that have other spellings, from left to right."""
    words = list(readings_in(run, spellings_of))
    taken = [False] * len(run)
    for start, end, _ in words:
        taken[start:end] = [True] * (end - start)
    start = 0
    while match := _KANJI_OR_KATAKANA.search(run, start):
        start = match.start()
        end = start + 1
        longest = 0 if taken[start] else longest_of(block_of(run[start : start + 2]))
        if longest:
            for stop in range(min(len(run), start + longest), start + 1, -1):
                spellings = spellings_of(run[start:stop])
                if spellings and not taken[stop - 1] and _is_whole(run, start, stop):
                    words.append(Word(start, stop, spellings))
                    end = stop
                    break
        start = end
    return sorted(words)


def readings_in(run: str, look_up: Callable[[str], Sequence[Spelling]]) -> Iterator[Word]:
    """Yield the words in kana of a run, the longest from each place on.

    Short ones count only between particles: the はなし of それはなしで is no 話.
    """
    for kana in _stretches(run):
        start, last = kana
        behind_word = False
        while start <= last - _SHORTEST_READING:
            word = _reading_at(run, start, kana, look_up, is_free=behind_word)
            if word and run[start] in _BEFORE:  # the に of 6日にしゅっさん starts no word
                later = _reading_at(run, start + 1, kana, look_up)
                word = later if later and later.end > word.end else word
            if word:
                yield word
            behind_word = word is not None
            start = word.end if word else start + 1
    for match in _KATAKANA_RUN.finditer(run):
        if len(match[0]) > _SHORTEST_READING and not look_up(match[0]):
            spellings = look_up(match[0].translate(_TO_HIRAGANA))
            if spellings:
                yield Word(match.start(), match.end(), spellings)


def _stretches(run: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of hiragana between function words."""
    for match in _HIRAGANA_RUN.finditer(run):
        start = match.start()
        for function_word in _FUNCTION_WORDS.finditer(run, *match.span()):
            yield start, function_word.start()
            start = function_word.end()
        yield start, match.end()


def _reading_at(
    run: str,
    start: int,
    kana: tuple[int, int],
    look_up: Callable[[str], Sequence[Spelling]],
    *,
    is_free: bool = False,
) -> Word | None:
    """Return the longest word that starts at a place in hiragana, which spans `kana`.

    With `is_free` another word has just ended there.
    """
    for end in range(min(kana[1], start + LONGEST), start + _SHORTEST_READING - 1, -1):
        if _may_stand(run, start, end, kana, is_free=is_free and end - start > 2):
            spellings = look_up(run[start:end])
            if spellings:
                return Word(start, end, spellings)
    return None


def _may_stand(run: str, start: int, end: int, kana: tuple[int, int], *, is_free: bool) -> bool:
    """Return whether a reading may be a word of its own at this place."""
    length = end - start
    first, last = kana
    if length >= _LONG:
        return True
    if start == first:
        # Behind kanji short kana are the end of a verb; but しょう ends none.
        if first and _KANJI.match(run[first - 1]) and _SMALL.isdisjoint(run[start:end]):
            return False
    elif not is_free and (length == 2 or run[start - 1] not in _BEFORE):
        return False
    if length == 2:
        return end == last or (end == last - 1 and run[end] in _PARTICLES)
    return end == last or run[end] in _BEHIND or run.startswith("って", end)


def _is_whole(run: str, start: int, end: int) -> bool:
    """Return whether no katakana goes on at either end of a word, nor kanji before a lone one."""
    if start and _KANJI.match(run[start - 1]) and len(_KANJI.findall(run[start:end])) == 1:
        return False  # the 本の of 日本の
    for outside, inside in (
        (run[start - 1 : start], run[start]),
        (run[end : end + 1], run[end - 1]),
    ):
        if outside and _KATAKANA_RUN.match(outside) and _KATAKANA_RUN.match(inside):
            return False
    return True


@lru_cache(maxsize=8192)  # some 2 MB; most are strings that are no words
def spellings_of(word: str) -> Sequence[Spelling]:
    """Return the usual spellings of a word; none if it is not in the dictionary."""
    start_of_block = block_of(word)
    block = _blocks().get(start_of_block)
    if block is None:
        return ()
    key = f" {word[len(start_of_block) :]}="
    start = block.find(key)
    if start < 0:
        return ()
    start += len(key)
    end = block.find(" ", start)
    parts = block[start : end if end >= 0 else len(block)].split("/")
    return [
        Spelling(part[:-1], int(part[-1]) / 10) if part[-1] <= "9" else Spelling(part, 1.0)
        for part in parts
    ]


def block_of(word: str) -> str:
    """Return what the words of a line of the file have in common: two kana, or one kanji."""
    return word[:2] if word[0] < "\u3400" else word[0]


@lru_cache(maxsize=4096)
def longest_of(start: str) -> int:
    """Return the length of the longest word of a block, at most `LONGEST`; 0 without a block."""
    words = _blocks().get(start, "").split()
    lengths = (len(start) + word.index("=") for word in words)
    return min(LONGEST, max(lengths, default=0))


@cache
def _blocks() -> dict[str, str]:
    """Return the lines of the file by what their words start with."""
    text = files("konayuki.search").joinpath(WORDS_FILE).read_text(encoding="utf-8")
    pairs = [line.partition(" ") for line in text.splitlines()]
    return {start: f" {words}" for start, _, words in pairs}
