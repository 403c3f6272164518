"""Unigram tokenisers in the kernel: strings to ids, or straight to vectors."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from unicodedata import category

import numpy as np

from konayuki.errors import DimensionError, InputError
from konayuki.model.native.binding import (
    Floats,
    Kernel,
    Table,
    address_of,
    default_threads,
    result_array,
)
from konayuki.model.tokens import TokenBatch

# What splits words; Python's own notion adds U+001C to U+001F.
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# The steps over whole texts, numbered as in rewrite.h.
REWRITES = (
    "strip left",
    "strip right",
    "join spaces",
    "join white space",
    "replace",
    "prepend",
    "mark",
    "mark first",
    "mark words",
)
HANGUL_JAMO = range(0x1100, 0x1200)  # the one script besides marks whose letters compose


@dataclass(frozen=True)
class Rules:
    """What happens to a text before its words are segmented, besides the folding of characters.

    Attributes:
        fold: What the normaliser makes of a character wherever it is, None if that depends on its
            neighbours or is not one character. Default: what it makes of the character alone,
            unless one of the two is a mark or a Hangul letter.
        splits: Whether white space lies between words; otherwise it is ordinary text.
        mark: The character that begins a new word, "" without one.
        rewrites: Steps over the whole text: the place in `REWRITES` and two code points.
        n_normalizer: How many of them are the normaliser's; the others are applied also to
            text that `split` returns.
        byte_ids: The ids of the 256 bytes that unknown characters become, or none.
        added_ids: The ids of added tokens.
        first_characters: The characters that an added token may begin with.
        split: Text to its normalised stretches and places in `added_ids`, None without a token.
        split_unclear: Whether added tokens are looked for in normalised text too.
        look_ahead: Whether what the normaliser makes of a character may depend on the one before.
    """

    fold: Callable[[str], str | None] | None = None
    splits: bool = True
    mark: str = ""
    rewrites: Sequence[tuple[int, int, int]] = ()
    n_normalizer: int = 0
    byte_ids: Sequence[int] = ()
    added_ids: Sequence[int] = ()
    first_characters: str = ""
    split: Callable[[str], list[str | int] | None] | None = None
    split_unclear: bool = False
    look_ahead: bool = False


PLAIN = Rules()


class Unigram:
    """A vocabulary and its normaliser, ready to segment.

    Args:
        kernel: The compiled loops.
        pieces: The vocabulary; a piece's place is its id.
        scores: Log probability of each piece.
        unk_id: The piece that stands for what no piece covers.
        normalize: Any sequence of steps that treat a character in the same way whatever is further
            away than its neighbours; `str` for none.
        rules: What else happens to a text. Default: words are split at white space after
            normalising, and white space is dropped.

    Raises:
        InputError: Lists of different lengths, no such `unk_id`, a score that is not finite, or
            more than 65,532 different characters.
    """

    def __init__(
        self,
        kernel: Kernel,
        pieces: Sequence[str],
        scores: Sequence[float],
        unk_id: int,
        normalize: Callable[[str], str],
        rules: Rules = PLAIN,
    ) -> None:
        if len(pieces) != len(scores):
            raise InputError(f"{len(pieces)} pieces, but {len(scores)} scores")
        self._module = kernel.module
        self._normalize = normalize
        self._fold = rules.fold or self._fold_alone
        self._split = rules.split
        # Characters that normalise to these may begin an added token of normalised text.
        self._first_characters = rules.first_characters if rules.split_unclear else ""
        self._seen: set[str] = set()
        try:
            self._handle = kernel.module.make_unigram(
                list(pieces),
                list(scores),
                unk_id,
                WHITE_SPACE,
                rules.splits,
                ord(rules.mark) if rules.mark else 0,
                [number for step in rules.rewrites for number in step],
                rules.n_normalizer,
                list(rules.byte_ids),
                list(rules.added_ids),
                rules.look_ahead,
                rules.split_unclear,
            )
        except (ValueError, OverflowError) as error:
            raise InputError(str(error)) from None
        self._module.add_triggers(self._handle, rules.first_characters)
        self._fold_characters_of(pieces)

    def tokenize(self, texts: Sequence[str], *, threads: int | None = None) -> TokenBatch:
        """Return the ids of the texts; a text without words owns none.

        Raises:
            TypeError: An item is not a string.
            UnicodeEncodeError: A text holds a lone surrogate.
        """
        texts = texts if isinstance(texts, list) else list(texts)
        ids, offsets = self._module.tokenize(
            self._handle, texts, self._prepare, self._split, threads or default_threads()
        )
        return TokenBatch(np.frombuffer(ids, np.int32), np.frombuffer(offsets, np.int64))

    def encode(
        self,
        texts: Sequence[str],
        table: Table,
        dim: int,
        *,
        normalize: bool,
        threads: int | None = None,
        out: Floats | None = None,
    ) -> Floats:
        """Return one vector per text: float32 (n_texts, dim), as `table.pool` of the ids does.

        Ids never leave the processor's cache; the lock is free once the strings are read. Vectors
        are written to `out`, and that is returned, if it is given.

        Raises:
            DimensionError: `dim` is not within 1 to the width of the table.
            InputError: The table has fewer rows than there are pieces and added tokens.
            TypeError: An item is not a string.
            UnicodeEncodeError: A text holds a lone surrogate.
        """
        if not 1 <= dim <= table.width:
            raise DimensionError(f"dim is {dim}: expected 1 to {table.width}")
        texts = texts if isinstance(texts, list) else list(texts)
        out = result_array(out, (len(texts), dim))
        try:
            self._module.encode(
                self._handle,
                texts,
                self._prepare,
                self._split,
                table.handle,
                address_of(out),
                dim,
                normalize,
                threads or default_threads(),
            )
        except UnicodeEncodeError:
            raise
        except ValueError as error:
            raise InputError(str(error)) from None
        return out

    def _fold_characters_of(self, pieces: Sequence[str]) -> None:
        """Learn at once the characters of pieces that are normalised already, usually all.

        This is a part of every start, so it calls no function of Python for each of the thousands
        of characters.
        """
        text = "".join(pieces).encode("utf-32-le", "surrogatepass")
        # Counting code points takes a tenth of the time of a set of characters.
        code_points = np.flatnonzero(np.bincount(np.frombuffer(text, "<i4")))
        characters = code_points.astype("<i4").tobytes().decode("utf-32-le", "surrogatepass")
        stable = "".join(
            [
                character
                for character, kind in zip(characters, map(category, characters), strict=True)
                if kind[0] != "M" and kind != "Cs" and not "\u1100" <= character < "\u1200"
            ]
        )
        if self._fold == self._fold_alone and self._normalize(stable) == stable:
            self._module.fold_identities(self._handle, stable)
            self._seen.update(stable)
        self._learn(map(chr, range(128)))

    def _prepare(self, text: str) -> str:
        """Return the normalised text; called by the kernel for parts that it cannot normalise."""
        text.encode()  # a lone surrogate is an error everywhere, not an unknown character
        self._learn(set(text))
        return self._normalize(text)

    def _learn(self, characters: Iterable[str]) -> None:
        """Tell the kernel what each character that it has not met normalises to."""
        for character in characters:
            if character in self._seen:
                continue
            self._seen.add(character)
            folded = self._fold(character)
            if folded is not None and folded in self._first_characters:
                self._module.add_triggers(self._handle, character)
            self._module.fold_character(
                self._handle, ord(character), -1 if folded is None else ord(folded)
            )

    def _fold_alone(self, character: str) -> str | None:
        folded = self._normalize(character)
        if len(folded) != 1 or depends_on_context(character) or depends_on_context(folded):
            return None
        return folded


def depends_on_context(character: str) -> bool:
    """Return whether the character may compose with, or move past, its neighbours."""
    return (
        category(character)[0] == "M"
        or ord(character) in HANGUL_JAMO
        or 0xD800 <= ord(character) < 0xE000
    )
