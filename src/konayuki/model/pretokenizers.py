"""The pre-tokeniser of a `tokenizer.json`, as one string in which words cannot share a piece."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from konayuki.model.normalizers import WHITE_SPACE_RUN, Definition, UnsupportedError

# Words joined by this never share a piece: no word holds white space.
SEPARATOR = " "
ONLY_PYTHON_SPLITS = "\x1c\x1d\x1e\x1f"


@dataclass(frozen=True)
class PreTokenizer:
    """How normalised text becomes the string to segment, and that string its words.

    Attributes:
        prepare: normalised text to the string to segment.
        prepare_later: the same for a stretch that an added token separates from the start.
        words: that string to the words that are segmented independently of each other.
        glue: what lies between two words of that string.
    """

    prepare: Callable[[str], str]
    prepare_later: Callable[[str], str]
    words: Callable[[str], list[str]]
    glue: str


def build_pretokenizer(definition: Definition | None, pieces: Sequence[str]) -> PreTokenizer:
    """Return the pre-tokeniser that a definition describes.

    Args:
        definition: the entry `pre_tokenizer` of a `tokenizer.json`.
        pieces: the vocabulary; whether words stay apart by themselves depends on it.

    Raises:
        UnsupportedError: a kind of pre-tokeniser that is not emulated here.
    """
    steps = _flatten(definition)
    kinds = [step["type"] for step in steps]
    if not kinds:
        return PreTokenizer(str, str, _whole, "")
    if kinds == ["WhitespaceSplit"]:
        return PreTokenizer(join_words, join_words, _at_separators, SEPARATOR)
    if kinds == ["Metaspace"]:
        return _metaspace(steps[0], pieces, split_first=False)
    if kinds == ["WhitespaceSplit", "Metaspace"]:
        return _metaspace(steps[1], pieces, split_first=True)
    raise UnsupportedError(f"pre-tokeniser {kinds}")


def split_words(text: str) -> list[str]:
    """Return the runs of anything but white space."""
    if any(mark in text for mark in ONLY_PYTHON_SPLITS):
        return [word for word in WHITE_SPACE_RUN.split(text) if word]
    return text.split()


def join_words(text: str) -> str:
    """Return the words with one separator between two."""
    return SEPARATOR.join(split_words(text))


def _metaspace(definition: Definition, pieces: Sequence[str], split_first: bool) -> PreTokenizer:
    mark = definition["replacement"]
    scheme = definition.get("prepend_scheme", "always")
    split = definition.get("split", True)
    if len(mark) != 1 or scheme not in {"always", "never", "first"}:
        raise UnsupportedError(f"metaspace {mark!r}, {scheme!r}")
    if split_first and (scheme != "always" or not split):
        raise UnsupportedError("words without a mark of their own")
    if split and (mark not in pieces or any(mark in piece[1:] for piece in pieces)):
        raise UnsupportedError("a piece that crosses words")

    def prefixed(text: str) -> str:
        text = text.replace(" ", mark)
        return text if not text or text.startswith(mark) else mark + text

    def bare(text: str) -> str:
        return text.replace(" ", mark)

    def prefixed_words(text: str) -> str:
        return "".join(map(prefixed, split_words(text)))

    def words(prepared: str) -> list[str]:
        first, *rest = prepared.split(mark)
        return [word for word in (first, *(mark + part for part in rest)) if word]

    by_mark = words if split else _whole
    if split_first:
        return PreTokenizer(prefixed_words, prefixed_words, by_mark, "")
    return PreTokenizer(
        bare if scheme == "never" else prefixed,
        prefixed if scheme == "always" else bare,
        by_mark,
        "",
    )


def _at_separators(prepared: str) -> list[str]:
    return prepared.split(SEPARATOR)


def _whole(prepared: str) -> list[str]:
    return [prepared]


def _flatten(definition: Definition | None) -> list[Definition]:
    if definition is None:
        return []
    if definition.get("type") == "Sequence":
        return [step for part in definition["pretokenizers"] for step in _flatten(part)]
    return [definition]
