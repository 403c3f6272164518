"""The pre-tokeniser of a `tokenizer.json`: normalised text to words, which never share a piece."""

from collections.abc import Callable
from dataclasses import dataclass

from konayuki.model.normalizers import (
    WHITE_SPACE_RUN,
    Definition,
    Rewrite,
    UnsupportedError,
    flatten,
    string,
)

ONLY_PYTHON_SPLITS = "\x1c\x1d\x1e\x1f"


@dataclass(frozen=True)
class PreTokenizer:
    """How normalised text is cut into words, in Python and for the kernel.

    Attributes:
        words: Normalised text, and whether it begins the whole text, to words.
        splits: Whether white space lies between words.
        mark: The character that begins a new word, "" without one.
        rewrites: What the kernel does to the text before; None if it cannot.
    """

    words: Callable[[str, bool], list[str]]
    splits: bool = False
    mark: str = ""
    rewrites: tuple[Rewrite, ...] | None = ()


def build_pretokenizer(definition: Definition | None) -> PreTokenizer:
    """Return the pre-tokeniser that a definition describes.

    Raises:
        UnsupportedError: A kind of pre-tokeniser that is not emulated here.
        ValueError: A damaged definition.
    """
    steps = flatten(definition, "pretokenizers")
    kinds = [step["type"] for step in steps]
    if not kinds:
        return PreTokenizer(lambda text, _: [text] if text else [])
    if kinds == ["WhitespaceSplit"]:
        return PreTokenizer(lambda text, _: split_words(text), splits=True)
    if kinds == ["Metaspace"]:
        return _metaspace(steps[0])
    if kinds == ["WhitespaceSplit", "Metaspace"]:
        return _marked_words(steps[1])
    raise UnsupportedError(f"pre-tokeniser {kinds}")


def split_words(text: str) -> list[str]:
    """Return the runs of anything but white space."""
    if any(mark in text for mark in ONLY_PYTHON_SPLITS):
        return [word for word in WHITE_SPACE_RUN.split(text) if word]
    return text.split()


def _metaspace(definition: Definition) -> PreTokenizer:
    mark, scheme, split = _settings(definition)

    def words(text: str, begins_text: bool) -> list[str]:
        text = text.replace(" ", mark)
        prefixed = scheme == "always" or (scheme == "first" and begins_text)
        if prefixed and text and not text.startswith(mark):
            text = mark + text
        return _before_marks(text, mark) if split else [text] if text else []

    prefix = {"always": [Rewrite("mark", mark, mark)], "first": [Rewrite("mark first", mark, mark)]}
    rewrites = (Rewrite("replace", " ", mark), *prefix.get(scheme, ()))
    return PreTokenizer(words, mark=mark if split else "", rewrites=rewrites)


def _marked_words(definition: Definition) -> PreTokenizer:
    """Return a split at white space with a mark before each word."""
    mark, scheme, split = _settings(definition)
    if scheme == "first":
        raise UnsupportedError("words that are marked by their place in the raw text")

    def words(text: str, _begins_text: bool) -> list[str]:
        marked = split_words(text)
        if scheme == "always":
            marked = [word if word.startswith(mark) else mark + word for word in marked]
        if split:
            return [part for word in marked for part in _before_marks(word, mark)]
        return marked

    if scheme == "never":
        return PreTokenizer(words, splits=True, mark=mark if split else "")
    rewrites = (Rewrite("mark words", mark, mark),) if split else None
    return PreTokenizer(words, splits=True, mark=mark, rewrites=rewrites)


def _settings(definition: Definition) -> tuple[str, str, bool]:
    """Return the mark, the scheme of prepending and whether marks begin words."""
    mark = string(definition, "replacement")
    scheme = definition.get("prepend_scheme", "always")
    if len(mark) != 1 or scheme not in {"always", "never", "first"}:
        raise UnsupportedError(f"metaspace {mark!r}, {scheme!r}")
    if definition.get("add_prefix_space") is False and scheme != "never":
        raise UnsupportedError("metaspace whose add_prefix_space contradicts its prepend_scheme")
    return mark, scheme, bool(definition.get("split", True))


def _before_marks(text: str, mark: str) -> list[str]:
    """Return the words of a text in which each mark begins one."""
    if mark not in text:
        return [text] if text else []
    first, *others = text.split(mark)
    return [first, *(mark + word for word in others)] if first else [mark + w for w in others]
