"""A SentencePiece model, built in memory from the pieces of a `tokenizer.json`.

The few fields of `sentencepiece_model.proto` that segmentation reads are written by hand: the
protobuf package is far heavier than what is needed of it.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

NORMAL, UNKNOWN = 1, 2
UNIGRAM = 1

# Field numbers of ModelProto, SentencePiece, TrainerSpec and NormalizerSpec.
PIECES, TRAINER, NORMALIZER = 1, 2, 3
PIECE, SCORE, KIND = 1, 2, 3
MODEL_TYPE, UNK_ID, BOS_ID, EOS_ID, PAD_ID, UNK_PIECE = 3, 40, 41, 42, 43, 45
NAME, ADD_PREFIX, REMOVE_SPACES, ESCAPE_SPACES = 1, 3, 4, 5

VARINT, BYTES, FLOAT32 = 0, 2, 5  # wire types
ABSENT = 2**64 - 1  # -1 as a varint


class Piece(NamedTuple):
    """One piece of the vocabulary; its place in the list is its id."""

    text: str
    score: float
    kind: int = NORMAL


def serialize(pieces: Iterable[Piece], *, unk_id: int, unk_piece: str) -> bytes:
    """Return the serialised model whose normaliser changes nothing."""
    trainer = (
        _number(MODEL_TYPE, UNIGRAM)
        + _number(UNK_ID, unk_id)
        + _number(BOS_ID, ABSENT)
        + _number(EOS_ID, ABSENT)
        + _number(PAD_ID, ABSENT)
        + _bytes(UNK_PIECE, unk_piece.encode())
    )
    normalizer = _bytes(NAME, b"identity") + b"".join(
        _number(flag, 0) for flag in (ADD_PREFIX, REMOVE_SPACES, ESCAPE_SPACES)
    )
    body = b"".join(map(_piece, pieces))
    return body + _bytes(TRAINER, trainer) + _bytes(NORMALIZER, normalizer)


def _piece(piece: Piece) -> bytes:
    text = piece.text.encode()
    body = (
        b"\x0a%b%b\x15%b" % (_varint(len(text)), text, struct.pack("<f", piece.score))
        if piece.kind == NORMAL  # the default of the field, so it is left out
        else _bytes(PIECE, text)
        + _key(SCORE, FLOAT32)
        + struct.pack("<f", piece.score)
        + _number(KIND, piece.kind)
    )
    return b"\x0a" + _varint(len(body)) + body


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _number(field: int, value: int) -> bytes:
    return _key(field, VARINT) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes((value,))
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)
