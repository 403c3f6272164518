"""Tokens that a `tokenizer.json` cuts out of the raw text before anything else."""

import re
from collections.abc import Iterator, Sequence

from konayuki.model.normalizers import LEADING, TRAILING, Definition, UnsupportedError

NEVER = "(?!)"


class AddedTokens:
    """Finds added tokens in raw text, the leftmost and there the longest first.

    Raises:
        UnsupportedError: a token that is matched in normalised text or as a whole word only.
    """

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self._tokens = {token["content"]: token for token in definitions if token["content"]}
        for token in self._tokens.values():
            if token.get("normalized") or token.get("single_word"):
                raise UnsupportedError(f"added token {token['content']!r}")
        longest_first = sorted(self._tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or NEVER)
        self._first_characters = {content[0] for content in self._tokens}

    @property
    def largest_id(self) -> int:
        """Return the largest id, -1 without tokens."""
        return max((int(token["id"]) for token in self._tokens.values()), default=-1)

    def occur_in(self, text: str) -> bool:
        """Say whether the text holds a token; nearly free where it does not."""
        return (
            any(character in text for character in self._first_characters)
            and self._pattern.search(text) is not None
        )

    def split(self, text: str) -> Iterator[str | int]:
        """Yield the stretches of text between tokens and the ids of the tokens, in order."""
        done = 0
        for match in self._pattern.finditer(text):
            token = self._tokens[match.group()]
            start, end = match.span()
            before, after = text[done:start], text[end:]
            if start < done:  # swallowed as white space beside the last token
                before = ""
            if token.get("lstrip"):
                before = TRAILING.sub("", before)
            if before:
                yield before
            yield int(token["id"])
            done = end + (len(after) - len(LEADING.sub("", after)) if token.get("rstrip") else 0)
        if text[done:]:
            yield text[done:]
