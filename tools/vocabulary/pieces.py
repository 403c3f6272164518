"""Text into a vocabulary: learn the Unigram pieces and write them as `tokenizer.json`.

The text is folded (NFKC, lower case) and cut into runs of one script (kanji, hiragana, katakana,
Latin letters, digits, symbols) before the pieces are learned, so that no piece joins a content word
to its particle: `日本の歴史` can only become `日本|の|歴史`, and 食べる and 食べた share 食.
The finished tokenizer knows nothing of runs; its pieces simply never cross one.
"""

import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from konayuki.errors import InputError
from konayuki.extras import require
from konayuki.files import replace_file
from konayuki.text import fold

UNKNOWN = "<unk>"
GRID = 256  # scores are multiples of 1 / GRID, so that sums are exact in single precision too
_RUNS = re.compile(
    r"[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\U00020000-\U0003ffff々〆〇]+"  # kanji
    r"|[ぁ-ゟ]+ー*"
    r"|[ァ-ヺヽヾー]+"
    r"|[a-zà-öø-ɏ]+"
    r"|[0-9]+"
    r"|[^\w\s]+"
    r"|\w"  # other alphabets: letter by letter
)


@dataclass(frozen=True)
class VocabularySettings:
    """How the pieces are learned."""

    size: int = 32_768
    max_piece_length: int = 12
    character_coverage: float = 0.9998
    smallest_count: int = 2
    threads: int = 2


def runs_of(text: str) -> list[str]:
    """Return the runs of one script in a folded text, white space dropped."""
    return _RUNS.findall(text)


def count_runs(texts: Iterable[str]) -> Counter[str]:
    """Return how often each run of one script occurs in the texts."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(runs_of(fold(text)))
    return counts


def merge_counts(counts: Sequence[tuple[Counter[str], float]], smallest: int) -> dict[str, int]:
    """Return the weighted sum of counts, rounded, without runs rarer than `smallest`."""
    total: dict[str, float] = {}
    for counter, weight in counts:
        for run, count in counter.items():
            total[run] = total.get(run, 0.0) + weight * count
    return {run: round(count) for run, count in sorted(total.items()) if round(count) >= smallest}


def learn_pieces(
    counts: Mapping[str, int], settings: VocabularySettings
) -> list[tuple[str, float]]:
    """Return `size` pieces with their log probabilities; piece 0 is `<unk>`.

    Raises:
        InputError: The text is too small for a vocabulary of this size.
    """
    trainer = require("sentencepiece", "train").SentencePieceTrainer
    model = io.BytesIO()
    try:
        trainer.train(
            sentence_iterator=iter(f"{run}\t{count}" for run, count in counts.items()),
            input_format="tsv",
            model_writer=model,
            model_type="unigram",
            vocab_size=settings.size,
            max_sentencepiece_length=settings.max_piece_length,
            character_coverage=settings.character_coverage,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            split_by_whitespace=True,
            byte_fallback=False,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=settings.threads,
            input_sentence_size=0,
            shuffle_input_sentence=False,
            minloglevel=1,
        )
    except RuntimeError as error:
        raise InputError(
            f"cannot learn {settings.size} pieces from {len(counts)} runs of text: {error}\n"
            "hint: give more text or ask for a smaller vocabulary"
        ) from error
    return pieces_of(model.getvalue())


def pieces_of(model: bytes) -> list[tuple[str, float]]:
    """Return the pieces and scores of a serialised SentencePiece model."""
    processor = require("sentencepiece", "train").SentencePieceProcessor(model_proto=model)
    return [
        (processor.id_to_piece(piece), processor.get_score(piece))
        for piece in range(processor.get_piece_size())
    ]


def tokenizer_json(pieces: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Return the content of `tokenizer.json` for these pieces.

    Raises:
        InputError: Piece 0 is not `<unk>`, or a piece holds white space or its mark.
    """
    if not pieces or pieces[0][0] != UNKNOWN:
        raise InputError(f"piece 0 must be {UNKNOWN!r}: {pieces[:1]!r}")
    for piece, _ in pieces:
        if "▁" in piece or any(character.isspace() for character in piece):
            raise InputError(f"a piece must not hold white space or its mark: {piece!r}")
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}],
        },
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": 0,
            "vocab": [[piece, round(score * GRID) / GRID] for piece, score in pieces],
            "byte_fallback": False,
        },
    }


def write_tokenizer(pieces: Sequence[tuple[str, float]], path: Path) -> None:
    """Write `tokenizer.json`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(
        path, json.dumps(tokenizer_json(pieces), ensure_ascii=False, separators=(",", ":"))
    )
