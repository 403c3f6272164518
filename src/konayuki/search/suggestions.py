"""How a query may go on: titles, headings, frequent words, tags, folders and kinds of an index."""

import re
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Literal, NamedTuple

from konayuki.search import facts
from konayuki.search.document import stored_text
from konayuki.search.documents import Documents
from konayuki.search.query import Query, quoted
from konayuki.search.ranking import View
from konayuki.search.selection import TAG_KEYS
from konayuki.text import HIRAGANA, KANJI, KATAKANA, fold

Source = Literal["title", "heading", "word", "tag", "path", "kind"]

_SAMPLE = 20_000  # passages whose words are counted: what is frequent is frequent in a sample
_MOST_WORDS = 20_000
_LONGEST = 80  # characters of a suggestion
_LONGEST_TYPED = 200
_MOST_LOOKS = 2_000  # places in a list that are looked at for one answer
_WORDS = re.compile(
    "[A-Za-z][A-Za-z0-9]*(?:[.+#-]+[A-Za-z0-9]+)*[+#]*|"
    f"[{KATAKANA}]{{3,}}|[{KANJI}]{{2,6}}(?![{KANJI}])"
)
_SHORTEST_WORD = 3  # of Latin letters
_FIELD = re.compile("(-?)(tag|path|kind):(.*)", re.DOTALL)
_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_CLASSES = re.compile(f"([{KANJI}])|([{HIRAGANA}])|([{KATAKANA}])|(\\w)")


class Suggestion(NamedTuple):
    """A query that what was typed may become.

    Attributes:
        text: The whole query.
        source: Where its end comes from.

    Examples:
        >>> Suggestion("富士山", source="title").text
        '富士山'
    """

    text: str
    source: Source


class Suggester:
    """Completes queries from what one index holds; the lists of the newest generation are kept.

    Args:
        documents: Of the index.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._guard = threading.Lock()
        self._lists: tuple[int, Mapping[Source, _List]] = (-1, {})

    def suggest(self, view: View, typed: str, k: int) -> list[Suggestion]:
        """Return at most `k` ways in which a query may go on, the likeliest first."""
        typed = typed.lstrip()
        if not typed or len(typed) > _LONGEST_TYPED or k == 0:
            return []
        with self._guard:  # one thread makes the lists, others wait for them
            if self._lists[0] != view.generation:
                self._lists = view.generation, _lists_of(self._documents, view)
            lists = self._lists[1]
        last = re.split(r"\s", typed)[-1]
        before = typed[: len(typed) - len(last)]
        field = _FIELD.fullmatch(last.replace("：", ":"))
        if field:
            return _of_field(lists, before, field, k)
        found = _from(lists, "", typed, k)
        if before and last and len(found) < k:
            found += _from(lists, before, last, k)
        different: dict[str, Suggestion] = {}
        for suggestion in found:
            different.setdefault(fold(suggestion.text), suggestion)
        return list(different.values())[:k]


class _List:
    """Texts to suggest, the most frequent first, and a search among them."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.texts = sorted(counts, key=lambda text: (-counts[text], len(text), text))
        keys = [_key(text) for text in self.texts]
        self._haystack = "\n" + "".join(f"{key}\n" for key in keys)
        self._starts = [1]
        for key in keys:
            self._starts.append(self._starts[-1] + len(key) + 1)

    def beginning_with(self, typed: str, k: int) -> list[str]:
        """Return texts that begin with what was typed."""
        key = _key(typed)
        places = self._places(f"\n{key}") if key else ()
        return _first(k, (self._text_at(place + 1) for place in places))

    def with_part(self, typed: str, k: int) -> list[str]:
        """Return texts with a word or a run of one script that begins so."""
        key = _key(typed)
        places = self._places(key) if key else ()
        return _first(k, (self._text_at(at) for at in places if self._starts_part(at)))

    def _places(self, key: str) -> Iterator[int]:
        place = -1
        for _ in range(_MOST_LOOKS):
            place = self._haystack.find(key, place + 1)
            if place < 0:
                return
            yield place

    def _text_at(self, place: int) -> str:
        return self.texts[bisect_right(self._starts, place) - 1]

    def _starts_part(self, place: int) -> bool:
        before, first = (_CLASSES.match(self._haystack, at) for at in (place - 1, place))
        return before is None or (
            first is not None and first.lastindex != before.lastindex and first.lastindex != 2
        )


def _from(lists: Mapping[Source, _List], before: str, typed: str, k: int) -> list[Suggestion]:
    """Return what begins so, in turns from each list, then what has a part that begins so."""
    sources: tuple[Source, ...] = ("title", "word", "heading")
    columns = [
        [Suggestion(before + text, source) for text in lists[source].beginning_with(typed, k)]
        for source in sources
    ]
    found = [one for row in zip_longest(*columns) for one in row if one]
    for source in ("title", "heading"):
        found += [Suggestion(before + text, source) for text in lists[source].with_part(typed, k)]
    return found


def _of_field(
    lists: Mapping[Source, _List], before: str, field: re.Match[str], k: int
) -> list[Suggestion]:
    """Return the values of a filter that begin as it was typed, or all of them."""
    sign, name, typed = field.groups()
    source: Source = name  # type: ignore[assignment] # the pattern names no others
    typed = typed.lstrip('"')
    values = lists[source].texts[:k]
    if typed:
        values = lists[source].beginning_with(typed, k) + lists[source].with_part(typed, k)
    return [
        Suggestion(f"{before}{sign}{name}:{_value(text)}", source) for text in dict.fromkeys(values)
    ][:k]


def _value(text: str) -> str:
    """Return the value of a filter as it is typed: in quotes only if it needs them."""
    query = Query.parse(f"tag:{text}")
    is_plain = not query.text and [c.values for c in query.conditions] == [(text,)]
    return text if is_plain and not query.phrases else quoted(text)


def _lists_of(documents: Documents, view: View) -> dict[Source, _List]:
    titles: Counter[str] = Counter()
    headings: Counter[str] = Counter()
    query = (
        "SELECT title, heading, count(*) FROM documents WHERE died IS NULL GROUP BY title, heading"
    )
    with documents.reading() as connection:
        for title, heading, number in connection.execute(query):
            titles[_shown(stored_text(title, documents.path))] += number
            parts = stored_text(heading, documents.path).split(" > ")
            headings.update({_shown(part): number for part in parts})
    paths = facts.count_values(documents, ["path"])
    kinds: Counter[str] = Counter()
    folders: Counter[str] = Counter()
    for path, number in paths.items():
        name = path.replace("\\", "/").split("/")
        if "." in name[-1].lstrip("."):
            kinds[name[-1].rpartition(".")[2].lower()] += number
        folders[path] += number
        if len(name) > 1:
            folders["/".join(name[:-1]) + "/"] += number
    counts: dict[Source, Mapping[str, int]] = {
        "title": titles,
        "heading": headings,
        "word": _words(documents, view),
        "tag": facts.count_values(documents, TAG_KEYS),
        "path": folders,
        "kind": kinds,
    }
    return {
        source: _List({text: n for text, n in numbers.items() if text.strip() and "\n" not in text})
        for source, numbers in counts.items()
    }


def _words(documents: Documents, view: View) -> dict[str, int]:
    """Return frequent words and in how many passages of a sample they stand."""
    rows = view.vectors.rows
    rows = rows[view.vectors.living(rows)]
    rows = rows[:: max(1, -(-len(rows) // _SAMPLE))]
    counts: Counter[str] = Counter()
    for _, (*_, text) in facts.parts_of(documents, rows.tolist()):
        counts.update(set(_WORDS.findall(text)))
    spellings: dict[str, str] = {}
    merged: Counter[str] = Counter()
    for word, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if word.isascii() and len(word) < _SHORTEST_WORD:
            continue
        merged[spellings.setdefault(fold(word), word)] += number
    # Of kanji, what stands together once is rarely a word.
    often = (
        (word, n) for word, n in merged.most_common(_MOST_WORDS) if n > 1 or not _is_kanji(word)
    )
    return dict(often)


def _is_kanji(word: str) -> bool:
    match = _CLASSES.match(word)
    return match is not None and match.lastindex == 1


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else ""


def _key(text: str) -> str:
    """Return a text as it is compared: without regard to width, case and kind of kana."""
    return fold(text).translate(_TO_HIRAGANA).replace("\n", " ")


def _first(k: int, texts: Iterable[str]) -> list[str]:
    """Return the first `k` different texts."""
    found: dict[str, None] = {}
    for text in texts:
        found[text] = None
        if len(found) == k:
            break
    return list(found)
