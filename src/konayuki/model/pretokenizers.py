"""The pre-tokeniser of a `tokenizer.json`, as the one string that SentencePiece segments."""

from collections.abc import Callable, Sequence

from konayuki.model.normalizers import WHITE_SPACE_RUN, Definition, UnsupportedError

# Words joined by this never share a piece: no word holds white space.
SEPARATOR = " "
ONLY_PYTHON_SPLITS = "\x1c\x1d\x1e\x1f"

Joiner = Callable[[str], str]


def build_joiner(definition: Definition | None, pieces: Sequence[str]) -> Joiner:
    """Return the function from normalised text to the string to segment.

    Raises:
        UnsupportedError: a kind of pre-tokeniser that is not emulated here.
    """
    steps = _flatten(definition)
    kinds = [step["type"] for step in steps]
    if kinds == ["WhitespaceSplit"]:
        return join_words
    raise UnsupportedError(f"pre-tokeniser {kinds}")


def split_words(text: str) -> list[str]:
    """Return the runs of anything but white space."""
    if any(mark in text for mark in ONLY_PYTHON_SPLITS):
        return [word for word in WHITE_SPACE_RUN.split(text) if word]
    return text.split()


def join_words(text: str) -> str:
    """Return the words with one separator between two."""
    return SEPARATOR.join(split_words(text))


def _flatten(definition: Definition | None) -> list[Definition]:
    if definition is None:
        return []
    if definition.get("type") == "Sequence":
        return [step for part in definition["pretokenizers"] for step in _flatten(part)]
    return [definition]
