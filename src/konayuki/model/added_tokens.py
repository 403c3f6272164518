"""Tokens that a `tokenizer.json` cuts out of a text before it is segmented."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from konayuki.model.normalizers import LEADING, TRAILING, Definition, Normalizer, UnsupportedError

NEVER = re.compile("(?!)")
MOST_TOKENS = 10_000


@dataclass(frozen=True)
class AddedToken:
    """One entry of `added_tokens`.

    Attributes:
        content: The text of the token.
        token_id: Its id.
        lstrip: Whether it takes the white space before it.
        rstrip: Whether it takes the white space after it.
        single_word: Whether it is found only if it does not touch a letter or digit.
        normalized: Whether it is looked for in normalised text, and not in raw text.
    """

    content: str
    token_id: int
    lstrip: bool
    rstrip: bool
    single_word: bool
    normalized: bool


class AddedTokens:
    """Finds added tokens: of several at one place the longest, and first those of raw text.

    Args:
        definitions: The entry `added_tokens` of a `tokenizer.json`.
        normalize: The normaliser of the same file.

    Raises:
        ValueError: An entry is damaged.
        UnsupportedError: A token whose normalised form is empty, or too many tokens.
    """

    def __init__(self, definitions: Sequence[Definition], normalize: Normalizer) -> None:
        self._normalize = normalize
        self.tokens = _read_tokens(definitions)
        if len(self.tokens) > MOST_TOKENS:
            raise UnsupportedError(f"{len(self.tokens)} added tokens")
        raw = {token.content: i for i, token in enumerate(self.tokens) if not token.normalized}
        normalized = {
            normalize(token.content): i for i, token in enumerate(self.tokens) if token.normalized
        }
        if "" in normalized:
            raise UnsupportedError("an added token whose normalised form is empty")
        self._raw, self._normalized = raw, normalized
        self._raw_pattern, self._normalized_pattern = _pattern(raw), _pattern(normalized)

    @property
    def first_characters(self) -> str:
        """Return the characters that a token may begin with."""
        return "".join(sorted({content[0] for content in (*self._raw, *self._normalized)}))

    @property
    def in_normalized_text(self) -> bool:
        """Return whether a token is looked for in normalised text."""
        return bool(self._normalized)

    def split(self, text: str) -> list[str | int] | None:
        """Return the normalised stretches between tokens and the places of the tokens in `tokens`.

        None if the text holds no token.

        Raises:
            UnicodeEncodeError: The text holds a lone surrogate.
        """
        text.encode()
        if not self._normalized and self._raw_pattern.search(text) is None:
            return None
        parts: list[str | int] = []
        for part in self._cut(text, self._raw, self._raw_pattern):
            if isinstance(part, int):
                parts.append(part)
            else:
                normalized = self._normalize(part)
                parts += self._cut(normalized, self._normalized, self._normalized_pattern)
        return parts if any(isinstance(part, int) for part in parts) else None

    def _cut(
        self, text: str, places: dict[str, int], pattern: re.Pattern[str]
    ) -> Iterator[str | int]:
        done = 0
        for match in pattern.finditer(text):
            place = places[match.group()]
            token = self.tokens[place]
            start, end = match.span()
            if token.single_word and any(
                map(_is_word, text[max(start - 1, 0) : start] + text[end : end + 1])
            ):
                continue
            before, after = text[done:start], text[end:]
            if start < done:  # the last token took it as white space
                before = ""
            if token.lstrip:
                before = TRAILING.sub("", before)
            if before:
                yield before
            yield place
            done = end + (len(after) - len(LEADING.sub("", after)) if token.rstrip else 0)
        if text[done:]:
            yield text[done:]


def _read_tokens(definitions: Sequence[Definition]) -> list[AddedToken]:
    tokens = {}
    for entry in definitions:
        content, token_id = entry["content"], entry["id"]
        if not isinstance(content, str) or type(token_id) is not int or token_id < 0:
            raise ValueError(
                f"added token {content!r}, id {token_id!r}: expected text and a number"
            )
        flags = (
            bool(entry.get(flag)) for flag in ("lstrip", "rstrip", "single_word", "normalized")
        )
        if content:
            tokens[content] = AddedToken(content, token_id, *flags)
    return list(tokens.values())


def _pattern(contents: dict[str, int]) -> re.Pattern[str]:
    longest_first = sorted(contents, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if contents else NEVER


def _is_word(character: str) -> bool:
    r"""Return whether Rust's `\w` matches: alphabetic, mark, digit, connector or joiner."""
    category = unicodedata.category(character)
    return (
        category[0] in "LM"
        or category in {"Nd", "Nl", "Pc"}
        or character in "\u200c\u200d"
        or "\u24b6" <= character <= "\u24e9"  # circled letters are alphabetic symbols
        or "\U0001f130" <= character <= "\U0001f149"
        or "\U0001f150" <= character <= "\U0001f169"
        or "\U0001f170" <= character <= "\U0001f189"
        # Kanji of Unicode 15 and 15.1, which older versions of Python do not know.
        or "\U00031350" <= character <= "\U000323af"
        or "\U0002ebf0" <= character <= "\U0002ee5d"
    )
