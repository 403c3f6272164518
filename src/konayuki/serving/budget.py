"""Answers that fit into the context of an agent: passages shortened until they do."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, Field

LEAST_TOKENS = 200  # the frame of an answer, and a note
_SHORTEST = 24  # characters of a passage that still tell something
_TITLE_CHARACTERS = 80
# When a budget is short, a passage gets this share of the one before it: the best, which answers
# most often, is then whole and needs no further call.
_SHARE = 0.5
_NARROWER = 0.8  # of the last attempt


class Passage(BaseModel):
    """A passage, or the part of it that answers the question."""

    id: str = Field(description="Key for `get`, and what to cite.")
    text: str
    title: str = ""
    heading: str = ""
    place: str = Field(default="", description="Its file, with the line or page if known.")
    relevance: float | None = Field(default=None, description="From 0 to 1, if it is known.")
    cut: bool = Field(default=False, description="Whether `get` has more of this passage.")
    others: int = Field(default=0, description="Further hits in the same file.")


class Passages(BaseModel):
    """Passages, and what was left out of the answer."""

    hits: list[Passage]
    more: int = Field(default=0, description="Hits that did not fit into max_tokens.")
    note: str = Field(default="", description="What else the reader should know.")

    def as_text(self) -> str:
        """Return what an agent reads."""
        lines = [self.note] if self.note else []
        for hit in self.hits:
            title = " > ".join(part for part in (hit.title, hit.heading) if part)
            place = "" if not hit.place or hit.id.startswith(hit.place) else f" {hit.place}"
            relevance = "" if hit.relevance is None else f" (relevance {hit.relevance:.2f})"
            others = f" (+{hit.others} in this file)" if hit.others else ""
            lines.append(f"[{hit.id}]{place} {title}{relevance}{others}\n{hit.text}")
        if self.more:
            lines.append(f"{self.more} more did not fit: raise max_tokens, or ask more narrowly.")
        return "\n\n".join(lines)

    def as_json(self) -> str:
        """Return what its program reads; what has its default value is left out."""
        return self.model_dump_json(exclude_defaults=True)


def estimated_tokens(text: str) -> int:
    """Return how many tokens a text has at most for common tokenizers: a guess on the safe side.

    One for each character outside ASCII, and one for every three ASCII characters.
    """
    n_ascii = sum(character.isascii() for character in text)
    return len(text) - n_ascii + -(-n_ascii // 3)


def cost(answer: Passages) -> int:
    """Return the tokens of an answer in the form that has more of them: text or JSON."""
    return max(estimated_tokens(answer.as_text()), estimated_tokens(answer.as_json()))


def shorten(text: str, width: int) -> str:
    """Return the beginning of a text, at most `width` characters."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def fit(
    passages: Sequence[Any],
    as_passage: Callable[[Any, int], Passage],
    *,
    max_tokens: int,
    longest: int,
    note: str = "",
) -> Passages:
    """Return as many passages as fit, best first, and as much of each as fits.

    Args:
        passages: What the passages are made of, best first.
        as_passage: Makes a passage with a text of at most N characters.
        max_tokens: Budget of the whole answer.
        longest: Length of the longest text.
        note: What to say before the passages.
    """
    for n_passages in range(len(passages), 0, -1):
        width = longest / _SHARE ** (n_passages - 1)  # of the first passage: all are whole
        while width >= _SHORTEST:
            widths = [width * _SHARE**rank for rank in range(n_passages)]
            hits = [
                as_passage(passage, round(min(max(_SHORTEST, wanted), longest)))
                for passage, wanted in zip(passages, widths, strict=False)
            ]
            answer = Passages(hits=hits, more=len(passages) - n_passages, note=note)
            if cost(answer) <= max_tokens:
                return answer
            width *= _NARROWER
    return Passages(hits=[], more=len(passages), note=note)


def heading_of(text: str) -> str:
    """Return a title or heading, shortened."""
    return shorten(text, _TITLE_CHARACTERS)
