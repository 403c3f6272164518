"""A Unigram tokenizer as its `tokenizer.json` defines it, checked, for both segmenters."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from konayuki.model.added_tokens import AddedTokens
from konayuki.model.normalizers import (
    Definition,
    Normalizer,
    Step,
    UnsupportedError,
    build_steps,
    chain,
)
from konayuki.model.pretokenizers import PreTokenizer, build_pretokenizer


@dataclass(frozen=True)
class UnigramDefinition:
    """A vocabulary and what happens to a text before it is segmented.

    Attributes:
        pieces: The vocabulary; a piece's place is its id.
        scores: The log probability of each piece.
        unk_id: The piece that stands for what no piece covers.
        byte_ids: The ids of the pieces <0x00> to <0xFF>, if unknown characters become their bytes.
            -1 for a byte that has no piece.
        steps: The steps of the normaliser.
        normalize: All of them as one function.
        pretokenizer: What cuts normalised text into words.
        added: The added tokens.
    """

    pieces: list[str]
    scores: list[float]
    unk_id: int
    byte_ids: list[int]
    steps: list[Step]
    normalize: Normalizer
    pretokenizer: PreTokenizer
    added: AddedTokens

    @property
    def vocab_size(self) -> int:
        """Return one more than the largest id."""
        return max(len(self.pieces), *(token.token_id + 1 for token in self.added.tokens), 0)


def read_unigram(definition: Definition) -> UnigramDefinition:
    """Return what a parsed `tokenizer.json` with a Unigram model defines.

    Raises:
        UnsupportedError: It has a part that neither segmenter knows.
        ValueError: A part is damaged; the message says which.
    """
    model = definition["model"]
    pieces = [piece for piece, _ in model["vocab"]]
    scores = [score for _, score in model["vocab"]]
    if not set(map(type, pieces)) <= {str} or not set(map(type, scores)) <= {int, float}:
        raise ValueError("a piece is not a string, or its score not a number")
    if not isfinite(sum(scores)):  # also of one that is not finite; this is a part of every start
        raise ValueError("the scores do not add up to a finite number")
    unk_id = model["unk_id"]
    if type(unk_id) is not int or not 0 <= unk_id < len(pieces):
        raise ValueError(f"unk_id is {unk_id!r}: expected the id of a piece, below {len(pieces)}")
    # Two unknown characters would score better than a piece, or have an id of their own.
    if min(scores) > 0 or pieces.count(pieces[unk_id]) > 1:
        raise UnsupportedError("scores above zero, or two unknown pieces")
    steps = build_steps(definition.get("normalizer"))
    normalize = chain([step.apply for step in steps])
    added = AddedTokens(definition.get("added_tokens") or [], normalize)
    _check_ids(added, pieces)
    return UnigramDefinition(
        pieces,
        scores,
        unk_id,
        _byte_ids(pieces) if model.get("byte_fallback") else [],
        steps,
        normalize,
        build_pretokenizer(definition.get("pre_tokenizer")),
        added,
    )


def _check_ids(added: AddedTokens, pieces: Sequence[str]) -> None:
    """Leave to `tokenizers` files whose added tokens do not have the ids that it would give them.

    It takes the id of the piece with the same text, or else the next free one.
    """
    new = [
        token
        for token in added.tokens
        if pieces[token.token_id : token.token_id + 1] != [token.content]
    ]
    if [token.token_id for token in new] != list(range(len(pieces), len(pieces) + len(new))):
        raise UnsupportedError("added tokens with ids of their own")
    if new and not {token.content for token in new}.isdisjoint(pieces):
        raise UnsupportedError("added tokens with ids of their own")


def _byte_ids(pieces: Sequence[str]) -> list[int]:
    ids = {piece: token_id for token_id, piece in enumerate(pieces) if piece.startswith("<0x")}
    return [ids.get(f"<0x{byte:02X}>", -1) for byte in range(256)]
