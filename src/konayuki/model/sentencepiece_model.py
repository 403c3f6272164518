"""A SentencePiece model, built in memory from the pieces of a `tokenizer.json`.

The few fields of `sentencepiece_model.proto` that segmentation reads are written by hand: the
protobuf package is far heavier than what is needed of it.
"""

import struct
from collections.abc import Sequence

NORMAL, UNKNOWN = 1, 2
UNIGRAM = 1

# Field numbers of ModelProto, SentencePiece, TrainerSpec and NormalizerSpec.
PIECES, TRAINER, NORMALIZER = 1, 2, 3
PIECE, SCORE, KIND = 1, 2, 3
MODEL_TYPE, UNK_ID, BOS_ID, EOS_ID, PAD_ID, UNK_PIECE = 3, 40, 41, 42, 43, 45
NAME, ADD_PREFIX, REMOVE_SPACES, ESCAPE_SPACES = 1, 3, 4, 5

VARINT, BYTES, FLOAT32 = 0, 2, 5  # wire types
ABSENT = 2**64 - 1  # -1 as a varint
SHORT_PIECE = 120  # bytes


def serialize(texts: Sequence[str], scores: Sequence[float], *, unk_id: int) -> bytes:
    """Return the serialised Unigram model whose normaliser changes nothing.

    Args:
        texts: the pieces, by id.
        scores: their scores.
        unk_id: the piece that stands for what no other piece covers; its text is never matched.
    """
    trainer = (
        _number(MODEL_TYPE, UNIGRAM)
        + _number(UNK_ID, unk_id)
        + b"".join(_number(field, ABSENT) for field in (BOS_ID, EOS_ID, PAD_ID))
        + _bytes(UNK_PIECE, texts[unk_id].encode())
    )
    normalizer = _bytes(NAME, b"identity") + b"".join(
        _number(flag, 0) for flag in (ADD_PREFIX, REMOVE_SPACES, ESCAPE_SPACES)
    )
    pieces = _pieces(texts, scores)
    pieces[unk_id] = _piece(texts[unk_id].encode(), scores[unk_id], UNKNOWN)
    return b"".join(pieces) + _bytes(TRAINER, trainer) + _bytes(NORMALIZER, normalizer)


def _pieces(texts: Sequence[str], scores: Sequence[float]) -> list[bytes]:
    """Return the records of ordinary pieces; this loop is a good part of the time to load."""
    numbers = struct.pack(f"<{len(scores)}f", *scores)
    # Two keys and two lengths; all are one byte as long as the record is below 128 bytes.
    heads = [bytes((0x0A, length + 7, 0x0A, length)) for length in range(SHORT_PIECE)]
    records = []
    for index, text in enumerate(texts):
        content = text.encode()
        if len(content) < SHORT_PIECE:
            number = numbers[4 * index : 4 * index + 4]
            records.append(heads[len(content)] + content + b"\x15" + number)
        else:
            records.append(_piece(content, scores[index], NORMAL))
    return records


def _piece(content: bytes, score: float, kind: int) -> bytes:
    body = (
        _bytes(PIECE, content)
        + _key(SCORE, FLOAT32)
        + struct.pack("<f", score)
        + _number(KIND, kind)
    )
    return _bytes(PIECES, body)


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
