"""Words that a passage is found by although its text does not have them: names and readings."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from konayuki.search.document import KEYWORDS
from konayuki.text import fold

# Bounds of the work on a passage, whatever a file holds; no page for people comes near.
_MOST_READINGS = 10_000
_MOST_FOR_A_CHARACTER = 100


class Readings:
    """How words are read, looked up by the text that has them.

    Args:
        pairs: Words and their readings.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._by_character: dict[str, dict[str, str]] = {}
        for (word, reading), _ in zip(pairs, range(_MOST_READINGS), strict=False):
            words = self._by_character.setdefault(word[:1], {})
            if word and len(words) < _MOST_FOR_A_CHARACTER:
                words[word] = reading

    def of(self, text: str) -> list[str]:
        """Return the readings of the words in a text."""
        if not self._by_character:
            return []
        first = self._by_character.keys() & set(text)
        words = {word: self._by_character[c][word] for c in first for word in self._by_character[c]}
        return sorted({reading for word, reading in words.items() if word in text})


def file_words(name: str, root: str = "") -> list[str]:
    """Return the names of a file and of the folders that hold it.

    Underscores join words of a name, which are words of their own as well.

    Args:
        name: The path of the file.
        root: The folder that was named; the names of the folders above it say nothing.
    """
    path = PurePosixPath(name)
    words = [path.stem]
    if root and path.is_relative_to(root):
        words = [*path.relative_to(root).parent.parts, path.stem]
    return words + [word.replace("_", " ") for word in words if "_" in word]


def with_keywords(
    metadata: Mapping[str, Any], words: Iterable[str], shown: Iterable[str]
) -> dict[str, Any]:
    """Return metadata with words to be found by, as far as the passage does not show them.

    Args:
        metadata: The metadata of a passage; keywords of its own stay.
        words: The words.
        shown: What is searched anyway, such as the title.
    """
    seen = fold("\n".join(shown))
    more = [word for word in dict.fromkeys(words) if word and fold(word) not in seen]
    if not more:
        return dict(metadata)
    own = metadata.get(KEYWORDS)
    listed = own if isinstance(own, list) else [] if own in (None, "") else [own]
    return {**metadata, KEYWORDS: [*listed, " ".join(more)]}
